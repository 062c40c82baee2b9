"""The cases in evals/*.yaml: what is asked, and what its answer must be. docs/evals.md describes them.

Only `manage.py evals` needs this module, and PyYAML, which is installed for development.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from django.conf import settings
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ImportString,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from claude import prompts
from claude.messages import build_request, json_schema


def known_to_the_api(schema: type[BaseModel]) -> type[BaseModel]:
    json_schema(schema)  # raises ValueError for what the API cannot be told
    return schema


Text = Annotated[str, Field(min_length=1)]
as_list = BeforeValidator(lambda value: [value] if isinstance(value, str) else value)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Turn(Part):
    role: Literal["user", "assistant"]
    content: Text


class Expectation(Part):
    contains: Annotated[list[Text], as_list] = []
    not_contains: Annotated[list[Text], as_list] = []
    matches: Annotated[list[re.Pattern[str]], as_list] = []
    model: Annotated[ImportString[type[BaseModel]], AfterValidator(known_to_the_api)] | None = Field(
        default=None, alias="schema"
    )
    judge: Text | None = None

    @model_validator(mode="after")
    def check_something_is_expected(self) -> Expectation:
        if not any(vars(self).values()):
            raise ValueError("expects nothing: give contains, not_contains, matches, schema or judge")
        return self


class Case(Part):
    name: Text
    prompt: Text
    system: Annotated[str, AfterValidator(prompts.read)] | None = None
    history: list[Turn] = []
    expect: Expectation
    _file: str = ""

    def __str__(self) -> str:
        return f"{self._file}: {self.name}"

    def request(self) -> dict[str, Any]:
        """What goes to Claude, as the project's own code asks it."""
        history = [turn.model_dump() for turn in self.history]
        return build_request(self.prompt, self.system, history=history, schema=self.expect.model)


class Broken(Exception):
    """What is wrong with the files: a line for each problem, with its file and its own line."""


class Loader(yaml.BaseLoader):
    """Makes lists, dictionaries and texts, and nothing else: `no`, `42` and a date are what they look like."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [name.value for name, _ in node.value]
        for number, (name, _) in enumerate(node.value):
            if name.value in names[:number]:  # the last one would win, and the other would not be checked
                raise yaml.MarkedYAMLError(problem=f"{name.value} stands there twice", problem_mark=name.start_mark)
        return super().construct_mapping(node, deep)


def read() -> list[Case]:
    """All cases, file by file. Raises `Broken`."""
    files = sorted(path for path in (settings.BASE_DIR / "evals").iterdir() if path.suffix in (".yaml", ".yml"))
    cases: list[Case] = []
    problems = [] if files else ["evals/: there is no case: write evals/system.yaml, as docs/evals.md says"]
    for path in files:
        try:
            cases += read_file(path)
        except Broken as error:
            problems.append(str(error))
    if problems:
        raise Broken("\n".join(problems))
    return cases


def read_file(path: Path) -> list[Case]:
    where = f"evals/{path.name}"
    node = None
    try:
        loader = Loader(path.read_bytes())
        node = loader.get_single_node()
        cases = TypeAdapter(list[Case]).validate_python(loader.construct_document(node) if node else None)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Broken(f"{where}:{mark.line + 1 if mark else 1}: this is no YAML: {problem}") from None
    except ValidationError as error:
        raise Broken(
            "\n".join(f"{where}:{line_of(node, each['loc'])}: {described(each)}" for each in error.errors())
        ) from None
    for number, case in enumerate(cases):
        if case.name in [other.name for other in cases[:number]]:
            raise Broken(f"{where}:{line_of(node, (number, 'name'))}: another case is called {case.name!r}: rename one")
        case._file = path.stem
    return cases


def line_of(node: yaml.Node | None, location: Sequence[int | str]) -> int:
    """Where a part of a file stands."""
    line = 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == step]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            found = [(node.value[step], node.value[step])]
        else:
            break
        if not found:
            break
        line, node = found[0][0].start_mark.line + 1, found[0][1]
    return line


def described(error: Any) -> str:
    """What is wrong with a part of a file, and what to do."""
    names = ".".join(str(step) for step in error["loc"] if not isinstance(step, int))
    if not error["loc"]:
        return "the file must be a list of cases, each of which begins with `- name:`"
    what = {"missing": "is missing", "extra_forbidden": "is no field of a case: docs/evals.md lists them"}
    return f"{names or 'the case'}: {what.get(error['type'], str(error.get('ctx', {}).get('error') or error['msg']))}"
