PYTHON = $(or $(wildcard $(BIN)/python),$(shell python{{ cookiecutter.python_version }} -c 'import sys; print(sys.executable)' 2> /dev/null),python3)
