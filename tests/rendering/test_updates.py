"""What a project knows of its template, and how it comes to the template's next version: by the real cruft and git."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bakery import OPTIONS, TEMPLATE, choices

post_gen = SimpleNamespace(**runpy.run_path(str(TEMPLATE / "hooks" / "post_gen_project.py")))

SLUG = "{{cookiecutter.project_slug}}"
# Enough of the project to be updated, so that a rendering takes little time.
PARTS = [
    "cookiecutter.json",
    "hooks",
    "templates",
    *(f"{SLUG}/{name}" for name in [".gitignore", "Makefile", "pyproject.toml", "config/settings.py"]),
    f"{SLUG}/prompts",
    f"{SLUG}/accounts",
    f"{SLUG}/{{% if cookiecutter.env_file %}}.env.example{{% endif %}}",
]  # fmt: skip


class Machine:
    """A home with git and Cookiecutter, where `uv tool run` finds cruft without a network."""

    def __init__(self, root):
        self.root, self.bin = root, root / "bin"
        self.bin.mkdir()
        tools = Path(sys.executable).parent
        for name in ("cookiecutter", "cruft"):
            (self.bin / name).symlink_to(tools / name)
        uv = 'test "$1" = tool || exit 1\nwhile test "$1" != cruft; do shift; done\nexec "$@"\n'
        (self.bin / "uv").write_text(f"#!/bin/sh\n{uv}", encoding="utf-8")
        (self.bin / "uv").chmod(0o755)
        (root / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.com\n", encoding="utf-8")

    def run(self, folder, command, code=0):
        path = f"{self.bin}{os.pathsep}/usr/bin{os.pathsep}/bin"
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env={"PATH": path, "HOME": str(self.root), "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, folder):
        self.run(folder, "git init --quiet && git add --all && git commit --quiet --message change")

    def template(self):
        folder = self.root / "template"
        for part in PARTS:
            source = TEMPLATE / part
            (folder / part).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        self.commit(folder)
        return folder

    def project(self, template, answers="", folder="work"):
        """A project of the template, committed as it was rendered."""
        (self.root / folder).mkdir()
        self.run(self.root / folder, f"cookiecutter --no-input --default-config {template} {answers}")
        project = self.root / folder / "my_claude_app"
        self.commit(project)
        return project


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def state_of(project):
    return json.loads((project / ".cruft.json").read_text(encoding="utf-8"))


def unmerged(machine, project):
    return set(machine.run(project, "git diff --name-only --diff-filter=U").split())


@pytest.mark.parametrize("package_manager", choices("package_manager"))
def test_an_update_keeps_what_the_team_has_made_and_marks_a_conflict(machine, package_manager):
    template = machine.template()
    project = machine.project(template, f"package_manager={package_manager}")
    settings = project / "config" / "settings.py"
    replace(settings, 'DOMAIN = "', 'LIBRARY = config("LIBRARY", default="")\nDOMAIN = "')
    (project / "prompts" / "system.md").write_text("You are a librarian.\n", encoding="utf-8")
    (project / "accounts" / "urls.py").unlink()
    (project / "library").mkdir()
    (project / "library" / "models.py").write_text("# ours\n", encoding="utf-8")
    machine.commit(project)
    secrets = {name: f"{name} of the team\n" for name in (".env", "uv.lock")}
    for name, text in secrets.items():
        (project / name).write_text(text, encoding="utf-8")
    machine.commit(project)
    (project / ".cruft" / "bin").mkdir(parents=True)
    (project / ".cruft" / "bin" / "cruft").symlink_to(machine.bin / "cruft")
    if package_manager == "uv":
        shutil.rmtree(project / ".cruft")

    replace(template / SLUG / "config" / "settings.py", "INSTALLED_APPS = [\n", 'INSTALLED_APPS = [\n    "news",\n')
    replace(template / SLUG / "accounts" / "urls.py", "urlpatterns", "# new\nurlpatterns")
    replace(template / SLUG / PARTS[-1].split("/")[1], "SECRET_KEY=\n", "SECRET_KEY=\nNEWS=\n")
    (template / SLUG / "prompts" / "system.md").write_text("You are kind.\n", encoding="utf-8")
    (template / SLUG / "news.py").write_text("", encoding="utf-8")
    machine.commit(template)
    said = machine.run(project, f"make update ARGS='--template-path {template}'")

    assert "mend the files in conflict" in said
    text = settings.read_text(encoding="utf-8")
    assert 'LIBRARY = config("LIBRARY", default="")' in text
    assert '"news",' in text
    assert (project / "news.py").exists()
    assert (project / "library" / "models.py").read_text(encoding="utf-8") == "# ours\n"
    assert not (project / "accounts" / "urls.py").exists()
    assert {name: (project / name).read_text(encoding="utf-8") for name in secrets} == secrets
    assert unmerged(machine, project) == {"prompts/system.md"}
    prompt = (project / "prompts" / "system.md").read_text(encoding="utf-8")
    assert re.match("<<<<<<< .*\nYou are a librarian.\n=======\nYou are kind.\n>>>>>>> .*\n", prompt)
    assert not list(project.rglob("*.rej"))
    assert not list(project.rglob(".env.*"))[1:]  # .env.example alone
    assert state_of(project)["commit"] == machine.run(template, "git rev-parse HEAD").strip()
    assert state_of(project)["skip"] == [".env", "uv.lock"]


def test_git_marks_each_kind_of_conflict_also_below_the_root_of_a_repository(machine):
    """What one side has deleted or renamed and the other changed, and what both have added, in a colleague's clone."""
    template = machine.template()
    docs = template / SLUG / "docs"
    docs.mkdir()
    lines = "".join(f"line {number}\n" for number in range(20))
    for name in ("renamed.md", "deleted.md"):
        (docs / name).write_text(f"{name}\n{lines}", encoding="utf-8")
    machine.commit(template)
    project = machine.project(template)
    shutil.rmtree(project / ".git")
    replace(project / "docs" / "renamed.md", "line 5\n", "line five\n")
    replace(project / "docs" / "deleted.md", "line 5\n", "line five\n")
    (project / "docs" / "added.md").write_text("ours\n", encoding="utf-8")
    machine.commit(project.parent)
    machine.run(machine.root, "git clone --quiet --no-local work clone")
    clone = machine.root / "clone" / project.name

    (docs / "renamed.md").rename(docs / "new.md")
    replace(docs / "new.md", "line 15\n", "line fifteen\n")
    (docs / "deleted.md").unlink()
    (docs / "added.md").write_text("theirs\n", encoding="utf-8")
    machine.commit(template)
    machine.run(clone, f"make update ARGS='--template-path {template}'")
    text = (clone / "docs" / "new.md").read_text(encoding="utf-8")
    assert "line five\n" in text
    assert "line fifteen\n" in text
    status = machine.run(clone, "git status --porcelain").splitlines()
    assert status == [
        " M my_claude_app/.cruft.json",
        "AA my_claude_app/docs/added.md",
        "UD my_claude_app/docs/deleted.md",
        "R  my_claude_app/docs/renamed.md -> my_claude_app/docs/new.md",
    ]
    assert "ours\n=======\ntheirs\n" in (clone / "docs" / "added.md").read_text(encoding="utf-8")
    assert machine.run(clone, "git for-each-ref refs/template") == ""


def test_make_update_says_what_it_needs(machine):
    template = machine.template()
    project = machine.project(template)
    update = f"make update ARGS='--template-path {template}'"
    assert "Nothing to do" in machine.run(project, update)
    replace(
        template / "hooks" / "post_gen_project.py", "        commit_rendering(", "        ("
    )  # as before version 0.4.0
    machine.commit(template)
    for _ in range(2):  # nothing of the first is left for the second
        assert "cannot merge such an old version" in machine.run(project, update, code=2)
    assert "Say where the template is" in machine.run(project, "make update", code=2)
    (project / "new.py").write_text("", encoding="utf-8")
    assert "make sure your git working tree is clean" in machine.run(project, update, code=2)
    (project / ".cruft.json").unlink()
    assert "There is no .cruft.json: cruft link writes it" in machine.run(project, "make update", code=2)
    shutil.rmtree(project / ".git")
    assert "Commit the project first: git init" in machine.run(project, "make update", code=2)


def test_an_update_that_git_cannot_begin_leaves_the_project_as_it_was(machine):
    """What is new in the template stands in the way, and git does not know it. Its name would be quoted."""
    template = machine.template()
    project = machine.project(template)
    before = state_of(project)
    (template / SLUG / "ä note.md").write_text("theirs\n", encoding="utf-8")
    machine.commit(template)
    (project / "ä note.md").write_text("ours\n", encoding="utf-8")
    update = f"make update ARGS='--template-path {template} --allow-untracked-files'"
    assert "git could not merge" in machine.run(project, update, code=2)
    assert state_of(project) == before
    assert (project / "ä note.md").read_text(encoding="utf-8") == "ours\n"
    (project / "ä note.md").unlink()
    machine.run(project, update)
    assert (project / "ä note.md").read_text(encoding="utf-8") == "theirs\n"

    machine.commit(project)
    machine.run(project, "git rm --quiet 'ä note.md' && git commit --quiet --message gone")
    (template / SLUG / "ä note.md").write_text("newer\n", encoding="utf-8")
    machine.commit(template)
    assert "You have deleted ä note.md, and so it stays." in machine.run(project, update)
    assert not (project / "ä note.md").exists()


def test_a_project_knows_the_address_the_commit_and_the_answers(machine):
    template = machine.template()
    commit = machine.run(template, "git rev-parse HEAD").strip()
    machine.run(template, "git tag v1.0.0 && git remote add origin https://ada:s3cret@example.com/claude.git")
    project = machine.project("../template", """project_name='Söns "App"' project_slug=my_claude_app nginx=no""")
    first = {name: choices(name)[0] if choices(name) else answer for name, answer in OPTIONS.items()}
    assert state_of(project) == {
        "template": "https://example.com/claude.git",
        "commit": commit,
        "checkout": None,
        "context": {
            "cookiecutter": first | {"project_name": 'Söns "App"', "project_slug": "my_claude_app", "nginx": False}
        },
        "directory": None,
        "skip": [".env", "uv.lock"],
    }


def test_a_project_of_a_cloned_template_knows_what_was_checked_out(machine):
    template = machine.template()
    commit = machine.run(template, "git tag v1.0.0 && git rev-parse HEAD").strip()
    (template / "README.md").write_text("newer\n", encoding="utf-8")
    machine.commit(template)
    project = machine.project(f"git+file://{template} --checkout v1.0.0")
    state = state_of(project)
    assert (state["template"], state["commit"], state["checkout"]) == ("", commit, "v1.0.0")
    assert str(machine.root) not in (project / ".cruft.json").read_text(encoding="utf-8")


def test_a_template_below_the_root_of_its_repository_is_found_there(machine):
    template = machine.template()
    shutil.rmtree(template / ".git")
    shutil.copytree(template, machine.root / "templates" / "claude")
    machine.commit(machine.root / "templates")
    project = machine.project("../templates/claude")
    assert state_of(project)["directory"] == "claude"


def test_without_a_commit_of_the_template_nothing_is_said_of_it(machine):
    template = machine.template()
    shutil.rmtree(template / ".git")
    assert not (machine.project(template) / ".cruft.json").exists()
    # A repository around the template that does not have it.
    machine.run(machine.root, "git init --quiet && git commit --quiet --allow-empty --message empty")
    assert not (machine.project(template, folder="again") / ".cruft.json").exists()


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://example.com/o/r.git", "https://example.com/o/r.git"),
        ("https://token@example.com/o/r", "https://example.com/o/r"),
        ("https://ada:p@ss@example.com:8443/o/r", "https://example.com:8443/o/r"),
        ("https://example.com/o/r?private_token=s3#x", "https://example.com/o/r"),
        ("git://example.com/o/r", "git://example.com/o/r"),
        ("ssh://git@example.com:22/o/r", "ssh://git@example.com:22/o/r"),
        ("ssh://ada:s3@example.com/o/r", "ssh://ada@example.com/o/r"),
        ("git@example.com:o/r.git", "git@example.com:o/r.git"),
        ("example:o/r", "example:o/r"),
        ("/home/ada/template", ""),
        ("../template", ""),
        ("file:///home/ada/template", ""),
        ("C:\\Users\\ada\\template", ""),
        ("C:/Users/ada/template", ""),
        ("~/template", ""),
        ("", ""),
    ],
)
def test_an_address_has_no_credentials_and_names_no_folder_of_this_machine(url, public):
    assert post_gen.public_address(url) == public
