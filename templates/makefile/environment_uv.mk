# uv makes the environment. If PATH has no uv, it is installed into .uv/.
VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
export UV_PROJECT_ENVIRONMENT := $(VENV)
unexport VIRTUAL_ENV
UV := $(or $(shell command -v uv 2> /dev/null),.uv/bin/uv)
