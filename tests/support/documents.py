"""Reads what the documents promise: commands, paths, questions."""

import re

from bakery import OPTIONS, TEMPLATE


def text_of(name, folder=TEMPLATE):
    """A document of the template, or of a rendered project."""
    return (folder / name).read_text(encoding="utf-8")


def commands_in(text):
    """Every line after a `$ ` in a console block, comments dropped, in their order."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).splitlines()
    return list(dict.fromkeys(re.sub(r"\s+# .*", "", line[2:]).strip() for line in lines if line.startswith("$ ")))


def files_in(text):
    """[(path, what belongs into it), …] of every block that stands below the path of a file."""
    return re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def make_targets_named_in(text):
    """The targets of every `make …` in code, inline or in a block."""
    code = re.findall(r"`([^`\n]+)`", text) + [line for line in text.splitlines() if line.startswith("$ ")]
    return {target for piece in code for target in re.findall(r"\bmake ([a-z][a-z0-9-]*)", piece)}


def make_targets_of(makefile):
    return set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))


def paths_named_in(text):
    """What stands in backticks and looks like a path of the project: a slash at its end, or a file type."""
    words = set(re.findall(r"`([^`\s]+)`", text))
    looks_like_a_path = re.compile(r"[\w.{}-]+(/[\w.{}-]+)*(/|\.(py|md|toml|yml|json|txt|conf|jinja|lock))")
    return {word for word in words if looks_like_a_path.fullmatch(word)}


def names_in_table(text, header):
    """Every name in backticks in the first column of the table with this first header."""
    table = re.search(rf"^\| {header} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table, f"no table of {header}"
    return {name for row in table[1].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def explained_questions():
    """{option: the rest of its row} from the README's table of questions."""
    rows = {}
    for line in text_of("README.md").splitlines():
        cells = line.strip("|").split("|")
        names = re.findall(r"`(\w+)`", cells[0])
        if line.startswith("|") and names and set(names) & OPTIONS.keys():
            rows.update(dict.fromkeys(names, " ".join(cells[1:])))
    return rows
