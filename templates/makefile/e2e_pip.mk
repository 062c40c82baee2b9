	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-e2e.txt
