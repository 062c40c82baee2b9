# uv makes the environment. If PATH has no uv, it is installed into .uv/.
VENV := $(or $(UV_PROJECT_ENVIRONMENT),.venv)
export UV_PROJECT_ENVIRONMENT := $(VENV)
unexport UV_NO_DEFAULT_GROUPS UV_NO_DEV UV_NO_GROUP UV_PROJECT UV_PYTHON UV_WORKING_DIR
UV := $(or $(shell command -v uv 2> /dev/null),.uv/bin/uv)
