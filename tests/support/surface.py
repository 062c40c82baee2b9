"""What the owner of a rendered project meets by name: options, settings, endpoints and migrations.

`tests/rendering/surface.yml` has those of the last release, so that a test can hold the changelog against what has
changed since. `make release` writes it.
"""

import ast
import hashlib
import json
import re

import yaml

from bakery import TEMPLATE

SNAPSHOT = "tests/rendering/surface.yml"
READERS = {"config", "choice"}
ROOT_URLS = {"chat", "config"}


def surface(template=TEMPLATE):
    """{kind and name: what it is}, read from the files before they are rendered."""
    project = template / "{{cookiecutter.project_slug}}"
    sources = [path for folder in (project, template / "templates") for path in sorted(folder.rglob("*.py*"))]
    answers = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))
    found = {f"option {name}": str(value) for name, value in answers.items() if not name.startswith("_")}
    for path in sources:
        app = path.parent.name
        for function, name, rest in calls_in(path.read_text(encoding="utf-8")):
            if function in READERS and name.isupper():
                found[f"setting {name}"] = rest
            elif function == "path" and "urls.py" in path.name and not rest.startswith("include("):
                found[f"endpoint /{'' if app in ROOT_URLS else f'{app}/'}{name}"] = rest
        if path.parent.name == "migrations" and (name := re.search(r"\d{4}_\w+", path.name)):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            found[f"migration {path.parent.parent.name}/{name[0]}"] = digest
    return dict(sorted(found.items()))


def calls_in(text):
    """(function, first argument, the others) of each call with a text as its first argument, where a file is Python."""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # `"""{{ … }}"""` and the like: none of them reads settings
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            first, *others = node.args
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                named = [f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in node.keywords]
                yield node.func.id, first.value, ", ".join([*map(ast.unparse, others), *named])


def released(template=TEMPLATE):
    return yaml.safe_load((template / SNAPSHOT).read_text(encoding="utf-8"))


def write(template=TEMPLATE):
    """Write down what there is, as `make release` does."""
    text = yaml.safe_dump(surface(template), width=1000, allow_unicode=True)
    (template / SNAPSHOT).write_text(
        f"# What the last release had by these names; `make release` writes it.\n{text}", encoding="utf-8"
    )


def changed(before, now):
    """What is new, gone or different, by kind and name."""
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
