	@UPDATED_REPOSITORY="$$(git rev-parse --absolute-git-dir)" "$(UV)" tool run --quiet --python "$(PYTHON)" cruft update --skip-update $(ARGS)
