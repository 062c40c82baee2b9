"""The Markdown of an answer: CommonMark with tables and strikethrough, and what is different here.

HTML is text, and so are footnotes, reference links and their definitions, and mathematics. A line break is one. An
image is a link to it, and a bare URL is a link. https://spec.commonmark.org/

The time for any text grows with its length and no faster: `NESTING`, `COLUMNS`, `ROWS` and the limits in the patterns
see to that.
"""

import re
from collections.abc import Callable

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, blockquote, list_block, table
from markdown_it.rules_inline import StateInline, autolink, link
from markdown_it.token import Token

Block = list[Token]  # one top-level block, from its first token to its last

NESTING = 8  # levels of lists and quotes; a list takes two
COLUMNS = 24
ROWS = 1000

BARE_URL = re.compile(r"\bhttps?://[^\s<>`|\"\\^{}\[\]*]{1,2000}", re.IGNORECASE)
LINE_BREAK = re.compile(r"<br\s{0,9}/?>", re.IGNORECASE)
MATHEMATICS = re.compile(
    r"\\\(.{1,500}?\\\) | \\\[.{1,500}?\\\] | \$\$.{1,500}?\$\$ | \$(?!\s)[^$\n]{1,200}(?<!\s)\$(?!\d)",
    re.DOTALL | re.VERBOSE,
)


class Parser(MarkdownIt):
    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False, "breaks": True})
        self.disable(["html_block", "html_inline", "reference"]).enable(["table", "strikethrough"])
        block, inline = self.block.ruler, self.inline.ruler
        block.at("table", narrow_table, {"alt": ["paragraph", "reference"]})
        block.at("blockquote", shallow(blockquote), {"alt": ["paragraph", "reference", "blockquote", "list"]})
        block.at("list", shallow(list_block), {"alt": ["paragraph", "reference", "blockquote"]})
        inline.at("autolink", lambda state, silent: not state.linkLevel and autolink(state, silent))
        inline.at("image", image)
        inline.before("escape", "mathematics", mathematics)
        inline.before("autolink", "line_break", line_break)
        inline.before("newline", "bare_url", bare_url)

    def validateLink(self, url: str) -> bool:
        """What leads anywhere else, on this site too, stays text."""
        return url.lower().startswith(("http://", "https://", "mailto:"))


def parse(markdown: str, rows: int = 0) -> list[Block]:
    """The top-level blocks. `rows` is how many rows of the table at the very beginning have gone before."""
    blocks: list[Block] = []
    start = 0
    tokens = PARSER.parse(markdown, {"rows": rows})
    for end, token in enumerate(tokens, 1):
        token.hidden = False  # a list is as wide with empty lines between its items as without
        if token.level == 0 and token.nesting != 1:
            blocks.append(tokens[start:end])
            start = end
    return blocks


BlockRule = Callable[[StateBlock, int, int, bool], bool]


def shallow(rule: BlockRule) -> BlockRule:
    """The marks of a deeper list or quote are text: the library would leave out what is too deep for it."""
    return lambda state, start, end, silent: state.level < NESTING and rule(state, start, end, silent)


def narrow_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A table with a limit of columns and rows; a row has at least a quarter of its cells. The rest is text.

    Without that, two characters make a row of as many cells as the table has columns.
    """

    def bars(line: int) -> int:
        return state.src.count("|", state.bMarks[line], state.eMarks[line])

    if start + 2 > end or bars(start + 1) > COLUMNS or not table(state, start, end, True):
        return False
    rows = ROWS - (state.env["rows"] if start == 0 else 0)
    end = min(end, start + 2 + rows)
    if silent:
        return True
    end = next((line for line in range(start + 2, end) if bars(line) < bars(start + 1) // 4), end)
    return table(state, start, end, False)


def image(state: StateInline, silent: bool) -> bool:
    """A link: an image would tell whoever owns the address that it was read, and what the answer put there."""
    if not state.src.startswith("![", state.pos):
        return False
    state.pos += 1
    if silent or link(state, silent):  # what only looks ahead finds the link next, and that a link cannot be in a link
        return True
    state.pos -= 1
    return False


def bare_url(state: StateInline, silent: bool) -> bool:
    if state.linkLevel or not state.src.startswith("://", state.pos):
        return False
    for scheme in (4, 5):
        if state.pos >= scheme and (found := BARE_URL.match(state.src, state.pos - scheme)):
            break
    else:
        return False
    url = found[0].rstrip("?!.,:;_~'")
    while url.endswith(")") and url.count("(") < url.count(")"):
        url = url[:-1]
    href = state.md.normalizeLink(url)
    if not silent:
        state.pending = state.pending[:-scheme]
        state.push("link_open", "a", 1).attrs = {"href": href}
        state.push("text", "", 0).content = url
        state.push("link_close", "a", -1)
    state.pos += len(url) - scheme
    return True


def line_break(state: StateInline, silent: bool) -> bool:
    """The only way to break a line in the cell of a table."""
    found = LINE_BREAK.match(state.src, state.pos)
    if found and not silent:
        state.push("hardbreak", "br", 0)
    state.pos = found.end() if found else state.pos
    return bool(found)


def mathematics(state: StateInline, silent: bool) -> bool:
    """As it was written: `_`, `*` and `\\` mean something else there."""
    found = MATHEMATICS.match(state.src, state.pos)
    if found and not silent:
        state.pending += found[0]
    state.pos = found.end() if found else state.pos
    return bool(found)


PARSER = Parser()
