"""Asking, watching the answer arrive, and stopping it."""

import re
import uuid

import pytest
from playwright.sync_api import expect

from browser import answer, ask, button, expect_complete, expect_failed, expect_unfinished, heard, listen
from page_site import PASSWORD
from wire import DONE, RESTART, THINKING, event, respond

LONG_QUESTION = "Please **repeat** all of this, word by word. " * 30


def test_a_user_signs_in_and_out(visit):
    page = visit(is_signed_in=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.get_by_label("Username").fill("another")
    page.get_by_label("Password").fill(PASSWORD)
    button(page, "Sign in").click()
    expect(page.get_by_label("Your question")).to_be_visible()
    expect(page.get_by_role("banner")).to_contain_text("another")
    button(page, "Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_wrong_password_is_said(visit):
    page = visit("/accounts/sign-in/", is_signed_in=False)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    button(page, "Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    expect(page.get_by_label("Username")).to_have_value("nobody")


@pytest.mark.parametrize("view_style", ["streaming", "async"])
def test_the_answer_grows_while_it_can_still_be_stopped(visit, view_style):
    page = visit(view_style=view_style)
    listen(page)
    page.evaluate("""() => {
        window.seen = [];
        const look = () => {
            const answer = document.querySelector("#transcript .answer");
            const stop = document.querySelector(".send").innerText.trim() === "Stop";
            if (answer) seen.push([answer.textContent.length, stop]);
        };
        new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    }""")
    ask(page)
    expect_complete(page, re.compile(r"Why is the sky blue\?"))
    expect(page.get_by_text(re.compile(r"^\s*\d+ tokens in, \d+ out\s*$"))).to_be_visible()
    expect(page.get_by_label("Your question")).to_have_value("")
    expect(page.get_by_label("Your question")).to_be_focused()
    sizes = [size for size, stop in page.evaluate("seen") if stop]
    assert sizes[0] < sizes[-1] / 10
    assert len(set(sizes)) > 5, "the answer came in one piece"
    assert heard(page) == ["Generating", "Answer complete"]


def test_an_answer_in_one_piece_is_shown_too(visit):
    page = visit(view_style="sync")
    ask(page)
    expect_complete(page, re.compile(r"Why is the sky blue\?"))
    expect(page.get_by_text(re.compile(r"^\s*\d+ tokens in, \d+ out\s*$"))).to_be_visible()


def test_an_answer_says_what_it_cost(page):
    costs = {
        ("0.0045", False): "$0.0045",
        ("0.00002749", True): "about $0.000027",
        ("0.1", False): "$0.10",
        ("1234.5", False): "$1234.50",
        ("0", False): "$0.00",
        (None, False): "cost unknown",
    }
    for (usd, is_estimated), words in costs.items():
        cost = {"usd": usd, "is_estimated": is_estimated}
        respond(page, 200, event(delta="Yes.") + event(**DONE, cost=cost))
        ask(page)
        expect_complete(page, "Yes.")
        expect(page.locator(".turn .usage").last).to_have_text(f"12 tokens in, 40 out · {words}")


def test_without_javascript_the_form_answers(visit):
    page = visit(java_script_enabled=False)
    page.get_by_label("Your question").fill("Is <b>this</b> text?")
    button(page, "Send").click()
    expect(page.locator(".question")).to_have_text("Is <b>this</b> text?")
    expect(answer(page)).to_contain_text("Is <b>this</b> text?")
    expect(page.get_by_label("Your question")).to_have_value("")
    expect(page.locator(".note:visible, footer button:visible")).to_have_count(0)


def test_without_javascript_a_refused_question_is_not_lost(visit):
    page = visit(java_script_enabled=False)
    page.get_by_label("Your question").fill("long " * 5000)
    button(page, "Send").click()
    expect(page.locator(".failure:visible")).to_contain_text("shorten it")
    assert page.get_by_label("Your question").input_value() == "long " * 5000


def test_earlier_questions_stay_on_the_page(page, wire):
    for number in "12":
        ask(page, f"Question {number}")
        wire.take(page).start().send(event(delta=f"Answer {number}") + event(**DONE)).end()
        expect_complete(page, f"Answer {number}")
    expect(page.locator(".question")).to_have_text(["Question 1", "Question 2"])
    expect(page.locator(".answer")).to_have_text(["Answer 1", "Answer 2"])


def test_shift_enter_and_an_input_method_do_not_send(page, wire):
    prompt = page.get_by_label("Your question")
    prompt.press_sequentially("one")
    prompt.press("Shift+Enter")
    prompt.press_sequentially("two")
    for composing in ({"isComposing": True}, {"keyCode": 229}):
        prompt.dispatch_event("keydown", {"key": "Enter", "cancelable": True, **composing})
    expect(page.locator(".turn")).to_have_count(0)
    prompt.press("Enter")
    fields = wire.take(page).fields
    assert fields["prompt"] == "one\r\ntwo"
    assert uuid.UUID(fields["idempotency_key"]).version == 4
    assert fields["csrfmiddlewaretoken"]


def test_one_click_is_one_question(page, wire):
    page.get_by_label("Your question").fill("Once")
    button(page, "Send").dblclick()
    exchange = wire.take(page).start().send(event(delta="Half"))
    expect(answer(page)).to_have_text("Half")
    expect(page.get_by_label("Your question")).to_be_focused()
    ask(page, "My next question")
    exchange.send(event(**DONE)).end()
    expect_complete(page, "Half")
    expect(page.locator(".question")).to_have_text(["Once"])
    expect(page.get_by_label("Your question")).to_have_value("My next question")
    assert wire.exchanges.empty()


def test_the_request_id_needs_no_secure_context(visit, page, wire):
    page.add_init_script("delete Crypto.prototype.randomUUID")
    page.reload()
    ask(page)
    assert uuid.UUID(wire.take(page).fields["idempotency_key"]).version == 4


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_stop_keeps_what_had_arrived(page, how):
    ask(page, LONG_QUESTION)
    expect(answer(page)).to_contain_text("**repeat**")
    button(page, "Stop").click() if how == "button" else page.keyboard.press("Escape")
    expect_unfinished(page, re.compile("."), "Stopped.")
    expect(button(page, "Send")).to_be_visible()
    kept = answer(page).text_content()
    assert 0 < len(kept) < len(LONG_QUESTION)
    # The line that was arriving is Markdown, too.
    expect(answer(page).locator("blockquote strong").first).to_have_text("repeat")
    expect(answer(page)).not_to_contain_text("**")
    expect_unfinished(page, re.compile("."), "Stopped.")


def test_stop_closes_the_connection(page, wire):
    ask(page)
    exchange = wire.take(page).start().send(event(delta="Half"))
    expect(answer(page)).to_have_text("Half")
    button(page, "Stop").click()
    assert exchange.client_leaves()
    expect_unfinished(page, "Half", "Stopped.")


def test_thinking_is_seen_and_said_until_text_comes(visit, new_wire):
    page = visit(reduced_motion="no-preference")
    wire = new_wire(page)
    page.clock.install()
    listen(page)
    ask(page)
    exchange = wire.take(page).start().send(event(**THINKING))
    note = page.locator(".note:visible")
    expect(note).to_have_text("Claude is thinking…")
    assert page.evaluate("document.getAnimations().length") == 1
    page.clock.run_for(9000)
    expect(note).to_have_attribute("data-waited", "")
    page.clock.run_for(3000)
    expect(note).to_have_attribute("data-waited", "12 s")
    assert note.evaluate("note => getComputedStyle(note, '::after').content") == '"12 s"'
    exchange.send(event(delta="Half"))
    expect(answer(page)).to_have_text("Half")
    expect(note).to_have_count(0)
    exchange.send(": keepalive\n\n" + event(**THINKING))
    expect(note).to_have_text("Claude is thinking…")
    expect(note).to_have_attribute("data-waited", "")
    expect(answer(page)).to_have_text("Half")
    exchange.send(event(**THINKING) + event(delta=" and half") + event(**DONE)).end()
    expect_complete(page, "Half and half")
    assert heard(page) == ["Generating", "Claude is thinking…", "Answer complete"]


def test_thinking_can_be_stopped(page, wire):
    ask(page)
    exchange = wire.take(page).start().send(event(**THINKING))
    expect(page.locator(".note:visible")).to_have_text("Claude is thinking…")
    button(page, "Stop").click()
    assert exchange.client_leaves()
    expect_failed(page, "Stopped.")
    expect(button(page, "Try again")).to_be_visible()


def test_text_that_is_taken_back_is_no_part_of_the_answer(visit, new_wire):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    listen(page)
    wire = new_wire(page)
    ask(page)
    exchange = wire.take(page).start().send(event(delta="Half"))
    expect(answer(page)).to_have_text("Half")
    exchange.send(event(**RESTART))
    expect(answer(page)).to_be_empty()
    expect(page.locator(".note:visible")).to_have_text("The text was taken back. Another answer may follow…")
    exchange.send(event(delta="Whole") + event(**DONE)).end()
    expect_complete(page, "Whole")
    assert heard(page) == ["Generating", "The text was taken back. Another answer may follow…", "Answer complete"]
    button(page, "Copy answer").click()
    expect(button(page, "Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "Whole"
