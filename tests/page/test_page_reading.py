"""The page on a phone, in the dark, by keyboard alone and without being seen."""

import pytest
from playwright.sync_api import expect

from browser import CONTRASTS, answer, ask, button
from page_site import PASSWORD
from wire import DONE, THINKING, event, respond

LONG_QUESTION = "Please repeat all of this, word by word. " * 30
BELOW = "(document.documentElement.scrollHeight - innerHeight - scrollY)"
PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}


def test_the_page_follows_the_answer_until_the_user_scrolls_up(page, wire):
    ask(page)
    exchange = wire.take(page).start()
    lines = 0
    for _ in range(3):
        lines += 100
        exchange.send(event(delta="line\n" * 100))
        page.wait_for_function(f"() => document.querySelector('.answer').textContent.length === {lines} * 5")
        page.wait_for_function(f"() => {BELOW} < 2")
    page.mouse.move(400, 300)
    page.mouse.wheel(0, -20)
    page.wait_for_function(f"() => {BELOW} >= 20")
    place = page.evaluate("scrollY")
    exchange.send(event(delta="line\n" * 100) + event(**DONE)).end()
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    assert page.evaluate("scrollY") == place
    button(page, "Jump to the end").click()
    page.wait_for_function(f"() => {BELOW} < 2")
    expect(button(page, "Jump to the end")).to_have_count(0)
    expect(page.get_by_label("Your question")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/accounts/sign-in/"])
def test_a_phone_need_not_scroll_sideways(visit, path):
    page = visit(path, **PHONE, is_signed_in=path == "/")
    if path == "/":
        respond(page, 200, event(delta="unbroken" * 100) + event(error="unbroken" * 100, status=502))
        ask(page, "unbroken" * 100)
        expect(button(page, "Edit question")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["viewport"]["width"]
    fields = page.locator("input:visible, textarea").all()
    assert fields
    assert all(field.evaluate("field => parseFloat(getComputedStyle(field).fontSize)") >= 16 for field in fields)


def test_colours_follow_the_system_and_can_be_read(visit):
    pages = []
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        respond(page, 200, event(delta="Half") + event(error="AI service unavailable", status=502))
        ask(page)
        expect(button(page, "Try again")).to_be_visible()
        ratios = page.evaluate(CONTRASTS)
        assert len(ratios) > 8
        assert [text for text, ratio in ratios if ratio < 4.5] == []
        pages.append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert pages[0] != pages[1]


def test_nothing_moves_for_a_reader_who_wants_no_motion(page, new_wire):
    ask(page, LONG_QUESTION)
    expect(answer(page)).not_to_be_empty()
    assert page.evaluate("document.getAnimations().length") == 0
    button(page, "Stop").click()
    wire = new_wire(page)
    ask(page)
    wire.take(page).start().send(event(**THINKING))
    expect(page.locator(".turn").last.locator(".note:visible")).to_have_text("Claude is thinking…")
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_keyboard_is_enough(visit):
    page = visit(is_signed_in=False)
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.insert_text("another")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.insert_text(PASSWORD)
    page.keyboard.press("Tab")
    expect(button(page, "Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.insert_text(LONG_QUESTION)
    page.keyboard.press("Tab")
    expect(button(page, "Send")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(answer(page)).not_to_be_empty()
    page.keyboard.press("Tab")
    expect(button(page, "Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".note:visible").first).to_have_text("Stopped.")
    page.keyboard.press("Shift+Tab")
    expect(button(page, "Copy answer")).to_be_focused()


def test_script_and_style_are_small(page):
    sizes = page.evaluate("performance.getEntriesByType('resource').map((one) => [one.name, one.decodedBodySize])")
    ours = {name: size for name, size in sizes if name.endswith((".js", ".css"))}
    assert len(ours) == 5
    # 4 KB more than 30: 5 KB of it are the style that every page shares.
    assert sum(ours.values()) < 34_000


@pytest.mark.parametrize(("path", "title"), [("/", "Ask Claude"), ("/accounts/sign-in/", "Sign in")])
def test_the_page_makes_sense_without_being_seen(visit, path, title):
    page = visit(path, is_signed_in=path == "/")
    assert page.title().startswith(f"{title} · ")
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page.get_by_role("main")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("[style], style, script:not([src]), [onclick]")).to_have_count(0)
    expect(page.locator("[aria-live]")).to_have_count(0)
    names = page.evaluate("Array.from(document.querySelectorAll('[id]'), element => element.id)")
    assert len(names) == len(set(names))
    for field in page.locator("input:visible, textarea").all():
        assert field.evaluate("field => field.labels.length") == 1
