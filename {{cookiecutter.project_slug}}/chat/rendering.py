"""Turns an answer's Markdown into HTML: for live streams, the history, the page without JavaScript and the admin alike.

Nothing in an answer runs, loads, or sends anything until somebody follows a link. HTML in it is text, as is what we do
not support: reference links and their definitions, footnotes, mathematics. An image is a link to it. The library does
what CommonMark says, https://spec.commonmark.org/, with tables and strikethrough; nh3 is the last gate.

Each top-level block becomes exactly one element, whatever surrounds it, so that chat/live.py can render blocks as they
arrive. The time for any answer grows with its length and no faster: `NESTING`, `COLUMNS`, `ROWS` and `COLOURED` see
to that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any

import nh3
from django.utils.safestring import SafeString
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType

from chat.markdown import PARSER, Block, parse

# Lexers take more time than all else, and most of them far longer for some texts than for others: what goes beyond so
# much code in an answer, or is in a language not listed, has no colours.
COLOURED = 6_000  # characters
WORST = re.compile(r"[^\n]{300}|(\n\s{0,300}){4}")
LANGUAGES = {
    "bash", "c", "c++", "console", "cpp", "css", "dart", "diff", "docker", "dockerfile", "go", "graphql", "html", "ini",
    "javascript", "js", "json", "jsx", "kotlin", "lua", "make", "makefile", "nginx", "php", "powershell", "py", "pycon",
    "python", "r", "rb", "ruby", "rs", "rust", "scala", "scss", "sh", "shell", "sql", "swift", "toml", "ts", "typescript",
    "xml", "yaml", "yml", "zsh",
}  # fmt: skip
# What has a colour in chat/static/chat/answer.css.
COLOURS = {
    Comment: "comment",
    Keyword: "keyword",
    Operator.Word: "keyword",
    Name.Tag: "keyword",
    String: "string",
    Number: "number",
    Name.Function: "name",
    Name.Class: "name",
    Name.Attribute: "name",
    Name.Decorator: "name",
    Generic.Deleted: "deleted",
    Generic.Inserted: "inserted",
}

# Control characters, those that turn the direction of what follows, and halves of characters.
UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

TABLE = {"thead", "tbody", "tr", "th", "td"}
DIRECTED = {"p", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "table"}
GATE = nh3.Cleaner(
    tags=DIRECTED | {"a", "br", "code", "div", "em", "hr", "li", "pre", "s", "span", "strong", *TABLE},
    attributes={"*": set(), "a": {"href"}, "div": {"data-language"}, "ol": {"start"}},
    tag_attribute_values={
        **{tag: {"dir": {"auto"}} for tag in DIRECTED},
        "code": {"dir": {"ltr"}},
        "div": {"tabindex": {"0"}},
        "pre": {"dir": {"ltr"}, "tabindex": {"0"}},
    },
    allowed_classes={
        "div": {"code", "scroll"},
        "p": {"heading"},
        "span": set(COLOURS.values()),
        "td": {"center", "end"},
        "th": {"center", "end"},
    },
    set_tag_attribute_values={"a": {"target": "_blank"}},  # a click does not end the answer that is arriving
    link_rel="noopener noreferrer nofollow",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


@dataclass
class Before:
    """What a block must know of those before it."""

    headings: list[int] = field(default_factory=list)  # the levels of those that are open
    coloured: int = 0  # characters of code


def render(markdown: str) -> SafeString:
    """The HTML of a whole answer."""
    before = Before()
    return SafeString("".join(to_html(block, before) for block in parse(markdown)))


def to_html(block: Block, before: Before, plain_from: float = float("inf")) -> str:
    """The HTML of a block, which is then among those `before` others. Code from the line `plain_from` on has no colours yet."""
    if block[0].nesting:
        block[0].attrSet("dir", "auto")
    html = RENDERER.render(block, PARSER.options, {"before": before, "plain_from": plain_from})
    return clean(html)


def clean(html: str) -> str:
    return GATE.clean(UNSEEN.sub("\ufffd", html))


@cache
def colour_of(kind: _TokenType) -> str | None:
    return next((name for parent, name in COLOURS.items() if kind in parent), None)


def coloured(code: str, language: str) -> str:
    html = []
    for kind, text in get_lexer_by_name(language, stripnl=False, ensurenl=False).get_tokens(code):
        colour = colour_of(kind)
        html.append(f'<span class="{colour}">{escape(text)}</span>' if colour else escape(text))
    return "".join(html)


class Renderer(RendererHTML):
    """The elements that are not the library's own."""

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """The page has h1 and h2. No level is left out on the way down, and in a list or a quote there is none."""
        opening, closing = tokens[idx], tokens[idx + 2]
        if opening.level:
            opening.tag = closing.tag = "p"
            opening.attrSet("class", "heading")
        else:
            level, headings = int(opening.tag[1]), env["before"].headings
            headings[:] = [*(above for above in headings if above < level), level]
            opening.tag = closing.tag = f"h{min(2 + len(headings), 6)}"
        return self.renderToken(tokens, idx, options, env)

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A link without a text shows where it leads."""
        text = tokens[idx].attrGet("href") if tokens[idx + 1].type == "link_close" else ""
        return self.renderToken(tokens, idx, options, env) + escape(str(text))

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<code dir="ltr">{escape(tokens[idx].content)}</code>'

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """The page's script puts a button for copying into `div.code`, and its style shows the language."""
        token = tokens[idx]
        name = re.match(r"\s*([\w+#.-]{1,30})", token.info)
        language = name[1].lower() if name else ""
        label = f' data-language="{language}"' if language else ""
        is_open = token.map and token.map[0] >= env["plain_from"]
        size = env["before"].coloured + len(token.content)
        if is_open or language not in LANGUAGES or size > COLOURED or WORST.search(token.content):
            code = escape(token.content)
        else:
            code = coloured(token.content, language)
            env["before"].coloured = size
        return f'<div class="code"{label}><pre dir="ltr" tabindex="0"><code>{code}</code></pre></div>\n'

    code_block = fence

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="scroll" tabindex="0">' + self.renderToken(tokens, idx, options, env)

    def thead_close(self, *_: Any) -> str:
        return "</thead>\n<tbody>\n"  # also where no row follows

    def tbody_open(self, *_: Any) -> str:
        return ""

    tbody_close = tbody_open

    def table_close(self, *_: Any) -> str:
        return "</tbody>\n</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        side = {"text-align:center": ' class="center"', "text-align:right": ' class="end"'}
        return f"<{tokens[idx].tag}{side.get(str(tokens[idx].attrGet('style')), '')}>"

    td_open = th_open


RENDERER = Renderer()
