"""What the template and the rendered projects have GitHub do: workflows that are pinned, and updates by Dependabot."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bakery import PAIRS, TEMPLATE, name_of
from dockerfile import dockerfile_of, stages_of
from documents import make_targets_of, text_of

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
    text, _ = workflows_of(bake(ci="github", docker=True))
    assert sorted(commands_in(text)) == sorted(["make image", "make setup", "make lint", "make check", "make coverage"])


def test_only_the_evals_get_the_key_and_nothing_but_a_person_starts_them(bake):
    checks, evals = workflows_of(bake(ci="github"))
    assert "secrets." not in checks
    assert yaml.safe_load(evals)[True] == {"workflow_dispatch": None}  # YAML 1.1 reads the key `on` as true
    assert re.findall(r"secrets\.\w+", evals) == ["secrets.ANTHROPIC_API_KEY"]


def test_the_weekly_run_tests_the_newest_versions_and_every_other_run_the_locked_ones():
    """`.ci/run` hands its argument to make."""
    (workflow,) = map(yaml.safe_load, workflows_of(TEMPLATE))
    (run,) = [step for step in workflow["jobs"]["test"]["steps"] if ".ci/run" in step.get("run", "")]
    assert run["run"] == '.ci/run "$TARGET"'
    assert run["env"]["TARGET"] == "${{ github.event_name == 'schedule' && 'newest' || 'test' }}"
    assert {"newest", "test"} <= make_targets_of(text_of("Makefile"))
    # YAML 1.1 reads the key `on` as true.
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", workflow[True]["schedule"][0]["cron"])


def updates_of(repository):
    """{ecosystem: what Dependabot does for it}."""
    config = yaml.safe_load((repository / ".github" / "dependabot.yml").read_text(encoding="utf-8"))
    assert config.keys() == {"version", "updates"}
    updates = {update["package-ecosystem"]: update for update in config["updates"]}
    assert len(updates) == len(config["updates"])
    return updates


def test_dependabot_knows_every_place_that_names_a_version(repository):
    """.pre-commit-config.yaml is none: its hooks are local."""
    places = {
        "github-actions": repository / ".github" / "workflows",
        "pip": repository / "requirements.txt",
        "docker": repository / "deploy" / "Dockerfile",
    }
    wanted = {ecosystem for ecosystem, path in places.items() if path.exists()}
    assert updates_of(repository).keys() == wanted | ({"uv"} if "pip" not in wanted else set())
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in hooks["repos"]] == ["local"]


def test_dependabot_looks_where_the_versions_are(repository):
    needs = {"github-actions": ".github/workflows", "uv": "pyproject.toml", "pip": "requirements.txt"}
    for ecosystem, update in updates_of(repository).items():
        assert (repository / update["directory"].lstrip("/") / needs.get(ecosystem, "Dockerfile")).exists(), ecosystem


def test_dependabot_proposes_once_a_week_in_one_pull_request_what_is_a_week_old(repository):
    for update in updates_of(repository).values():
        assert update["schedule"] == {"interval": "weekly"}
        assert [group["patterns"] for group in update["groups"].values()] == [["*"]]
        assert update["cooldown"] == {"default-days": 7}


def test_dependabot_sees_every_image_that_a_dockerfile_names(repository):
    """It reads FROM, and no COPY --from: that may only name a stage."""
    if "docker" in updates_of(repository):
        stages = stages_of(dockerfile_of(repository))
        copied = {instruction.flags.get("from") for stage in stages for instruction in stage.instructions}
        assert copied - {None} <= {stage.name for stage in stages}


@pytest.mark.parametrize(
    ("schema", "files"), [("dependabot", "dependabot.yml"), ("github-workflows", "workflows/*.yml")]
)
def test_github_knows_every_key_and_value(bake, schema, files):
    """All files are checked at once: reading the schema takes longer than the rest."""
    repositories = [TEMPLATE, *(bake(**answers) for answers in ON_GITHUB)]
    found = [path for repository in repositories for path in (repository / ".github").glob(files)]
    assert len(found) >= len(repositories)
    check("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *found)


def test_zizmor_finds_nothing_unsafe(repository):
    check("zizmor", "--offline", "--quiet", "--no-progress", repository / ".github")


def check(program, *arguments):
    """Run a tool of these tests. What it finds fails the test."""
    command = [Path(sys.executable).parent / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
