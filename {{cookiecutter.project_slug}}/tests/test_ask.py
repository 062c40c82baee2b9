"""One question, one answer as JSON; and the page that asks it."""

import re
import uuid

import pytest

from chat.models import Turn
from tests import streams
from tests.asking import Browser

pytestmark = pytest.mark.django_db

TOO_LONG = "The question, with all that came before it, is too long for the model: please shorten it."
HIDDEN = re.compile('name="(conversation|idempotency_key|replaces)" value="([^"]+)"')
PARTIAL = "The text above is not the whole answer."


def notes(turn):
    """What the page shows beside an answer."""
    found = re.findall(r'data-note="\w+"\s*(hidden)?>([^<]*)<', turn)
    return [" ".join(text.split()) for hidden, text in found if not hidden]


def test_an_answer_comes_with_why_it_ended_and_what_it_took(user):
    reply = user.post("/chat/ask/", {"prompt": "Why is the sky blue?"})
    assert reply.status == 200
    assert "Why is the sky blue?" in reply.json["answer"]
    assert reply.json["stop_reason"] == "end_turn"
    assert reply.json["usage"]["input_tokens"] > 0
    assert reply.json["usage"]["output_tokens"] > 0


def test_the_page_gets_the_answer_as_html_too(user, play):
    play(streams.whole(streams.text("It **is**.")))
    reply = user.post("/chat/ask/", {"prompt": "Sure?", "format": "html"})
    assert reply.json["answer"] == "It **is**."
    assert reply.json["html"] == '<p dir="auto">It <strong>is</strong>.</p>\n'


def test_a_question_that_claude_declines_has_no_answer_and_says_why(user, play):
    play([streams.start(), streams.text("First,"), *streams.refusal("cyber")])
    reply = user.post("/chat/ask/", {"prompt": "Why?"})
    assert (reply.status, reply.json["answer"], reply.json["stop_reason"]) == (200, "", "refusal")
    assert reply.json["refusal_category"] == "cyber"
    assert "attacking computers" in reply.json["refusal"]
    assert "Words of the API" not in reply.text


def test_the_system_prompt_is_marked_for_the_cache(user, wire, settings):
    user.post("/chat/ask/", {"prompt": "Hello"})
    assert wire[0]["body"]["system"] == [
        {"type": "text", "text": settings.CLAUDE_SYSTEM_PROMPT, "cache_control": {"type": "ephemeral"}}
    ]


def test_an_empty_system_prompt_is_left_out(user, wire, settings):
    settings.CLAUDE_SYSTEM_PROMPT = ""
    user.post("/chat/ask/", {"prompt": "Hello"})
    assert "system" not in wire[0]["body"]


def test_the_model_and_the_longest_answer_come_from_the_settings_whatever_the_user_sends(user, wire, settings):
    settings.ANTHROPIC_MODEL, settings.CLAUDE_MAX_TOKENS = "claude-test-model", 1234
    user.post("/chat/ask/", {"prompt": "Hi", "model": "other", "max_tokens": 9, "system": "Obey", "role": "system"})
    assert wire[0]["body"]["model"] == "claude-test-model"
    assert wire[0]["body"]["max_tokens"] == 1234
    assert wire[0]["body"]["messages"] == [{"role": "user", "content": "Hi"}]
    assert "Obey" not in str(wire[0]["body"])


def test_an_answer_at_its_longest_says_so(user, settings):
    settings.CLAUDE_MAX_TOKENS = 3
    assert user.post("/chat/ask/", {"prompt": "Hello"}).json["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("prompt", ["", "   \r\n\t "])
def test_an_empty_question_is_refused(user, wire, prompt):
    reply = user.post("/chat/ask/", {"prompt": prompt})
    assert (reply.status, reply.json) == (400, {"error": "Please type a question first.", "status": 400})
    assert wire == []


def test_a_question_may_be_as_long_as_the_limit_and_no_longer(user, settings):
    settings.CHAT_MAX_PROMPT_CHARS = 10
    assert user.post("/chat/ask/", {"prompt": "12345\r\n789"}).status == 200
    reply = user.post("/chat/ask/", {"prompt": "12345678901"})
    assert reply.status == 413
    assert reply.json["error"] == "Your question has 11 characters and 10 fit: please shorten it."


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("prompt=" + 2000 * "x", "application/x-www-form-urlencoded", 413),
        ("prompt=x", "application/x-www-form-urlencoded; charset=utf-7", 400),
        ("--b", "multipart/form-data; boundary=b; charset=utf-7", 400),
        ("prompt", "multipart/form-data", 400),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_to_a_person_with_a_page(settings, body, content_type, status):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024
    browser = Browser(enforce_csrf_checks=True)
    browser.get("/accounts/sign-in/")  # for the CSRF cookie: with it, the check reads the form
    reply = browser.post("/", body, content_type=content_type, headers={"Accept": "text/html"})
    assert reply.status == status
    assert "Request not understood" in reply.text


def test_a_body_that_is_too_large_is_refused_as_json(user, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    reply = user.post("/chat/ask/", "prompt=" + "x" * 200, content_type="application/x-www-form-urlencoded")
    assert (reply.status, reply.json["status"]) == (413, 413)


def test_a_visitor_is_told_to_sign_in_and_is_not_redirected(anonymous, wire):
    reply = anonymous.post("/chat/ask/", {"prompt": "Hello"})
    assert (reply.status, reply.json["error"]) == (401, "Please sign in again, then ask once more.")
    assert wire == []


def test_only_a_post_is_answered(user):
    reply = user.get("/chat/ask/")
    assert (reply.status, reply.headers["Allow"], reply.json["status"]) == (405, "POST", 405)


def test_a_request_from_another_site_is_refused_as_json(django_user_model, wire):
    other_site = Browser(enforce_csrf_checks=True)
    other_site.sign_in(django_user_model.objects.create_user("other_site"))
    reply = other_site.post("/chat/ask/", {"prompt": "Hello"})
    assert (reply.status, reply.json["status"]) == (403, 403)
    assert wire == []


def test_a_browser_keeps_no_copy_of_the_page_for_whoever_comes_next(user):
    assert "no-store" in user.get("/").headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/chat/ask/", "/"])
@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "unicode_escape"])
def test_a_form_in_another_encoding_is_refused(user, wire, path, charset):
    form = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n+2AA-\r\n--b--\r\n'
    reply = user.post(path, form, content_type=f"multipart/form-data; boundary=b; charset={charset}")
    assert reply.status == 400
    assert wire == []


def test_the_page_offers_a_form_that_works_without_a_script(user):
    assert 'name="prompt"' in user.get("/").text
    reply = user.post("/", {"prompt": "Why is grass green?"}, follow=True)
    assert reply.status == 200
    assert "You asked, in 4 words" in reply.text


def test_without_a_script_too_a_failure_is_one_sentence_and_the_question_is_kept(user):
    reply = user.post("/", {"prompt": "fail overloaded_error"})
    assert reply.status == 502
    assert "AI service unavailable" in reply.text
    assert "fail overloaded_error</textarea>" in reply.text


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("play thinking", None),
        ("play max_tokens", "The answer reached its length limit."),
        ("play model_context_window_exceeded", TOO_LONG),
        ("play pause_turn", "Claude paused before the end of its answer."),
        ("play unknown_stop_reason", "The answer ended early."),
    ],
)
def test_without_a_script_too_an_answer_says_how_it_ended(user, prompt, sentence):
    turn, _, form = user.post("/", {"prompt": prompt}, follow=True).text.partition("<template")
    assert "This is the offline stand-in" in turn
    assert notes(turn) == ([sentence, PARTIAL] if sentence else [])
    assert (f"{prompt}</textarea>" in form) == (sentence == TOO_LONG)


def test_without_a_script_too_a_refusal_is_no_answer(user):
    reply = user.post("/", {"prompt": "play late_refusal cyber"}, follow=True)
    turn, _, form = reply.text.partition("<template")
    assert reply.status == 200
    assert "This is the offline stand-in" not in turn
    (note,) = notes(turn)
    assert note.startswith("Claude declined: this question looks as if it were about attacking computers.")
    assert "play late_refusal cyber</textarea>" in form
    assert "attacking" not in form


def test_without_a_script_too_a_question_that_is_sent_twice_is_asked_once(user, wire):
    question = {"prompt": "Why is grass green?", **dict(HIDDEN.findall(user.get("/").text))}
    for _ in range(2):
        reply = user.post("/", question, follow=True)
        assert reply.text.count('<p dir="auto">You asked, in 4 words') == 1
    assert len(wire) == 1
    after = dict(HIDDEN.findall(reply.text))
    assert after["conversation"] == question["conversation"]
    assert after["idempotency_key"] != question["idempotency_key"]


def test_a_form_keeps_its_key_while_its_question_is_being_answered(user, wire):
    question = {"prompt": "Why is grass green?", "idempotency_key": str(uuid.uuid4())}
    user.post("/", question)
    Turn.objects.update(state=Turn.State.ASKED, content=None, ending=None)
    reply = user.post("/", question)
    assert reply.status == 409
    assert "being answered already" in reply.text
    assert f'name="idempotency_key" value="{question["idempotency_key"]}"' in reply.text
    assert len(wire) == 1


def test_the_page_says_that_the_answers_are_not_real(user, settings):
    assert "offline" in user.get("/").text.lower()
    settings.CLAUDE_OFFLINE = False
    assert "offline" not in user.get("/").text.lower()


def test_what_comes_back_is_text_and_never_markup(user):
    reply = user.post("/", {"prompt": "<script>alert(1)</script>"}, follow=True)
    assert "<script>alert(1)</script>" not in reply.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in reply.text
