PYTHON = $(or $(wildcard $(BIN)/python),$(shell "$(UV)" python find --quiet --no-project --no-python-downloads {{ cookiecutter.python_version }} 2> /dev/null),python3)
