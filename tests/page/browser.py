"""Drives the machine's Chromium: what users do on the page, and what they find there."""

import re
import shutil

from playwright.sync_api import expect

from environments import skip_or_fail

SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium():
    """The path of this machine's Chromium. Skips where there is none."""
    names = ["chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, map(shutil.which, names)), None) or skip_or_fail("no Chromium found")


def launch(playwright, *switches):
    """A Chromium without a window."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=[*SWITCHES, *switches])


def watch(page, origin):
    """A list that fills with all that should not happen on a page: errors, policy violations, other origins."""
    wrong = []

    def on_console(message):
        # A failed request is what some tests are about; the rest of the console should stay empty.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            wrong.append(message.text)

    def on_response(response):
        if response.status >= 400 and response.request.resource_type not in ("document", "fetch"):
            wrong.append(f"{response.status} for {response.url}")

    def on_issue(event):
        issue = event["issue"]
        # The rest of the admin is Django's.
        if issue["code"] == "ContentSecurityPolicyIssue" or "/admin/" not in page.url:
            wrong.append(str(issue))

    page.on("console", on_console)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith(origin) or wrong.append(request.url))
    page.on("response", on_response)
    # What developer tools list as issues: the policy, also where it only reports, cookies, what is deprecated.
    tools = page.context.new_cdp_session(page)
    tools.on("Audits.issueAdded", on_issue)
    tools.send("Audits.enable")
    return wrong


def sign_in(page):
    page.goto("/accounts/sign-in/")
    button(page, "Continue as demo user").click()
    expect(page.get_by_label("Your question")).to_be_visible()
    page.wait_for_load_state()  # before its script is there, Enter is a line break


def ask(page, question="Why is the sky blue?"):
    page.get_by_label("Your question").fill(question)
    page.get_by_label("Your question").press("Enter")


def button(page, name):
    return page.get_by_role("button", name=name)


def answer(page):
    return page.locator(".answer").last


def so_far(number, words=""):
    """The stand-in's answer to a question with these words: it got so many questions and answers."""
    return re.compile(rf"{words}(.|\n)*so far\s+{number}\s")


def listen(page):
    """Has the page keep what a screen reader says from now on; `heard` gives it."""
    page.evaluate("""() => {
        window.heard = [];
        const status = document.querySelector("[role=status]");
        new MutationObserver(() => heard.push(status.textContent)).observe(status, { childList: true });
    }""")


def heard(page):
    return page.evaluate("heard")


def expect_complete(page, text):
    expect(page.get_by_role("status")).to_have_text("Answer complete")
    expect(answer(page)).to_have_text(text)
    expect(page.locator(".turn").last.locator(".note:visible")).to_have_count(0)


def expect_unfinished(page, text, reason, said=""):
    """There is half an answer, and the page says why to the eye, and that or something else to a screen reader."""
    expect(answer(page)).to_have_text(text)
    expect(page.locator(".note:visible")).to_have_text([reason, "The text above is not the whole answer."])
    expect(page.get_by_role("status")).to_contain_text(said or reason)


def expect_failed(page, reason):
    """There is no answer, and the page says why: to the eye and to a screen reader."""
    expect(page.locator(".turn[aria-busy]")).to_have_count(0)
    expect(page.locator(".note:visible")).to_have_text(reason)
    expect(page.get_by_role("status")).to_have_text(reason)
    expect(answer(page)).to_be_empty()
    expect(page.get_by_label("Your question")).to_be_focused()


CONTRASTS = """() => {
    const luminance = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return colour === "rgba(0, 0, 0, 0)" ? ground(element.parentElement) : colour;
    };
    const readable = (element) => element.checkVisibility() && Array.from(element.childNodes).some(
        (node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    return Array.from(document.querySelectorAll("body *")).filter(readable).map((element) => {
        const pair = [luminance(getComputedStyle(element).color), luminance(ground(element))].sort((a, b) => b - a);
        return [element.textContent.trim(), (pair[0] + 0.05) / (pair[1] + 0.05)];
    });
}"""
"""The contrast of each text on the page with what is behind it."""
