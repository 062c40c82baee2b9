"""The GitHub workflows, the template's and the rendered ones: what they run, and that nobody else can change it."""

import re

import pytest
import yaml

from bakery import PAIRS, TEMPLATE, name_of

ON_GITHUB = [answers for answers in PAIRS if answers["ci"] == "github"]


@pytest.fixture(params=[None, *ON_GITHUB], ids=lambda answers: name_of(answers) if answers else "template")
def repository(request, bake):
    """The folder of the template, or of a rendered project."""
    return bake(**request.param) if request.param else TEMPLATE


def workflows_of(repository):
    """The text of each workflow."""
    files = [path for path in sorted((repository / ".github" / "workflows").iterdir()) if path.suffix == ".yml"]
    assert files
    return [path.read_text(encoding="utf-8") for path in files]


def used_in(repository):
    """Every `uses:` of the workflows, with the comment behind it."""
    return {use.strip() for text in workflows_of(repository) for use in re.findall(r"\buses:(.*)", text)}


def commands_in(text):
    """The commands that a workflow runs."""
    jobs = yaml.safe_load(text)["jobs"].values()
    return [step["run"].strip() for job in jobs for step in job["steps"] if "run" in step]


def test_every_action_has_the_hash_of_a_commit_and_names_its_version(repository):
    """A tag can be moved to other code, a hash cannot. Dependabot replaces the hash and the version together."""
    pinned = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")
    assert [use for use in used_in(repository) if not pinned.fullmatch(use)] == []


def test_a_rendered_workflow_uses_the_versions_that_the_template_uses(repository):
    """Dependabot reads the template's workflows only. This test has the rendered one follow them."""
    assert used_in(repository) <= used_in(TEMPLATE)


def test_a_workflow_may_only_read_the_repository(repository):
    for workflow in map(yaml.safe_load, workflows_of(repository)):
        assert workflow["permissions"] == {"contents": "read"}
        assert [job for job in workflow["jobs"].values() if "permissions" in job] == []


def test_a_rendered_workflow_runs_every_check_that_the_makefile_has(bake):
    (text,) = workflows_of(bake(ci="github", docker=True))
    assert sorted(commands_in(text)) == sorted(["make image", "make setup", "make lint", "make check", "make test"])
