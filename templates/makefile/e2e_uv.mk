	"$(UV)" sync --quiet --group e2e --python "$(PYTHON)"
