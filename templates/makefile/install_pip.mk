$(READY): requirements.txt requirements-dev.txt
	$(CHECK_PYTHON)
	@echo "Installing into $(VENV)"
	@test "$$($(PYTHON) $(VERSION))" = "$$($(BIN)/python $(VERSION) 2> /dev/null)" && test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt || { echo "$(NOT_INSTALLED)" >&2; exit 1; }
	@touch $@

