"""Every option earns its place: each answer changes what is rendered, each branch of the template goes both ways."""

import fnmatch
from collections import defaultdict

import pytest
from cookiecutter.environment import StrictEnvironment
from jinja2 import FileSystemLoader, nodes
from jinja2.visitor import NodeTransformer

from bakery import CONFIG, OPTIONS, PAIRS, PROJECT_SOURCE, TEMPLATE, VARIANTS, choices, files_of, rendering_context

FREE_TEXT = {
    "project_name": "Answers for Everyone",
    "project_slug": "answers",
    "domain_name": "answers.example.org",
}
UNUSUAL_TEXT = {"project_name": 'The "Answers" ' * 9}
ANOTHER_ANSWER = [
    *((option, choice) for option in OPTIONS for choice in choices(option)[1:]),
    *FREE_TEXT.items(),
]


def contents(project):
    """{relative path: text} of a project, its secret left out."""
    return {
        name: "\n".join(
            line
            for line in (project / name).read_text(encoding="utf-8").splitlines()
            if not line.startswith("SECRET_KEY=")
        )
        for name in files_of(project)
    }


def test_every_question_that_takes_text_has_another_answer_here():
    assert FREE_TEXT.keys() == {option for option in OPTIONS if not choices(option)}


@pytest.mark.parametrize(("option", "answer"), ANOTHER_ANSWER, ids=lambda value: str(value).replace(" ", "-"))
def test_another_answer_changes_the_project(bake, option, answer):
    assert contents(bake(**{option: answer})) != contents(bake())


def test_every_question_has_a_prompt_and_every_choice_a_label():
    prompts = CONFIG["__prompts__"]
    assert prompts.keys() == OPTIONS.keys()
    for option in OPTIONS:
        if isinstance(OPTIONS[option], list):
            assert list(prompts[option]) == ["__prompt__", *choices(option)]


def test_every_branch_of_the_template_is_taken_both_ways():
    """By the sets of answers that these tests render; what only one answer reaches cannot hide a mistake."""
    seen = defaultdict(set)
    environment = WatchedEnvironment(seen)
    for answers in [*VARIANTS, *PAIRS, FREE_TEXT, UNUSUAL_TEXT]:
        context = rendering_context(answers)
        for _, template in environment.sources():
            template.render(**context)
    one_way = {where: outcomes for where, outcomes in seen.items() if outcomes != {True, False}}
    assert seen
    assert one_way == {}


class WatchedEnvironment(StrictEnvironment):
    """Renders like Cookiecutter, and writes down which way every condition went."""

    def __init__(self, seen):
        self.seen = seen
        super().__init__(
            context={"cookiecutter": CONFIG},
            keep_trailing_newline=True,
            loader=FileSystemLoader([TEMPLATE, TEMPLATE / "templates"]),
            **CONFIG["_jinja2_env_vars"],
        )
        self.filters["watched"] = self.watch

    def watch(self, value, where):
        self.seen[where].add(bool(value))
        return value

    def _parse(self, source, name, filename):
        return Watcher(self.current or name).visit(super()._parse(source, name, filename))

    current = None

    def sources(self):
        """(name, template) of every file's text and every file's name, compiled once."""
        if not hasattr(self, "compiled"):
            self.compiled = list(self._compiled())
        return self.compiled

    def _compiled(self):
        for path in sorted(PROJECT_SOURCE.rglob("*")):
            name = path.relative_to(PROJECT_SOURCE).as_posix()
            if "__pycache__" in name:
                continue
            self.current = f"name of {name}"
            yield name, self.from_string(path.name)
            if path.is_file() and not copied(path.relative_to(PROJECT_SOURCE)):
                self.current = name
                yield name, self.from_string(path.read_text(encoding="utf-8"))
        for path in sorted((TEMPLATE / "hooks").glob("*.py")):
            self.current = path.name
            yield path.name, self.from_string(path.read_text(encoding="utf-8"))
        self.current = None


def copied(path):
    """Whether Cookiecutter copies the file as it is, by itself or with its folder."""
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents)]
    return any(fnmatch.fnmatch(name, pattern) for name in names for pattern in CONFIG["_copy_without_render"])


class Watcher(NodeTransformer):
    """Wraps the condition of every `if` in a filter that sees its value."""

    def __init__(self, name):
        self.name = name

    def visit_If(self, node):
        return self._watched(node)

    def visit_CondExpr(self, node):
        return self._watched(node)

    def _watched(self, node):
        where = nodes.Const(f"{self.name}:{node.test.lineno}")
        node.test = nodes.Filter(node.test, "watched", [where], [], None, None, lineno=node.test.lineno)
        return self.generic_visit(node)
