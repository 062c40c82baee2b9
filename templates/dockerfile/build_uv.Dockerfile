FROM ghcr.io/astral-sh/uv:0.13 AS uv

FROM python:{{ cookiecutter.python_version }}-slim-trixie AS build
WORKDIR /srv/{{ cookiecutter.project_slug }}

# The dependencies come first, so that their layer is built again only when they change. They are compiled, because
# importing the SDK from source takes nearly twice as long.
COPY --from=uv /uv /usr/local/bin/
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-managed-python --compile-bytecode

