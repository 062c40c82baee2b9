"""Answers in which some language of the project sees a meaning: each file stays well-formed, and says what was typed.

And what Cookiecutter itself does with an answer that is none of the choices.
"""

import ast
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from cookiecutter.environment import StrictEnvironment
from jinja2 import FileSystemLoader

from bakery import CONFIG, PAIRS, PROJECT_SOURCE, TEMPLATE, name_of, rendering_context

NAME = 'Claude\'s "naïve" café \\\nin 日本語: “quoted” 🚀'
NASTY = {
    "quotes of both kinds": 'She said "it\'s ""fine"" \'\'\'here\'\'\'"""',
    "single quotes": "it's 'fine'",
    "double quotes": 'it is "fine"',
    "backslashes": "C:\\new\\table\\u0041\\",
    "lines": "one\n\n  two\n\tthree # four",
    "YAML": "- [a]: {b} & *c !d | > % @ `e` # f",
    "a word that YAML takes for a value": "no",
    "a number": "0x10",
    "markup": "</title><script>alert('&amp;')</script>",
    "shell": "$HOME ${PATH} $(id) `id` %(asctime)s %d $$ ; exit",
    "interpolation": "{0} {name} {%} {} {#",
    "scripts": "e\u0301 ß İ \u05e9\u05dc\u05d5\u05dd \u200f \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001d54f",
    "spaces around": "  padded  ",
}
PARSERS = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yml": yaml.safe_load,
    ".yaml": yaml.safe_load,
    ".json": json.loads,
}


def as_given(text):
    """As an answer must be written for Cookiecutter, which takes what stands on a command line for a template."""
    return "{{ " + json.dumps(text, ensure_ascii=False) + " }}"


def check(project, plain, name):
    """Every file of a project is well-formed, and those that say its name say it as typed.

    `plain` is the same project with another name. Code that differs is tidy; test_variants.py sees to the rest.
    """
    for path in project.rglob("*"):
        if path.suffix in PARSERS:
            try:
                PARSERS[path.suffix](path.read_text(encoding="utf-8"))
            except Exception as error:
                error.add_note(str(path.relative_to(project)))
                raise
    assert assigned(project / "config" / "settings.py")["PROJECT_NAME"] == name
    assert (project / "README.md").read_text(encoding="utf-8").startswith(f"# {' '.join(name.split())}\n")
    declared = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8")).get("project")
    assert bool(declared) != (project / "requirements.txt").exists()
    modules = {path.relative_to(project) for path in project.rglob("*.py")}
    lint(project, *(name for name in modules if (project / name).read_bytes() != (plain / name).read_bytes()))


def lint(folder, *files):
    """By the rules of the project in this folder."""
    for command in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [Path(sys.executable).parent / "ruff", *command, "--no-cache", *files],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def assigned(module):
    """{name: value} of the plain strings that a module assigns."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }


@pytest.mark.parametrize("answers", PAIRS, ids=name_of)
def test_every_variant_says_it_as_typed(bake, answers):
    """The name is the one text, and few files say it: every two answers meet, and need not all meet."""
    check(bake(**answers, project_slug="my_claude_app", project_name=NAME), bake(**answers), NAME)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_every_text_arrives_as_typed(bake, text):
    check(bake(project_slug="my_claude_app", project_name=as_given(text)), bake(), text)


def test_settings_need_no_formatter_whatever_the_length(bake, tmp_path):
    """A formatter folds an assignment at some length, which it measures in columns."""
    environment = StrictEnvironment(
        context={},
        loader=FileSystemLoader([PROJECT_SOURCE, TEMPLATE / "templates"]),
        keep_trailing_newline=True,
        **CONFIG["_jinja2_env_vars"],
    )
    template = environment.get_template("config/settings.py")
    shutil.copy(bake() / "pyproject.toml", tmp_path)
    for columns, character in enumerate(["é", "日"], start=1):
        for length in [*range(80, 120), 300]:
            text = character * (length // columns) + "'x"[length % columns :]
            context = rendering_context({"project_name": text})
            path = tmp_path / f"{columns}_{length}.py"
            path.write_text(template.render(**context), encoding="utf-8")
            assert assigned(path)["PROJECT_NAME"] == text
    lint(tmp_path, ".")


@pytest.mark.parametrize(
    ("answer", "last_words"),
    [
        ("view_style=websocket", "websocket provided for choice variable view_style, but the choices are"),
        ("nginx=maybe", "maybe provided for variable nginx could not be converted to a boolean"),
    ],
)
def test_an_answer_that_is_no_choice_writes_nothing(tmp_path, answer, last_words):
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", TEMPLATE, "--no-input", answer],
        cwd=tmp_path / "work", env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert last_words in done.stderr.splitlines()[-1]
    assert list((tmp_path / "work").iterdir()) == []
