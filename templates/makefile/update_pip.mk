	@.cruft/bin/cruft --version > /dev/null 2>&1 || { $(PYTHON) -m venv .cruft && .cruft/bin/python -m pip install --quiet --disable-pip-version-check cruft; }
	@UPDATED_REPOSITORY="$$(git rev-parse --absolute-git-dir)" .cruft/bin/cruft update --skip-update $(ARGS)
