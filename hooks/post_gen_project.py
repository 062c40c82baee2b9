"""Finishes a new project: writes .cruft.json and .env with a new SECRET_KEY, locks the dependencies, says what is next.

Under cruft it writes none of these: cruft renders again to compare, and would print the secret. `make run` writes .env
and the lock, and cruft its own .cruft.json. For `make update` it commits what is rendered, so that git can merge.

Cookiecutter renders this file and runs the copy in the project's folder. It deletes only empty folders, and it works
without a network. Every bake waits for it, so slow imports are inside the functions.
"""

import os
import sys

# Folders that some answers leave empty, inner folders first.
MAY_STAY_EMPTY = (
    "usage/templatetags",
    "usage/templates/usage",
    "usage/templates",
    "usage/static/usage",
    "usage/static",
    "usage/migrations",
    "usage/management/commands",
    "usage/management",
    "usage",
    ".github/workflows",
    ".github",
)
LOCK_TIMEOUT = 60  # seconds
CRUFT_FILE = ".cruft.json"


def remove_empty(folders):
    for folder in folders:
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def with_secret(example, secret):
    """The text of .env.example with the secret filled in."""
    lines = [f"SECRET_KEY={secret}" if line == "SECRET_KEY=" else line for line in example.split("\n")]
    return "\n".join(lines)


def git(*arguments, **variables):
    """The lines that git prints. None if it fails or is not there."""
    import subprocess

    # Without those of another repository, whose hook or alias may run this.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            env=environ | variables,
            check=True,
        )
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return done.stdout.split("\n")[:-1]


def write_cruft_file(answers, start):
    """Write .cruft.json, which tells `make update` where the project came from, if git knows the template's commit."""
    import json

    folders = (os.path.join(folder, answers["_repo_dir"]) for folder in (start, answers["_output_dir"]) if folder)
    template = next((folder for folder in folders if os.path.exists(os.path.join(folder, "cookiecutter.json"))), None)
    known = template and git("-C", template, "rev-parse", "HEAD", "HEAD:./cookiecutter.json", "--show-prefix")
    if not known or os.path.exists(CRUFT_FILE):
        return
    (address,) = git("-C", template, "remote", "get-url", "origin") or [""]
    state = {
        "template": public_address(address),
        "commit": known[0],
        "checkout": answers["_checkout"],
        "context": {"cookiecutter": {name: answer for name, answer in answers.items() if not name.startswith("_")}},
        "directory": known[2].rstrip("/") or None,
        "skip": [".env", "uv.lock"],
    }
    with open(CRUFT_FILE, "w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(state, ensure_ascii=False, indent=2) + "\n")


def public_address(url):
    """The address of a repository as anybody may read it: no credentials, and nothing of a folder of this machine."""
    import re

    if web := re.fullmatch(r"(https?|git)://(?:[^/]*@)?([^/?\#]+/[^?\#]*).*", url):
        return f"{web[1]}://{web[2]}"
    if ssh := re.fullmatch(r"ssh://(?:([^/:]*)(?::[^/]*)?@)?(.+)", url):
        return f"ssh://{ssh[1]}@{ssh[2]}" if ssh[1] else f"ssh://{ssh[2]}"
    return url if re.fullmatch(r"([\w.+-]+@)?[\w.-]{2,}:(?!//).+", url) else ""


def commit_rendering(repository):
    """Commit what is rendered as refs/template of a repository, on top of what was. `make update` merges by the two."""
    index = os.path.join(repository, "index-of-template")
    name = "template"
    environ = {f"GIT_{role}_{what}": name for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = (f"--git-dir={repository}", "--work-tree=.")
    if git(*command, "add", "--all", "--force", GIT_INDEX_FILE=index) is None:
        sys.exit("git could not store what is rendered: see `git add --all` in a new repository")
    (tree,) = git(*command, "write-tree", GIT_INDEX_FILE=index)
    parent = git(*command, "rev-parse", "--quiet", "--verify", "refs/template")
    (commit,) = git(*command, "commit-tree", "-m", name, *(["-p", *parent] if parent else []), tree, **environ)
    git(*command, "update-ref", "refs/template", commit)
    os.remove(index)


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


def folders_from(folder):
    """The folder and all those above it."""
    while folder != os.path.dirname(folder):
        yield folder
        folder = os.path.dirname(folder)


def repository_of(project):
    """The root of the git repository that the project is in, or None."""
    return next((folder for folder in folders_from(project) if os.path.exists(os.path.join(folder, ".git"))), None)


def repository_notes(project, repository, on_github):
    """What does not work below the root of a repository, and what to do."""
    if repository in (None, project):
        return []
    path = os.path.relpath(project, repository)
    notes = [
        f"The git repository {repository} is around the project. `make hooks` would check all of it: have its own "
        f"hooks run `make -C {path} lint`."
    ]
    if on_github:
        notes.append(
            f"GitHub reads .github/ at the root of a repository alone: move {path}/.github/ there, run its commands "
            f"in {path} (working-directory), and put /{path} in front of each directory in dependabot.yml."
        )
    return notes


def workspace_notes(project):
    """uv takes a project for a member of a workspace in a folder above, and no member may be a workspace itself."""
    notes = []
    for folder in folders_from(os.path.dirname(project)):
        try:
            with open(os.path.join(folder, "pyproject.toml"), encoding="utf-8", errors="replace") as file:
                if "[tool.uv.workspace]" in file.read():
                    path = os.path.relpath(project, folder)
                    notes.append(f'{file.name} has a uv workspace: if "{path}" is in its members, exclude it there.')
        except OSError:
            pass
    return notes


def next_steps(folder, has_env_file, hooks):
    """The next steps. `folder` is the path from the user's folder to the project, quoted for a shell; `hooks` is the
    command that has git check each commit, or None.
    """
    hooks = f"\nTo have git check each commit: {hooks}\n" if hooks else ""
    key = "put the key into .env: ANTHROPIC_API_KEY=..." if has_env_file else "export ANTHROPIC_API_KEY=..."
    return f"""
The project is ready.

  cd {folder}
  make run     serves it on http://127.0.0.1:8000; the offline stand-in answers until there is a key
  make test    runs its tests
{hooks}
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


def main(answers):
    remove_empty(MAY_STAY_EMPTY)
    project = os.getcwd()
    start = os.environ.get("PWD")
    repository = repository_of(project)
    notes = repository_notes(project, repository, answers["ci"] == "github") + workspace_notes(project)
    if "_commit" not in answers:
        write_cruft_file(answers, start)
        notes.append(write_env() if answers["env_file"] else None)
        notes.append(lock() if answers["package_manager"] == "uv" else None)
    elif "UPDATED_REPOSITORY" in os.environ:
        commit_rendering(os.environ["UPDATED_REPOSITORY"])
        return
    hooks = {None: "git init && make hooks", project: "make hooks"}.get(repository)
    sys.stdout.reconfigure(errors="backslashreplace")  # an old terminal may not know the characters of the folder
    print(next_steps(way_to(project, start), answers["env_file"], hooks))
    for note in filter(None, notes):
        print(note)


if __name__ == "__main__":
    # `repr` of each answer: no quote or backslash in an answer can end the literal.
    main(dict({{cookiecutter.items() | rejectattr(1, "mapping") | list}}))
