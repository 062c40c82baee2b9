"""However an answer travels and however it fails, the page says what happened and loses nothing."""

import json
import re

import pytest
from playwright.sync_api import expect

from browser import answer, ask, button, expect_complete, expect_failed, expect_unfinished
from wire import DONE, REFUSAL, REFUSED, RESTART, THINKING, event, respond


def test_a_stream_may_be_cut_anywhere_even_inside_a_character(page, wire):
    tricky = ': keepalive\r\n\r\ndata: {"delta":\r\ndata: "é🌍"}\r\n\r\n'.encode()
    ask(page)
    exchange = wire.take(page).start()
    for place in range(len(tricky)):
        mark = f" {place}:"
        exchange.send(event(delta=mark).encode() + tricky[:place])
        page.wait_for_function(
            "mark => document.querySelector('#transcript .answer').textContent.endsWith(mark)", arg=mark
        )
        exchange.send(tricky[place:])
    exchange.send(event(**DONE)).end()
    expect_complete(page, "".join(f" {place}:é🌍" for place in range(len(tricky))))


def test_markup_in_an_answer_stays_text(page):
    markup = "<img src=x onerror=alert(1)> & <b>bold</b>"
    respond(page, 200, event(delta=markup) + event(**DONE))
    ask(page, markup)
    expect_complete(page, markup)
    expect(page.locator(".question")).to_have_text(markup)
    expect(page.locator("#transcript img, #transcript b")).to_have_count(0)


def test_an_answer_can_be_copied(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    respond(page, 200, event(delta="one\n  two") + event(**DONE))
    ask(page)
    button(page, "Copy answer").click()
    expect(button(page, "Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "one\n  two"


@pytest.mark.parametrize(
    ("stop_reason", "sentence"),
    [
        ("max_tokens", "The answer reached its length limit."),
        (
            "model_context_window_exceeded",
            "The question, with all that came before it, is too long for the model: please shorten it.",
        ),
        ("pause_turn", "Claude paused before the end of its answer."),
        ("a_new_reason", "The answer ended early."),
        ("error", "The answer ended early."),
        (None, "The answer ended early."),
    ],
)
def test_an_answer_that_ended_early_says_so(page, stop_reason, sentence):
    respond(page, 200, event(delta="Half") + event(**{**DONE, "stop_reason": stop_reason}))
    ask(page)
    expect_unfinished(page, "Half", sentence)
    expect(page.get_by_text("12 tokens in, 40 out")).to_be_visible()
    expect(button(page, "Copy answer")).to_be_visible()
    button(page, "Edit question").click()
    expect(answer(page)).to_have_text("Half")


HALF = event(delta="Half")


@pytest.mark.parametrize(
    "refused",
    [
        event(**REFUSED),
        event(**THINKING) + HALF + event(**RESTART) + event(**REFUSED),
        HALF + event(**REFUSED),
        event(delta="") + event(**REFUSED),
        {"answer": "", **REFUSED},
    ],
)
def test_a_refusal_is_no_answer(page, refused):
    respond(page, 200, HALF)
    ask(page, "Important")
    expect_unfinished(page, "Half", "The answer was cut off.")
    respond(page, 200, refused)
    button(page, "Try again").click()
    expect_failed(page, REFUSAL)
    expect(page.locator("footer:visible button:visible")).to_have_text(["Edit question"])
    expect(page.get_by_text("12 tokens in, 40 out")).to_be_visible()
    button(page, "Edit question").click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_label("Your question")).to_have_value("Important")


def test_a_refusal_that_says_no_more_has_a_sentence(page):
    respond(page, 200, event(**DONE | {"stop_reason": "refusal"}))
    ask(page)
    expect_failed(page, "Claude declined to answer this question.")


def test_what_the_page_does_not_know_is_ignored(page):
    news = event(status="sleeping") + event(status=5) + event(news="none")
    respond(page, 200, news + event(delta="Whole") + news + event(**DONE))
    ask(page)
    expect_complete(page, "Whole")


@pytest.mark.parametrize("stream", ["", event(delta="Half")[:-1], event(delta="lf") + "data: {broken\n\n"])
def test_a_stream_without_an_end_was_cut_off(page, wire, stream):
    ask(page)
    wire.take(page).start().send(event(delta="Ha") + stream).end()
    expect_unfinished(page, "Half" if "broken" in stream else "Ha", "The answer was cut off.")


def test_a_connection_that_breaks_was_cut_off(page, wire):
    ask(page)
    exchange = wire.take(page).start(Content_Length=1000).send(event(delta="Half"))
    expect(answer(page)).to_have_text("Half")
    exchange.end()
    expect_unfinished(page, "Half", "The answer was cut off.")


def test_an_error_inside_a_stream_keeps_the_text(page):
    respond(page, 200, event(delta="Half") + event(error="AI service unavailable", status=502))
    ask(page)
    expect_unfinished(page, "Half", "AI service unavailable")
    respond(page, 200, event(delta="Whole") + event(**DONE))
    button(page, "Try again").click()
    expect_complete(page, "Whole")
    expect(page.locator(".question")).to_have_count(1)


def test_thinking_without_an_answer_is_a_failure(page):
    sentence = "Claude used its whole budget to think"
    respond(page, 200, event(**THINKING) + event(error=sentence, status=502))
    ask(page)
    expect_failed(page, sentence)
    expect(page.locator("footer:visible button:visible")).to_have_text(["Try again", "Edit question"])


def test_what_had_arrived_stays_until_something_better_comes(page, wire):
    ask(page, "Important")
    wire.take(page).start().send(event(delta="Half")).end()
    expect_unfinished(page, "Half", "The answer was cut off.")
    for status, sentence in [(409, "Please wait"), (503, "The server is restarting")]:
        button(page, "Try again").click()
        expect_unfinished(page, "Half", "Waiting for the answer…", said="Generating")
        body = json.dumps({"error": sentence, "status": status})
        wire.take(page).start(status, Content_Type="application/json").send(body).end()
        expect_unfinished(page, "Half", sentence)
    button(page, "Try again").click()
    better = wire.take(page).start()
    expect_unfinished(page, "Half", "Waiting for the answer…", said="Generating")
    better.send(event(**THINKING))
    expect_unfinished(page, "Half", "Claude is thinking…")
    better.send(event(delta="Wh"))
    expect(answer(page)).to_have_text("Wh")
    better.send(event(delta="ole") + event(**DONE)).end()
    expect_complete(page, "Whole")
    expect(page.locator(".question")).to_have_text(["Important"])


def test_an_answer_that_could_not_be_kept_is_asked_for_anew(page, wire):
    ask(page)
    first = wire.take(page)
    first.start(410, Content_Type="application/json").send('{"error": "Could not be kept", "status": 410}').end()
    expect_failed(page, "Could not be kept")
    button(page, "Try again").click()
    second = wire.take(page).start().send(event(delta=" \n") + event(**DONE))
    second.end()
    expect(page.get_by_role("status")).to_have_text("The answer was empty.")
    assert second.fields["idempotency_key"] != first.fields["idempotency_key"]


def test_a_failed_question_can_be_asked_again(page, wire):
    ask(page, "Important")
    first = wire.take(page)
    first.start(502, Content_Type="application/json").send('{"error": "AI service unavailable", "status": 502}').end()
    expect_failed(page, "AI service unavailable")
    button(page, "Try again").click()
    second = wire.take(page).start().send(event(delta="Whole") + event(**DONE))
    second.end()
    expect_complete(page, "Whole")
    expect(page.locator(".question")).to_have_text(["Important"])
    assert second.fields["prompt"] == "Important"
    assert second.fields["idempotency_key"] == first.fields["idempotency_key"]


def test_a_lost_answer_is_asked_for_under_the_same_id_so_that_it_is_paid_for_once(page, wire):
    ask(page)
    first = wire.take(page)
    first.start().send(event(delta="Half")).end()
    expect_unfinished(page, "Half", "The answer was cut off.")
    button(page, "Try again").click()
    second = wire.take(page)
    second.start(409, Content_Type="application/json").send('{"error": "Please wait", "status": 409}').end()
    expect_unfinished(page, "Half", "Please wait")
    button(page, "Try again").click()
    third = wire.take(page).start().send(event(delta="Whole") + event(**DONE))
    third.end()
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    assert first.fields["idempotency_key"] == second.fields["idempotency_key"] == third.fields["idempotency_key"]


def test_a_failed_question_can_be_edited_and_a_draft_is_kept(page):
    respond(page, 413, {"error": "Too long", "status": 413})
    ask(page, "Important")
    expect_failed(page, "Too long")
    expect(button(page, "Try again")).to_have_count(0)
    page.get_by_label("Your question").fill("A draft")
    button(page, "Edit question").click()
    expect(page.get_by_label("Your question")).to_have_value("Important\n\nA draft")
    expect(page.get_by_label("Your question")).to_be_focused()


def test_a_question_that_the_server_did_not_take_is_still_there_after_a_reload(page):
    respond(page, 413, {"error": "Too long", "status": 413})
    ask(page, "Important")
    expect_failed(page, "Too long")
    page.reload()
    expect(page.get_by_label("Your question")).to_have_value("Important")


@pytest.mark.parametrize("where", ["header", "stream"])
def test_try_again_waits_as_long_as_the_server_asks(page, where):
    page.clock.install()
    limited = {"error": "Too many requests", "status": 429}
    if where == "header":
        respond(page, 429, limited, headers={"Retry-After": "7"})
    else:
        respond(page, 200, event(**THINKING) + event(**limited, retry_after=6.5))
    ask(page)
    expect_failed(page, "Too many requests")
    expect(button(page, "Try again in 7 s")).to_be_disabled()
    page.clock.run_for(3000)
    expect(button(page, "Try again in 4 s")).to_be_disabled()
    page.clock.run_for(4000)
    expect(page.get_by_role("button", name="Try again", exact=True)).to_be_enabled()


@pytest.mark.parametrize(("status", "link"), [(401, "Sign in"), (403, "Reload the page"), (422, "Reload the page")])
def test_a_question_survives_a_new_session(page, status, link):
    respond(page, status, {"error": "Once more, please", "status": status})
    ask(page, "Important")
    expect_failed(page, "Once more, please")
    page.get_by_role("link", name=link).click()
    expect(page.locator(".turn")).to_have_count(0)
    expect(page.get_by_label("Your question")).to_have_value("Important")
    page.reload()
    expect(page.get_by_label("Your question")).to_have_value("Important")
    respond(page, 200, event(delta="Whole") + event(**DONE))
    page.get_by_label("Your question").press("Enter")
    expect_complete(page, "Whole")
    page.goto("/")
    expect(page.get_by_label("Your question")).to_have_value("")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (200, "The server could not answer. Please try again in a moment."),
        (502, "The server could not answer. Please try again in a moment."),
        (429, "Too many requests, please try again in a moment."),
        (413, "Your question is too long: please shorten it."),
    ],
)
def test_a_page_of_html_is_no_answer(page, status, sentence):
    respond(page, status, "<p>From a proxy</p>", content_type="text/html")
    ask(page)
    expect_failed(page, sentence)


def test_a_redirect_is_not_followed(page, wire):
    ask(page)
    wire.take(page).start(302, Location="/accounts/sign-in/").end()
    expect_failed(page, "The server could not be reached. Check your connection, then try again.")


def test_a_lost_network_is_said(page):
    page.context.set_offline(True)
    ask(page)
    expect_failed(page, "The server could not be reached. Check your connection, then try again.")
    page.context.set_offline(False)
    button(page, "Try again").click()
    expect_complete(page, re.compile(r"Why is the sky blue\?"))
