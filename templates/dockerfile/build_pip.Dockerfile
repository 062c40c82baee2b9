FROM python:{{ cookiecutter.python_version }}-slim-trixie AS build
WORKDIR /srv/{{ cookiecutter.project_slug }}

# The dependencies come first, so that their layer is built again only when they change. They are compiled, because
# importing the SDK from source takes nearly twice as long.
COPY requirements.txt ./
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir --compile --requirement requirements.txt

