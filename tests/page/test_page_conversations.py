"""Conversations on the page: answers as Markdown, other attempts at a question, drafts, and what a reload shows."""

import re

from playwright.sync_api import expect

from browser import answer, ask, button, expect_complete, so_far
from page_site import PASSWORD
from wire import DONE, RESTART, event

MARKDOWN = """# Title

Some **bold** text

- one
- two
- three
- four

```python
x = 1

y = 2
```

| a | b |
|---|---|
| 1 | 2 |
| 3 | 4 |
| 5 | 6 |

End"""
LONG_QUESTION = "Please repeat all of this, word by word. " * 30


def prompt(page):
    return page.get_by_label("Your question")


def html_of(page):
    """What the last answer is made of, without the buttons for copying and the space between elements."""
    html = answer(page).inner_html()
    return re.sub(r"\s+(?=<)|\s+$", "", re.sub("<button.*?</button>", "", html))


def test_an_answer_is_markdown_while_it_comes_and_after_a_reload(visit):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    ask(page, MARKDOWN)  # which the stand-in gives back, word by word
    expect(answer(page).locator("li")).to_have_text(["one", "two", "three", "four"])
    expect(button(page, "Stop")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    expect(answer(page).locator(".heading")).to_have_text("Title")
    expect(answer(page).locator("blockquote td")).to_have_text(["1", "2", "3", "4", "5", "6"])
    expect(answer(page).locator(".tail")).to_have_count(0)
    live = html_of(page)
    button(page, "Copy answer").click()
    expect(button(page, "Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert MARKDOWN.replace("\n", "\n> ") in copied
    page.reload()
    assert html_of(page) == live
    page.get_by_role("button", name="Copy", exact=True).first.click()
    expect(button(page, "Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "x = 1\n\ny = 2\n"
    button(page, "Copy answer").click()
    expect(button(page, "Copied")).to_have_count(2)
    assert page.evaluate("navigator.clipboard.readText()") == copied


def test_the_line_that_arrives_is_text_behind_the_blocks(page, wire):
    ask(page)
    first = {"blocks": [{"block": 0, "html": "<p>one</p>\n"}, {"block": 1, "html": "<p>two</p>\n"}], "tail": "th"}
    exchange = wire.take(page).start().send(event(delta="one\n\ntwo\n\nth", **first))
    expect(answer(page).locator("p")).to_have_text(["one", "two", "th"])
    exchange.send(event(delta="<b>r*ee"))
    expect(answer(page).locator("p")).to_have_text(["one", "two", "th<b>r*ee"])
    exchange.send(event(delta="\n", blocks=[{"block": 1, "html": "<p>2 and 3</p>"}], tail=""))
    expect(answer(page).locator("p")).to_have_text(["one", "2 and 3", ""])
    exchange.send(event(**RESTART) + event(delta="\nx", blocks=[{"block": 0, "html": "<h3>New</h3>"}], tail="x"))
    expect(answer(page).locator("h3, p")).to_have_text(["New", "x"])
    exchange.send(event(blocks=[{"block": 0, "html": "<h3>Newer</h3>"}], tail="", **DONE)).end()
    expect_complete(page, "Newer")


def test_a_conversation_goes_on_and_has_an_address_of_its_own(page):
    ask(page, "How  many\nlegs?")
    expect_complete(page, so_far(1))
    address = page.url
    assert re.search("/c/[0-9a-f-]{36}/$", address)
    assert page.title().startswith("How many legs? ·")
    page.get_by_text("Conversations", exact=True).click()
    entry = page.get_by_role("navigation").get_by_role("link", name="How many legs?").first
    expect(entry).to_have_attribute("aria-current", "page")
    ask(page, "And arms?")
    expect_complete(page, so_far(3))
    assert page.url == address
    page.reload()
    expect(page.locator(".question")).to_have_text(["How many legs?", "And arms?"])
    expect(page.get_by_role("heading", level=1)).to_have_text("How many legs?")


def test_the_last_answer_is_made_anew_and_takes_the_place_of_the_old_one(page):
    ask(page, "First")
    expect_complete(page, re.compile("First"))
    button(page, "Regenerate").click()
    expect(prompt(page)).to_be_focused()
    expect_complete(page, re.compile("First"))
    ask(page, "Second")
    expect_complete(page, so_far(3))
    expect(page.get_by_role("button", name="Regenerate")).to_have_count(1)
    button(page, "Edit question").click()
    expect(page.get_by_text("The answer takes the place of the last one.")).to_be_visible()
    expect(prompt(page)).to_have_value("Second")
    ask(page, "In other words")
    expect_complete(page, so_far(3, "In other words"))
    expect(page.get_by_text("The answer takes the place of the last one.")).to_be_hidden()
    for _ in range(2):
        expect(page.locator(".question")).to_have_text(["First", "In other words"])
        page.reload()


def test_another_attempt_after_a_stop_takes_the_place_of_what_was_stopped(page):
    ask(page, LONG_QUESTION)
    expect(answer(page)).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(page.get_by_role("status")).to_contain_text("Stopped.")
    button(page, "Edit question").click()
    page.get_by_role("link", name="Ask another question").click()
    expect(prompt(page)).to_have_value("")
    button(page, "Edit question").click()
    ask(page, "Shorter")
    expect_complete(page, so_far(1, "Shorter"))
    page.reload()
    expect(page.locator(".question")).to_have_text(["Shorter"])


def test_an_attempt_that_fails_leaves_the_whole_answer_before_it(page, wire):
    ask(page, "Question")
    first = wire.take(page).start().send(event(delta="Whole") + event(**DONE))
    first.end()
    expect_complete(page, "Whole")
    button(page, "Regenerate").click()
    second = wire.take(page)
    assert second.fields["replaces"] == first.fields["idempotency_key"] != second.fields["idempotency_key"]
    second.start(502, Content_Type="application/json").send('{"error": "AI service unavailable", "status": 502}').end()
    expect(page.locator(".note:visible")).to_have_text("AI service unavailable")
    expect(answer(page)).to_have_text("Whole")
    button(page, "Try again").click()
    third = wire.take(page)
    assert third.fields == second.fields
    third.start().send(event(delta="Better") + event(**DONE)).end()
    expect_complete(page, "Better")


def test_after_its_length_limit_an_answer_can_go_on(page):
    ask(page, "play max_tokens")
    expect(page.get_by_role("status")).to_contain_text("The answer reached its length limit.")
    button(page, "Continue").click()
    expect_complete(page, so_far(3))
    expect(page.locator(".question")).to_have_text(["play max_tokens", "Please continue where you stopped."])


def test_each_conversation_keeps_what_is_being_typed(page):
    prompt(page).fill("A draft")
    page.reload()
    expect(prompt(page)).to_have_value("A draft")
    prompt(page).press("Enter")
    expect_complete(page, re.compile("A draft"))
    prompt(page).fill("The next")
    page.goto("/")
    expect(prompt(page)).to_have_value("")
    page.go_back()
    expect(prompt(page)).to_have_value("The next")


def test_what_one_user_types_is_not_there_for_the_next(page):
    prompt(page).fill("A secret")
    page.context.clear_cookies()  # to sign out would end the session of the other tests
    page.goto("/accounts/sign-in/")
    page.get_by_label("Username").fill("another")
    page.get_by_label("Password").fill(PASSWORD)
    button(page, "Sign in").click()
    expect(prompt(page)).to_have_value("")
    page.go_back()
    page.go_back()
    expect(page.get_by_role("banner")).to_contain_text("another")
    expect(prompt(page)).to_have_value("")


def test_a_reload_in_mid_answer_shows_what_had_come_and_how_it_ended(page):
    ask(page, LONG_QUESTION)
    expect(answer(page)).to_contain_text("Please repeat")
    page.reload()
    expect(page.locator(".note:visible")).to_have_text(["Stopped.", "The text above is not the whole answer."])
    expect(answer(page)).to_contain_text("Please repeat")
    expect(page.locator(".question")).to_have_count(1)
    button(page, "Regenerate").click()
    expect(button(page, "Stop")).to_be_visible()


def test_an_answer_that_another_page_asked_for_is_shown_as_it_comes(page, visit):
    ask(page, LONG_QUESTION[:500])
    expect(answer(page)).to_contain_text("Please repeat")
    other = visit(page.url.split("/", 3)[3])
    expect(other.locator(".note:visible").first).to_have_text("Waiting for the answer…")
    expect_complete(page, so_far(1))
    expect(answer(other)).to_have_text(so_far(1))
    expect(other.locator(".note:visible")).to_have_count(0)
    expect(button(other, "Regenerate")).to_be_visible()


def test_earlier_questions_come_above_and_what_is_read_stays_where_it_is(page, wire):
    page.set_viewport_size({"width": 400, "height": 400})
    ask(page, "The newest")
    wire.take(page).start().send(event(delta="Yes. ") * 200 + event(**DONE)).end()
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    link = '<p class="between earlier"><a href="?before=x#last">Earlier questions</a></p>'
    earlier = page.content().replace("The newest", "The one before").replace('id="last"', "")
    page.route("**/*before=x", lambda route: route.fulfill(body=earlier, content_type="text/html"))
    page.evaluate("(link) => document.querySelector('#transcript').insertAdjacentHTML('afterbegin', link)", link)
    newest = page.locator(".turn").last
    page.get_by_role("link", name="Earlier questions").focus()
    before = newest.bounding_box()["y"]
    page.keyboard.press("Enter")
    expect(page.locator(".question")).to_have_text(["The one before", "The newest"])
    expect(newest).to_be_focused()
    assert abs(newest.bounding_box()["y"] - before) <= 40  # the link is gone
    expect(page.locator(".earlier")).to_have_count(0)


def test_a_conversation_can_be_taken_away_as_a_file(visit):
    page = visit()
    ask(page, "What would I like to keep?")
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    page.goto("/c/")
    for name, file in (("Export all as Markdown", "conversations.md"), ("Export all as JSON", "conversations.json")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == file
        assert "What would I like to keep?" in download.value.path().read_text(encoding="utf-8")
