"""Answers that nobody thought of, rendered by a project: the same in the end however they arrive, harmless, in time."""

import json
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from environments import find_python, variables_for

# Runs in the project. `shown` of its own tests looks at each state of the page: known elements only, and all closed.
RENDERER = """
    import json, sys, time
    import chat.rendering
    from chat.rendering import render
    from tests.test_live import shown

    chat.rendering.COLOURED = 200
    for line in sys.stdin:
        text, cuts = json.loads(line)
        start = time.process_time()
        whole = render(text)
        seconds = time.process_time() - start
        pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        print(json.dumps([whole, shown(pieces), shown(text), seconds]), flush=True)
"""
BEGINNINGS = [
    *[
        "",
        "- ",
        "* ",
        "1. ",
        "9) ",
        "  - ",
        "    - ",
        "    ",
        "\t",
        "> ",
        ">> ",
        "> - ",
        "- > ",
        "- # ",
        "# ",
        "### ",
        "##### ",
    ],
    *[
        "```",
        "```py\nx = 1 # y\n",
        "````",
        "~~~",
        "> ```",
        "- ```c\n",
        "  ```",
        "| a | b |\n|---|:-:|\n",
        "| 1 | `|` |",
        "|-|",
    ],
    *["a | b\n--|--\n", "===", "---", "[a]: https://x.example", "\\[", "$$", "<div>", "<!--"],
]
INLINES = [
    *"abc \t*_`~[]()<>!#-+|&;:$\\\"'=.0\r\0\x0b\x0c\x85\u2028\u202e\u2066\u200b\ufeff\ud83d\ude00é😀",
    *[
        "**x**",
        "~~x~~",
        "[a](https://x.example)",
        "![a](https://x.example)",
        "](",
        "<https://x.example>",
        "https://x.example/a_b",
    ],
    *[
        "[a][a]",
        "[^1]",
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "-->",
        "<br>",
        "&lt;",
        "&#0;",
        "&#x202e;",
    ],
    *["&amp;amp;", "$a_1$", "\\(", "\\)", "\\]", "\x1b[0m", "שלום"],
]
ENDS = ["\n"] * 6 + ["\n\n", "\r\n", "\r", " ", ""]
INLINE = some.lists(some.sampled_from(INLINES), max_size=4).map("".join)
LINE = some.tuples(some.sampled_from(BEGINNINGS), INLINE, some.sampled_from(ENDS)).map("".join)
TEXTS = some.lists(LINE, min_size=6, max_size=16).map("".join)
SLOWEST = 0.1  # seconds for 1,000 characters, and for less


@pytest.fixture(scope="module")
def render(bake, environment, tmp_path_factory):
    """render(text, cuts) gives the HTML of a text, of its pieces, of its characters one by one, and the CPU seconds."""
    project = bake(view_style="streaming")
    copy = Path(shutil.copytree(project, tmp_path_factory.mktemp("renderer") / project.name))
    interpreter = environment(project, find_python("oldest"))
    command = [interpreter / "bin/python", "-c", textwrap.dedent(RENDERER)]
    variables = variables_for(interpreter, PYTHONDONTWRITEBYTECODE="1")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=copy, env=variables, text=True, **pipes) as process:

        def ask(text, cuts):
            process.stdin.write(json.dumps([text, cuts]) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            assert line.startswith("["), line + process.communicate()[0]
            return json.loads(line)

        yield ask
        process.stdin.close()


@hypothesis_settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=TEXTS, places=some.lists(some.floats(0, 1), max_size=8))
@example(
    text="```py\n" + "x = 1\n" * 40 + "```\n\n- a\n\n  ```py\n  y = 2\n  ```\n- b\n\n```c\nint z;\n```\n", places=[0.5]
)
def test_an_answer_of_any_pieces_ends_as_if_it_had_come_at_once(render, text, places):
    cuts = sorted(int(place * len(text)) for place in places)
    whole, in_pieces, by_characters, seconds = render(text, cuts)
    note(repr((text, cuts)))
    assert in_pieces == whole
    assert by_characters == whole
    assert seconds < SLOWEST * max(1, len(text) / 1000)
