"""Finishes a new project: writes .env with a new SECRET_KEY, locks the dependencies, prints the next steps.

Cookiecutter renders this file and runs the copy in the project's folder. It deletes only empty folders, and it works
without a network. Every bake waits for it, so slow imports are inside the functions.
"""

import os
import sys

# Folders that some answers leave empty, inner folders first.
MAY_STAY_EMPTY = (
    "claude/management/commands",
    "claude/management",
    ".github/workflows",
    ".github",
)
LOCK_TIMEOUT = 60  # seconds


def remove_empty(folders):
    for folder in folders:
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def with_secret(example, secret):
    """The text of .env.example with the secret filled in."""
    lines = [f"SECRET_KEY={secret}" if line == "SECRET_KEY=" else line for line in example.split("\n")]
    return "\n".join(lines)


def write_private(path, text):
    """Write a new file that nobody else can ever read. False if the file exists: then it is not changed."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return True


def write_env():
    """Write .env. Returns a note for the user, or None."""
    import secrets

    with open(".env.example", encoding="utf-8") as file:
        text = with_secret(file.read(), secrets.token_urlsafe(50))
    return None if write_private(".env", text) else ".env was there already and was not changed."


def lock(timeout=LOCK_TIMEOUT):
    """Let uv write uv.lock. Returns a note for the user, or None."""
    uv = on_path("uv")
    if not uv:
        return "uv.lock was not written: uv is not on PATH; `make setup` fetches uv and writes it."
    reason = run_lock(uv, timeout)
    return f"uv.lock was not written: {reason}; run `uv lock` when online." if reason else None


def on_path(program):
    """The file that a shell would run, or None: `shutil.which`, without an import that is slower than the rest."""
    files = (os.path.join(folder, program) for folder in os.get_exec_path())
    return next((file for file in files if os.path.isfile(file) and os.access(file, os.X_OK)), None)


def run_lock(uv, timeout):
    """Run `uv lock`, which makes no environment and must not download a Python. Returns why it failed, or None."""
    import subprocess

    command = [uv, "lock", "--quiet", "--no-python-downloads"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"uv took longer than {timeout} seconds"
    except OSError as error:
        return f"uv did not start ({error.strerror})"
    return None if done.returncode == 0 else first_line(done.stderr) or f"uv ended with {done.returncode}"


def first_line(text):
    """The first line that says something, without the word "error"."""
    lines = (line.strip().removeprefix("error:").strip() for line in text.splitlines())
    return next((line for line in lines if line), "")


def next_steps(folder, has_env_file):
    """The next steps. `folder` is the path from the user's folder to the project, quoted for a shell."""
    key = "put the key into .env: ANTHROPIC_API_KEY=..." if has_env_file else "export ANTHROPIC_API_KEY=..."
    return f"""
The project is ready.

  cd {folder}
  make run     serves it on http://127.0.0.1:8000; the offline stand-in answers until there is a key
  make test    runs its tests

For answers from Claude, {key}
"""


def way_to(project, start):
    """The path to the project as a user in the folder `start`, which may be unknown, types it."""
    start = os.path.realpath(start) if start else os.sep
    inside = start != os.sep and os.path.commonpath([start, project]) == start
    path = os.path.relpath(project, start) if inside else project
    if path.isascii() and path.translate(dict.fromkeys(map(ord, "/._-"))).isalnum():
        return path
    import shlex

    return shlex.quote(path)


def main(env_file, package_manager):
    remove_empty(MAY_STAY_EMPTY)
    notes = [write_env() if env_file else None, lock() if package_manager == "uv" else None]
    sys.stdout.reconfigure(errors="backslashreplace")  # an old terminal may not know the characters of the folder
    print(next_steps(way_to(os.getcwd(), os.environ.get("PWD")), env_file))
    for note in filter(None, notes):
        print(note)


if __name__ == "__main__":
    main(env_file={{cookiecutter.env_file}}, package_manager="{{ cookiecutter.package_manager }}")
