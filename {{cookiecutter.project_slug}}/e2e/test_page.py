"""What people do most, in a real browser: `make e2e`. tests/ has everything else."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

LONG_QUESTION = "Please repeat all of this, word by word. " * 50


def ask(page, question):
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")


def expect_answer(page, *words):
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    for text in words:
        expect(page.locator(".answer").last).to_contain_text(text)


def test_the_second_question_remembers_the_first_and_a_reload_keeps_both(page):
    ask(page, "Why is the **sky** blue?")
    expect_answer(page, "so far 1 Longest")
    expect(page.locator(".answer blockquote strong")).to_have_text("sky")
    ask(page, "And at night?")
    expect_answer(page, "And at night?", "so far 3 Longest")
    page.reload()
    expect(page.locator(".question")).to_have_text(["Why is the **sky** blue?", "And at night?"])
    expect(page.locator(".answer").last).to_contain_text("so far 3 Longest")


def test_an_answer_can_be_stopped_and_the_question_asked_again(page):
    ask(page, LONG_QUESTION)
# % if cookiecutter.view_style == "sync"
    page.get_by_role("button", name="Stop").click()
# % else
    expect(page.locator(".answer")).to_contain_text("Please repeat")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".answer")).to_contain_text("Please repeat")
# % endif
    expect(page.get_by_role("status")).to_contain_text("Stopped.")
    page.get_by_role("button", name="Edit question").click()
    ask(page, "Shorter")
    expect_answer(page, "so far 1 Longest")
    expect(page.locator(".question")).to_have_text(["Shorter"])


def test_a_failure_is_said_and_loses_nothing(page):
    ask(page, "fail overloaded_error")
    for _ in range(2):
        expect(page.locator(".note:visible")).to_have_text("AI service unavailable")
        page.get_by_role("button", name="Try again").click()
    expect(page.locator(".note:visible")).to_have_text("AI service unavailable")
    page.get_by_role("button", name="Edit question").click()
    expect(page.get_by_label("Your question")).to_have_value("fail overloaded_error")
    ask(page, "Another question")
    expect_answer(page, "Another question")
    expect(page.locator(".question")).to_have_count(1)


def test_a_conversation_is_found_and_deleted(page):
    ask(page, "Where do zebras live?")
    expect_answer(page)
    page.get_by_text("Conversations", exact=True).click()
    page.get_by_role("link", name="All conversations").click()
    page.get_by_label("Search titles and questions").fill("ZEBRAS")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile("^Delete Where do zebras")).click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("zebras")).to_have_count(0)


def test_axe_finds_nothing_that_keeps_people_out(page):
    ask(page, "# Title\n\n- one\n\n```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    expect_answer(page, "Title")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert Axe().run(page).response["violations"] == []
