"""README, CONTRIBUTING and AGENTS say what is so: questions, commands, paths that exist. The rendered ones as well."""

import hashlib
import re

import pytest

from bakery import OPTIONS, PAIRS, TEMPLATE, VARIANTS, choices, name_of
from documents import (
    explained_questions,
    files_in,
    make_targets_named_in,
    make_targets_of,
    names_in_table,
    paths_named_in,
    text_of,
)
from environments import declared_dependencies

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "AGENTS.md",
    "docs/decisions.md",
    "tests/README.md",
    "benchmarks/README.md",
]


def test_the_readme_explains_every_question_and_no_other():
    assert explained_questions().keys() == OPTIONS.keys()


@pytest.mark.parametrize("option", [option for option in OPTIONS if isinstance(OPTIONS[option], list)])
def test_the_readme_names_every_answer(option):
    row = explained_questions()[option]
    assert [answer for answer in choices(option) if f"`{answer}`" not in row] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_named_is_there(bake, document):
    """One of the template's own, or one of a rendered project: the README tells of both."""
    there = make_targets_of(text_of("Makefile")) | make_targets_of(text_of("Makefile", bake()))
    assert make_targets_named_in(text_of(document)) <= there


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_named_is_there(bake, document):
    made_by_running = {".cruft.json", "build/", ".venv", "uv.lock", "requirements.txt", "requirements-dev.txt"}
    named = paths_named_in(text_of(document)) - made_by_running
    folders = [(TEMPLATE / document).parent, TEMPLATE, bake(), bake(view_style="async")]
    assert [path for path in named if not any(is_there(folder, path) for folder in folders)] == []


def test_the_pictures_in_the_readme_show_the_page_as_it_is():
    """As far as its style and its HTML go: `make pictures` takes them again."""
    for line in text_of("docs/pictures.sha256").splitlines():
        recorded, path = line.split("  ")
        assert hashlib.sha256((TEMPLATE / path).read_bytes()).hexdigest() == recorded, f"{path} changed: make pictures"


def test_the_map_of_the_tests_names_every_test_and_helper_and_no_other():
    tests = TEMPLATE / "tests"
    named = set(re.findall(r"^\| `([\w/]+\.py)` \|", text_of("tests/README.md"), re.MULTILINE))
    there = {path.relative_to(tests).as_posix() for path in [*tests.rglob("test_*.py"), *tests.glob("support/*.py")]}
    assert {path for path in named if "/test_" in path or path.startswith("support/")} == there


def test_the_readme_says_why_each_dependency_is_there(bake):
    """Whatever any variant declares."""
    explained = re.findall(
        r"^\| ([a-z0-9, -]+) \|", text_of("README.md").split("## Why each dependency")[1], re.MULTILINE
    )
    named = set(re.split(r", | or ", ", ".join(explained))) - {"package"}
    assert named == {name for answers in [*VARIANTS, *PAIRS] for name in dependencies_of(bake(**answers))}


@pytest.fixture(params=[*VARIANTS, *PAIRS], ids=name_of)
def project(request, bake):
    return bake(**request.param)


def test_the_rendered_documents_name_only_what_their_project_has(project):
    documents = ["README.md", "AGENTS.md", *(f"docs/{path.name}" for path in (project / "docs").iterdir())]
    text = "\n".join(text_of(document, project) for document in documents)
    made_later = {"uv.lock", ".evals.json", ".cruft.json", *(path for path, _ in files_in(text))}
    assert [path for path in paths_named_in(text) - made_later if not is_there(project, path)] == []
    assert make_targets_named_in(text) <= make_targets_of(text_of("Makefile", project))


def test_the_blocks_of_a_rendered_document_stand_apart(project):
    """A control tag that takes a line break too many would join them."""
    for path in [project / "README.md", project / "AGENTS.md", *(project / "docs").iterdir()]:
        text = text_of(path.name, path.parent)
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        assert "```" not in prose, path.name
        assert re.findall(r"[^\n]\n#+ .*|^#+ .*\n[^\n].*", prose, re.MULTILINE) == [], path.name


def test_a_rendered_document_lists_every_setting_that_the_environment_decides(project):
    code = "".join(path.read_text(encoding="utf-8") for path in sorted((project / "config").glob("*.py")))
    read = set(re.findall(r"""(?:config|os\.environ\.get)\(\s*["']([A-Z_]+)""", code))
    assert names_in_table(text_of("docs/settings.md", project), "name") == read


def test_the_rendered_readme_says_why_each_dependency_is_there(project):
    table = text_of("README.md", project).split("## Why each dependency")[1]
    explained = set(re.split(", ", ", ".join(re.findall(r"^\| ([a-z0-9, -]+) \|", table, re.MULTILINE)))) - {"package"}
    assert explained == dependencies_of(project)


def dependencies_of(project):
    return {re.match(r"[A-Za-z0-9-]+", dependency)[0] for dependency in declared_dependencies(project, ["dev", "e2e"])}


def is_there(folder, path):
    """Whether a path exists, or a bare file name in some folder."""
    return (folder / path).exists() or ("/" not in path and any(folder.rglob(path)))
