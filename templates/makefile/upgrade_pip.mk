	$(BIN)/python -m pip install --upgrade --upgrade-strategy eager -r requirements-dev.txt
