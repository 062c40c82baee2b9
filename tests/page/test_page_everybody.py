"""Every page as axe-core sees it, and whole conversations by keyboard alone, without JavaScript, from right to left."""

from playwright.sync_api import expect

from axe import expect_accessible
from browser import answer, ask, button, expect_complete, so_far
from wire import DONE, REFUSED, THINKING, event, respond

RICH = f"""# Title

Some **bold** text with `code`, a [link](https://example.com/a) and ~~more~~.

1. one
   - two

> quoted

```python
def f(x): return "{"long " * 40}"  # comment
```

| {"a heading | " * 12}
| {"--- | " * 12}
| {"unbreakable | " * 12}

مرحبا بالعالم، هذا سؤال.
"""
LONG_QUESTION = "Please repeat all of this, word by word. " * 30
ARABIC = "ما هي عاصمة (فرنسا)؟"


def prompt(page):
    return page.get_by_label("Your question")


def test_axe_finds_nothing_in_a_conversation(page, new_wire):
    expect_accessible(page)
    ask(page, RICH)
    expect_complete(page, so_far(1))
    page.set_viewport_size({"width": 320, "height": 640})
    for wide in (".scroll", "pre"):
        scrolls = "element => element.scrollWidth > element.clientWidth"
        assert answer(page).locator(f"blockquote {wide}").evaluate(scrolls)
    for status, ending in [
        (200, event(**REFUSED)),
        (200, event(delta="Half") + event(**DONE | {"stop_reason": "max_tokens"})),
        (200, event(delta="Half") + event(error="AI service unavailable", status=502)),
        (429, {"error": "Too many requests", "status": 429, "retry_after": 100}),
        (401, {"error": "Please sign in again", "status": 401}),
    ]:
        respond(page, status, ending)
        ask(page)
        expect(page.locator("[aria-busy]")).to_have_count(0)
    page.unroute_all()
    wire = new_wire(page)
    ask(page)
    exchange = wire.take(page).start().send(event(**THINKING))
    expect(page.get_by_text("Claude is thinking…").last).to_be_visible()
    expect_accessible(page)
    exchange.send(event(delta="Half", blocks=[{"block": 0, "html": "<p>One</p>"}], tail="Half"))
    expect(answer(page)).to_contain_text("Half")
    expect_accessible(page, "article:last-of-type")
    page.reload()
    page.get_by_text("Conversations", exact=True).click()
    expect_accessible(page, "nav")


def test_axe_finds_nothing_around_conversations(page):
    ask(page, "unbroken" * 20)
    expect_complete(page, so_far(1))
    address = page.url
    for path in ("/c/", "/c/?q=nothing has this", f"{address}delete/", "/c/delete/", "/not-there/"):
        page.goto(path)
        expect_accessible(page)
    page.goto(f"{address}rename/")
    page.get_by_label("Title").fill(" ")
    button(page, "Save").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    expect_accessible(page)


# Other tests have asked there.
EMPTY_LEDGER = """
from usage.models import DailySpending, LedgerEntry
LedgerEntry.objects.all().delete()
DailySpending.objects.all().delete()
"""


def test_axe_finds_nothing_on_the_pages_of_usage(page, sites):
    project = sites("streaming")
    project.manage("shell", "-c", EMPTY_LEDGER)
    page.goto("/usage/")
    expect_accessible(page)
    project.manage("usage_demo", "user")
    page.reload()
    expect(page.get_by_role("img", name="The highest is of")).to_be_visible()
    page.get_by_label("US dollars a day").fill("-1")
    button(page, "Save").click()
    expect(page.get_by_text("greater than or equal to 0")).to_be_visible()
    expect_accessible(page)
    page.get_by_role("link", name="Team").click()
    expect(page.get_by_role("region", name="People")).to_contain_text("demo-ada")
    expect_accessible(page)


def test_axe_finds_nothing_on_the_pages_of_an_account(page):
    for path in ("", "change-password/", "choose-password/"):
        page.goto(f"/accounts/{path}")
        expect_accessible(page)


def test_axe_finds_nothing_before_signing_in(visit):
    page = visit(is_signed_in=False)
    expect_accessible(page)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    button(page, "Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect_accessible(page)


def go_to(page, element, key="Tab"):
    """Press Tab until the focus is there."""
    for _ in range(80):
        if element.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not reach {element}")


def test_the_keyboard_is_enough_from_the_first_question_to_the_deletion(visit):
    page = visit(view_style="async", permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("""() => {
        window.lost = 0;
        const look = () => lost += document.activeElement === document.body;
        addEventListener("focusout", () => setTimeout(look));
    }""")
    expect(prompt(page)).to_be_focused()
    page.keyboard.insert_text("About zebras")
    page.keyboard.press("Enter")
    expect_complete(page, so_far(1, "About zebras"))
    for name in ("Regenerate", "Edit question"):
        expect(prompt(page)).to_be_focused()
        go_to(page, button(page, name), "Shift+Tab")
        page.keyboard.press("Enter")
        expect(prompt(page)).to_be_focused()
    expect(prompt(page)).to_have_value("About zebras")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("About quaggas. " + LONG_QUESTION)
    page.keyboard.press("Enter")
    expect(answer(page)).to_contain_text("quaggas")
    page.keyboard.press("Escape")
    expect(page.locator(".note:visible").first).to_have_text("Stopped.")
    go_to(page, button(page, "Copy answer"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(button(page, "Copied")).to_be_focused()
    go_to(page, button(page, "Try again"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_be_focused()
    expect(button(page, "Stop")).to_be_visible()
    go_to(page, button(page, "Stop"))
    page.keyboard.press("Enter")
    expect(prompt(page)).to_be_focused()
    go_to(page, page.get_by_text("Conversations", exact=True), "Shift+Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("lost") == 0
    go_to(page, page.get_by_role("link", name="All conversations"))
    page.keyboard.press("Enter")
    go_to(page, page.get_by_label("Search titles and questions"))
    page.keyboard.insert_text("QUAGGAS")
    page.keyboard.press("Enter")
    titles = page.locator("main li > a")
    expect(titles).to_have_count(1)
    go_to(page, page.get_by_role("link", name="Rename About"))
    page.keyboard.press("Enter")
    go_to(page, page.get_by_label("Title"))
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("Striped animals")
    page.keyboard.press("Enter")
    expect(titles.first).to_have_text("Striped animals")
    go_to(page, titles.first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Striped animals")
    page.go_back()
    go_to(page, page.get_by_role("link", name="Delete Striped animals"))
    page.keyboard.press("Enter")
    go_to(page, button(page, "Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversations")
    expect(page.get_by_text("Striped animals")).to_have_count(0)


def test_without_javascript_a_conversation_goes_on_and_is_found_renamed_and_deleted(visit):
    page = visit(view_style="sync", java_script_enabled=False)
    for question, number in [("About zebras", 1), ("And quaggas?", 3)]:
        prompt(page).fill(question)
        button(page, "Send").click()
        expect(answer(page)).to_have_text(so_far(number))
    page.get_by_role("link", name="Edit or ask again").click()
    expect(prompt(page)).to_have_value("And quaggas?")
    prompt(page).fill("And **horses**?")
    button(page, "Send").click()
    expect(page.locator(".question")).to_have_text(["About zebras", "And **horses**?"])
    expect(answer(page).locator("blockquote strong")).to_have_text("horses")
    page.get_by_text("Conversations", exact=True).click()
    page.get_by_role("link", name="All conversations").click()
    page.get_by_label("Search titles and questions").fill("horses")
    button(page, "Search").click()
    page.get_by_role("link", name="Rename About zebras").click()
    page.get_by_label("Title").fill("Striped animals")
    button(page, "Save").click()
    page.get_by_role("link", name="Striped animals", exact=True).click()
    expect(page.locator(".question")).to_have_count(2)
    page.go_back()
    page.get_by_role("link", name="Delete Striped animals").click()
    button(page, "Delete").click()
    expect(page.get_by_text("Striped animals")).to_have_count(0)


def test_each_text_runs_in_its_own_direction(page):
    ask(page, f"{ARABIC}\n\n`code` عربي")
    expect_complete(page, so_far(1))
    prompt(page).fill(ARABIC)
    page.get_by_text("Conversations", exact=True).click()
    from_the_right = [page.locator(".question"), answer(page).get_by_text(ARABIC), prompt(page)]
    from_the_right += [page.get_by_role("navigation").get_by_role("link", name=ARABIC).first]
    from_the_left = [answer(page).locator("blockquote code"), answer(page).locator("p").first]
    for side, elements in [("rtl", from_the_right), ("ltr", from_the_left)]:
        for element in elements:
            assert element.evaluate("element => getComputedStyle(element).direction") == side


def test_on_a_phone_the_focus_stays_beside_the_question_and_no_keyboard_slides_up(visit):
    page = visit(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    prompt(page).fill("Hello")
    button(page, "Send").tap()
    expect_complete(page, so_far(1))
    button(page, "Regenerate").tap()
    expect(button(page, "Stop")).to_be_focused()
    expect_complete(page, so_far(1))
    expect(button(page, "Send")).to_be_focused()
    button(page, "Edit question").tap()
    expect(prompt(page)).to_be_focused()
