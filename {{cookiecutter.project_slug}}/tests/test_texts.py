"""Every text that people read is marked for translation, and comes in the language of the request.

What only operators read stays as it is: log, checks, commands.
"""

import ast
import re
import uuid
from html.parser import HTMLParser

import pytest
from django.conf import settings
from django.middleware.locale import LocaleMiddleware
from django.template import Engine
from django.template.base import TextNode
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation.trans_real import DjangoTranslation

from chat import page
from chat.conversations import ConversationList
from chat.models import Conversation, Turn
from claude.answers import REFUSALS, Answer
from claude.failures import TABLE, Failure
from tests import streams
from tests.asking import Browser
from tests.endpoints import PATHS
# % if cookiecutter.usage
from tests.spending import LedgerEntry, spend
# % endif
from tests.test_isolation import ROUTES, filled

BASE_DIR = settings.BASE_DIR
TEMPLATES = [*BASE_DIR.glob("*/templates/**/*.html"), *BASE_DIR.glob("templates/*.html")]
# A call, checks and settings have sentences for operators.
SOURCES = [
    path
    for path in BASE_DIR.glob("*/*.py")
    if path.parent.name not in ("tests", "e2e") and not path.stem.endswith(("call", "checks", "settings"))
]
# What takes a sentence that is marked, or one for operators or for Claude.
TAKE_SENTENCES = {"_", "gettext", "ngettext", "ngettext_lazy", "info", "warning", "error", "exception", "log"}
TAKE_SENTENCES |= {"BadRequest", "RequestDataTooBig", "ValueError"}
TAKE_SENTENCES |= {"build_request", "ask", "stream", "aask", "astream", "aask_many"}
# In the script: headers, keys, selectors.
NO_TEXTS = {"Content-Type", "Retry-After", "Enter", "Escape", "draft  "}
NO_TEXTS |= {"ul, ol", "tbody, code", "footer > :not(.usage)"}
SELECTOR = re.compile(r"[.#(]\S")
ATTRIBUTES = {"alt", "aria-label", "data-prompt", "placeholder", "title"}
STATUS = re.compile("data-(?!note)")  # what the script says, as data of the status

MARKED = re.compile("⟦[^⟦⟧]*⟧")
# What the admin shows besides: a turn by its key and state, and what is not ours.
IN_THE_ADMIN = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(, [a-z]+)?|Axes|Id|Search|True|False")


class Shown(HTMLParser):
    """The texts of a page: what stands between its tags, and each attribute that people read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts = [""]
        self._in_code = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._in_code = tag in ("code", "script", "style")
        status = ("id", "status") in attrs
        self.texts += [value or "" for name, value in attrs if name in ATTRIBUTES or (status and STATUS.match(name))]

    def handle_endtag(self, tag):
        self._in_code = False

    def handle_data(self, data):
        self.texts[0] += "" if self._in_code else data


def unmarked(texts):
    """Those of the texts that have words outside of brackets."""
    while (rest := [MARKED.sub("", text) for text in texts]) != texts:
        texts = rest
    return [" ".join(text.split()) for text in texts if re.search("[A-Za-z]", text)]


class LanguageOfView(LocaleMiddleware):
    """Only the view has the language of the request: what comes later must not depend on it."""

    def process_response(self, request, response):
        response = super().process_response(request, response)
        translation.deactivate()
        return response


@pytest.fixture
def hebrew(settings, monkeypatch, django_user_model) -> Browser:
    """A user who reads Hebrew. Here that is English from right to left, and what is marked stands in brackets."""

    def gettext(catalogue, text):
        return f"⟦{text}⟧" if catalogue.language() == "he" else text

    monkeypatch.setattr(DjangoTranslation, "gettext", gettext)
    monkeypatch.setattr(DjangoTranslation, "ngettext", lambda self, *texts: gettext(self, texts[texts[-1] != 1]))
    settings.LANGUAGES = [("en", "English"), ("he", "Hebrew")]
    settings.MIDDLEWARE = [f"{__name__}.LanguageOfView", *settings.MIDDLEWARE]
    settings.PROJECT_NAME = "1"
    browser = Browser()
    browser.browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "he"
    browser.sign_in(django_user_model.objects.create_superuser("2"))
    return browser


@pytest.fixture
def conversation(hebrew, play) -> Conversation:
    """With an answer of every kind. No word of it is ours."""
    ends = [streams.end(), streams.end("max_tokens"), streams.refusal(), [streams.error("overloaded_error")]]
    play(*([streams.start(), streams.text("3"), *end] for end in ends))
    for number, _ in enumerate(ends):
        path = f"/c/{Conversation.objects.get().pk}/" if number else "/"
        hebrew.post(path, {"prompt": f"4{number}"}, follow=True)
    return Conversation.objects.get()


# --- What is not marked is found ---


def test_no_template_has_a_text_that_is_not_marked():
    """In none of its branches."""
    engine = Engine(libraries=Engine.get_default().libraries)
    found = {}
    for path in TEMPLATES:
        nodes = engine.from_string(path.read_text(encoding="utf-8")).nodelist.get_nodes_by_type(TextNode)
        found[path] = unmarked(Shown("".join(node.s for node in nodes)).texts)
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_no_module_has_a_sentence_that_is_not_marked():
    found = {}
    for path in SOURCES:
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        fine = [node for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
        fine += [node for node in nodes if isinstance(node, ast.Call) and name_of(node.func) in TAKE_SENTENCES]
        seen = {id(part) for node in fine for part in ast.walk(node)}
        texts = [str(node.value) for node in nodes if isinstance(node, ast.Constant) and id(node) not in seen]
        found[path] = [text for text in texts if re.match("(#+ )?[A-Z][a-z]* ", text)]
    assert {path: texts for path, texts in found.items() if texts} == {}


def name_of(function):
    return getattr(function, "attr", getattr(function, "id", ""))


def test_the_script_has_no_text_of_its_own():
    script = (BASE_DIR / "chat/static/chat/chat.js").read_text(encoding="utf-8")
    code = re.sub(r"(?s)/\*.*?\*/|(?<![:\"])//[^\n]*|\$\{[^}]*\}", "", script)
    texts = {text[1:-1] for text in re.findall(r'"[^"\n]*"|`[^`]*`|\'[^\'\n]*\'', code)}
    words = {text for text in texts if re.search("[A-Z][a-z]|[a-z] | [a-z]", text) and not SELECTOR.match(text)}
    assert words <= NO_TEXTS


@pytest.mark.django_db
def test_every_page_is_in_the_language_of_the_request(hebrew, conversation, settings, monkeypatch):
    monkeypatch.setattr(page, "TURNS", 2)
    monkeypatch.setattr(ConversationList, "paginate_by", 1)
    settings.CHAT_HISTORY_TOKENS = 0
    settings.DEBUG = True  # for what the banner and the sign-in page say then
    settings.ACCOUNTS_SIGN_UP = True
    Conversation.objects.create(user_id=conversation.user_id, title="5")
# % if cookiecutter.usage
    spend(conversation.user, "1", model="8", is_estimated=True)
    spend(None, None, model="9")
# % endif
    own = f"/c/{conversation.pk}/"
    paths = [filled(route.replace("<slug:extension>", "md"), conversation) for route in ROUTES]
    earlier = f"{own}?before={conversation.turns.last().idempotency_key}"
    replies = {path: hebrew.get(path) for path in [*paths, own + "?edit", earlier, "/c/?page=2", "/c/?q=6"]}
    for path in (own, own + "rename/", "/accounts/sign-in/", "/accounts/delete/", "/chat/ask/"):
        replies["POST " + path] = hebrew.post(path)
    hebrew.post("/accounts/sign-out/")
    replies["signed out"] = hebrew.get("/accounts/sign-in/")
    replies["wrong password"] = hebrew.post("/accounts/sign-in/", {"username": "2", "password": "7"})
    assert {path: words for path, reply in replies.items() if (words := unmarked(texts_of(reply)))} == {}
    assert '<html lang="he" dir="rtl">' in replies["/"].text


@pytest.mark.django_db
def test_the_admin_is_in_the_language_of_the_request(hebrew, conversation):
    paths = ["", "accounts/user/", "accounts/user/add/"]
    paths += ["chat/conversation/", f"chat/conversation/{conversation.pk}/change/"]
# % if cookiecutter.usage
    spend(conversation.user, None)
    LedgerEntry.objects.update(model="8", outcome="9", purpose="")
    paths += [f"usage/{name}/" for name in ("ledgerentry", "userbudget", "groupbudget", "projectbudget")]
    paths += [f"usage/{name}/add/" for name in ("userbudget", "groupbudget", "projectbudget")]
# % endif
    for path in paths:
        texts = Shown(hebrew.get(f"/admin/{path}").text).texts
        assert unmarked([IN_THE_ADMIN.sub("", text) for text in texts]) == []


def texts_of(reply):
    kind = reply.headers.get("Content-Type", "")
    if "html" in kind:
        return Shown(reply.text).texts
    # A stop reason in an export is a code, and no code is translated.
    return [reply.json["error"] if "json" in kind else re.sub(r", (max_tokens|refusal)\)", ")", reply.text)]


@pytest.mark.django_db
def test_every_error_page_and_e_mail_is_in_the_language_of_the_request(hebrew):
    names = [path.name for path in BASE_DIR.glob("templates/[45]*.html")]
    with translation.override("he"):
        pages = {name: render_to_string(name) for name in [*names, "accounts/locked_out.html", "accounts/link.txt"]}
    assert {name: texts for name, html in pages.items() if (texts := unmarked(Shown(html).texts))} == {}


@pytest.mark.django_db
def test_every_failure_and_every_refusal_is_in_the_language_of_the_request(hebrew):
    with translation.override("he"):
        failures = [Failure(kind) for kind in TABLE]
        refusals = [Answer("", stop_reason="refusal", refusal_category=name).refusal for name in REFUSALS]
    assert unmarked([*(failure.sentence for failure in failures), *refusals]) == []


# --- Whenever it is sent ---


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_what_goes_wrong_is_told_in_the_language_of_the_request(hebrew, play, caplog, path):
    play("overloaded_error", [streams.start(), streams.text("3"), streams.error("overloaded_error")])
    at_once, midway = (hebrew.post(path, {"prompt": "4", "conversation": uuid.uuid4()}) for _ in range(2))
    assert at_once.json == {"error": "⟦AI service unavailable⟧", "status": 502}
    assert (midway.events[-1] if "stream" in path else midway.json) == at_once.json
    assert {turn.ending["error"] for turn in Turn.objects.all()} == {"⟦AI service unavailable⟧"}
    assert "⟦" not in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_a_refusal_is_told_in_the_language_of_the_request(hebrew, play, path):
    play([streams.start(), streams.text("3"), *streams.refusal("bio")])
    reply = hebrew.post(path, {"prompt": "4"})
    end = reply.events[-1] if "stream" in path else reply.json
    assert end["refusal"] == f"⟦{REFUSALS['bio']}⟧"
    assert (end["stop_reason"], end["refusal_category"]) == ("refusal", "bio")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_another_request_has_its_own_language(hebrew, user, path):
    for _ in range(2):
        assert hebrew.post(path).json["error"] == "⟦Please type a question first.⟧"
        assert user.post(path).json["error"] == "Please type a question first."
