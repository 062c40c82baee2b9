"""The Markdown of answers as HTML: nothing in it runs or loads, and no text takes much longer than another."""

import json
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chat.rendering import COLOURED, render

HOSTILE = json.loads(Path(__file__).with_name("hostile_answers.json").read_text(encoding="utf-8"))
SAFE = {
    "a": {"href", "rel", "target"},
    "code": {"dir"},
    "div": {"class", "data-language", "tabindex"},
    "ol": {"dir", "start"},
    "p": {"class", "dir"},
    "pre": {"dir", "tabindex"},
    "span": {"class"},
    "td": {"class"},
    "th": {"class"},
    **{tag: {"dir"} for tag in ("blockquote", "h3", "h4", "h5", "h6", "table", "ul")},
    **{tag: set() for tag in ("br", "em", "hr", "li", "s", "strong", "tbody", "thead", "tr")},
}


class Reader(HTMLParser):
    """What a browser makes of HTML: its elements, its links and its text. It stops at whatever is not safe."""

    def __init__(self, html):
        super().__init__()
        self.open, self.links, self.text = [], [], ""
        self.elements = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = {name for name, _ in attrs}
        assert names <= SAFE[tag], (tag, attrs)
        self.elements.append(tag)
        if tag == "a":
            attributes = {"href": "https://nowhere", **dict(attrs)}
            assert attributes["href"].lower().startswith(("http://", "https://", "mailto:"))
            assert attributes["rel"] == "noopener noreferrer nofollow"
            assert "a" not in self.open
            self.links.append(attributes["href"])
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def text_of(markdown):
    return Reader(render(markdown)).text.strip()


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_in_a_hostile_answer_runs_or_loads(kind):
    for answer in HOSTILE[kind]:
        Reader(render(answer))
        Reader(render(f"- x\n\n  > {answer}\n\n| a |\n|---|\n| {answer} |"))


def test_html_is_shown_as_text():
    assert text_of("a <script>alert(1)</script> b") == "a <script>alert(1)</script> b"
    assert text_of("<div>\n**x**") == "<div>\nx"


def test_an_image_is_a_link_with_its_description():
    assert Reader(render("![a cat](https://x.example/c.png)")).links == ["https://x.example/c.png"]
    assert text_of("see ![a cat](https://x.example/c.png)!") == "see a cat!"
    assert text_of("![](https://x.example/c.png)") == "https://x.example/c.png"


def test_no_link_is_inside_another():
    assert Reader(render("[<https://x.example>](https://y.example)")).links == ["https://y.example"]
    both = ["https://x.example", "https://y.example"]
    assert Reader(render("[![x](https://x.example)](https://y.example)")).links == both


def test_a_table_has_an_end():
    wide = "|a" * 25 + "|\n" + "|-" * 25 + "|\n"
    assert Reader(render(wide)).elements.count("table") == 0
    assert Reader(render("|a" * 16 + "|\n" + "|-" * 16 + "|\n|b|\n")).elements[-1] == "p"
    assert Reader(render("|a|\n|-|\n" + "|b|\n" * 1200)).elements.count("td") == 1000


def test_what_does_not_lead_to_another_site_stays_text():
    for answer in ("[x](/sign-out/)", "[x](#a)", "[x](javascript:alert(1))", "[x](//x.example)"):
        assert text_of(answer) == answer


@pytest.mark.parametrize(
    ("answer", "link"),
    [
        ("see https://x.example/a_b_c.", "https://x.example/a_b_c"),
        ("(https://x.example/a)", "https://x.example/a"),
        ("(https://x.example/A_(b))", "https://x.example/A_(b)"),
        ("**https://x.example/a**", "https://x.example/a"),
        ("[1]: https://x.example/a", "https://x.example/a"),
        ("<me@x.example>", "mailto:me@x.example"),
    ],
)
def test_a_bare_address_is_a_link(answer, link):
    assert Reader(render(answer)).links == [link]


@pytest.mark.parametrize(
    "answer", ["$a_1 * b_2 * c$", r"\(x \\ y_1_\)", r"\[ \{a\} \]", "$$a*b*c$$", "text[^1]", "[a][b]"]
)
def test_mathematics_footnotes_and_references_stay_as_they_are(answer):
    assert text_of(answer) == answer


def test_prices_are_no_mathematics():
    assert Reader(render("**$5** or **$10**")).elements == ["p", "strong", "strong"]


def test_headings_begin_below_those_of_the_page_and_leave_out_no_level():
    assert Reader(render("### a\n##### b\n## c\n> # d")).elements == ["h3", "h4", "h3", "blockquote", "p"]


def test_code_names_its_language_and_has_colours_where_that_is_known():
    html = render('```Python title="x"\nx = 1 # c\n```')
    assert html.startswith('<div class="code" data-language="python"><pre dir="ltr" tabindex="0"><code>')
    assert '<span class="comment"># c</span>' in html
    assert "<span" not in render("```nonsense\nx = 1\n```")


def test_code_has_colours_up_to_a_length_in_one_answer():
    block = "```python\n" + "x = 1\n" * (COLOURED // 12 + 1) + "```\n"
    html = render(block * 3 + "```python\ny = 2\n```")
    assert ["<span" in code for code in html.split("<pre")[1:]] == [True, False, False, True]


def test_a_table_has_its_sides_by_classes():
    html = render("| a | b |\n|:-:|--:|\n| 1 |")
    assert '<td class="center">1</td>' in html
    assert '<th class="end">b</th>' in html


def test_each_block_takes_its_direction_from_its_own_text():
    assert render("שלום\n\n- a").count('dir="auto"') == 2


def test_characters_that_hide_or_turn_text_are_shown():
    assert text_of("a\x1bb\u202ec&#x202E;d\ud800") == "a\ufffdb\ufffdc\ufffdd\ufffd"


def test_nothing_is_left_out_where_lists_and_quotes_are_too_deep():
    assert "the end" in text_of(">" * 50 + " the end")
    assert "the end" in text_of("- " * 50 + "the end")
    assert "the end" in text_of("".join("  " * depth + "- a\n" for depth in range(30)) + "\nthe end")


def test_a_line_break_is_one():
    assert Reader(render("a\nb<br>c")).elements == ["p", "br", "br"]


SLOW = {
    "brackets": "[" * 4096,
    "images": "![" * 2048,
    "stars": "a*" * 2048,
    "quotes": ">" * 12 + "a\n" + "a\n" * 2000,
    "bullets": "+ a\n- a\n" * 512,
    "wide table": "|a" * 300 + "\n" + "|-" * 300 + "\n" + "|\n" * 1448,
    "tables": ("|a" * 23 + "|\n" + "|-" * 23 + "|\n" + "|\n" * 200) * 8,
    "lines of c": "```c\n" + "\n" * 4096,
    "comments of c": "```c\n" + "//" * 2048,
    "one line": "a" * 4096,
    "dollars": "$a" * 2048,
    "addresses": "http://" * 585,
    "deep lists": "- " * 2048,
    "10,000 cells": "|" + "a|" * 20 + "\n|" + "-|" * 20 + "\n" + ("|" + "b|" * 20 + "\n") * 500,
    "a long line": "word " * 100_000,
}


@pytest.mark.parametrize("kind", SLOW)
def test_no_text_takes_much_longer_than_another(kind):
    """Ordinary text takes about 2 ms for 1,000 characters, and the slowest of these was 100 times as slow once."""
    prose = ("Some **bold** words, `code` and [a link](https://x.example/).\n\n- one\n- two\n\n" * 80)[:4096]
    assert seconds(SLOW[kind]) / len(SLOW[kind]) < 50 * seconds(prose) / len(prose)


def seconds(markdown):
    start = time.process_time()
    render(markdown)
    return time.process_time() - start
