$(READY): pyproject.toml $(wildcard uv.lock) | $(filter .uv/bin/uv,$(UV))
	$(CHECK_PYTHON)
	@echo "Installing into $(VENV)"
	@"$(UV)" sync --quiet --python "$(PYTHON)" || { echo "$(NOT_INSTALLED)" >&2; exit 1; }
	@test -x $(BIN)/pytest || { echo "$(UV) is too old to install the tools: uv self update" >&2; exit 1; }
	@touch $@

.uv/bin/uv:
	@echo "Installing uv into .uv"
	@$(PYTHON) -m venv --clear .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv || { echo "$(NOT_INSTALLED)" >&2; exit 1; }

