"""What the page adds in a real Chromium: from Enter to the first painted token, and whether a long answer stays smooth.

    make page
    make page A="--view-style async --answers 40 --size 10"

The project runs under its production server behind its own nginx, the API is tests/claude_server. "Stand-in" is the
control: the time to the first token of a request that goes to the API itself, in turns with those of the page. What is
left is ours: browser, nginx, project and SDK, both ways, and the painting. Then one long answer comes, and the page
says how far its frames were apart and which tasks took over 50 ms; "idle" is the same page while nothing comes.

Ends with 1 when the page adds 50 ms or more, in the median, or frames are over 100 ms apart that are not when idle.
"""

import argparse
import http.client
import json
import statistics
import sys
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from playwright.sync_api import expect, sync_playwright

import rig
from browser import launch
from claude_server.client import KEY, ClaudeServer
from claude_server.script import Answer
from long_answers import answer, deltas
from nginx_server import find_nginx

STYLES = ["async", "streaming"]
FIRST = Answer(text="Yes. And no.", first_after=0.1)
HEADERS = {"Authorization": f"Bearer {KEY}", "anthropic-version": "2026-10-21", "content-type": "application/json"}
REQUEST = {"model": "claude-sonnet-4-6", "max_tokens": 100, "stream": True}
LIMIT = 0.05  # seconds
GAP = 0.1  # seconds

# From the key to the task after the frame that has the text: then it is painted.
TO_FIRST_TOKEN = """() => new Promise((resolve) => {
    let pressed;
    const transcript = document.querySelector("#transcript");
    document.addEventListener("keydown", () => (pressed = performance.now()), { capture: true, once: true });
    const observer = new MutationObserver(() => {
        if (!transcript.querySelector(".turn:last-of-type .answer")?.textContent.trim()) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => resolve((performance.now() - pressed) / 1000)));
    });
    observer.observe(transcript, { subtree: true, childList: true, characterData: true });
})"""
WATCH = """() => {
    window.frames_ = [];
    window.tasks = [];
    let last = performance.now();
    const frame = (now) => {
        frames_.push((now - last) / 1000);
        last = now;
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    const seen = (list) => list.getEntries().forEach((entry) => tasks.push(entry.duration / 1000));
    new PerformanceObserver(seen).observe({ type: "longtask" });
}"""
SEEN = "() => ({ frames: frames_.splice(0), tasks: tasks.splice(0) })"


def main():
    """Measure each view style, print the tables; status 1 when the page is slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view-style", choices=STYLES, action="append", help="only this one")
    parser.add_argument("--answers", type=int, default=30, help="whose first token is waited for")
    parser.add_argument("--size", type=int, default=50, help="of the long answer in KB")
    parser.add_argument("--rate", type=int, default=200, help="tokens a second in it")
    arguments = parser.parse_args()
    first, smooth, slow = [], [], False
    with ExitStack() as running:
        production, folder = running.enter_context(rig.workplace("page"))
        lane = running.enter_context(ClaudeServer.start()).lane()
        playwright = running.enter_context(sync_playwright())
        for style in arguments.view_style or STYLES:
            rig.say(style)
            (folder / style).mkdir()
            served = running.enter_context(production.serve({"view_style": style}, folder / style, lane.base_url))
            static = served.project / "staticfiles"
            site = rig.lifted_site(served.project, folder / style / "site", served.server.port, static)
            running.enter_context(site.start(find_nginx("system")))
            page = opened(playwright, site, served)
            times = {"stand-in": [], "page": []}
            lane.script(otherwise=FIRST)
            for number in range(-2, arguments.answers):  # the first ones load the SDK
                measured = control(lane.base_url), first_token(page)
                if number >= 0:
                    for name, seconds in zip(times, measured, strict=True):
                        times[name].append(seconds)
            times["added"] = [ours - its for its, ours in zip(*times.values(), strict=True)]
            slow |= statistics.median(times["added"]) >= LIMIT
            first += [[style, name, *map(milliseconds, percentiles(each))] for name, each in times.items()]
            lane.script(otherwise=Answer(deltas=deltas(answer(1000 * arguments.size)), pause=1 / arguments.rate))
            gaps = long_answer(page)
            slow |= max(gaps["answer"]["frames"]) > max(GAP, 1.5 * max(gaps["idle"]["frames"]))
            smooth += [[style, name, *smoothness(**seen)] for name, seen in gaps.items()]
    print("\n".join(rig.table(["", "", "median", "p95", "most"], first)))
    print()
    print(
        "\n".join(rig.table(["", "", "frames", "p50", "p99", "most", "over 100 ms", "long tasks", "longest"], smooth))
    )
    print(f"\nOn {len(rig.CORES)} cores under a load of {rig.load():.1f}, {time.strftime('%Y-%m-%d')}.")
    sys.exit(slow)


def opened(playwright, site, served):
    """The page in a browser that finds the domain here, as a user who has signed in."""
    browser = launch(playwright, f"--host-resolver-rules=MAP {site.domain}:443 127.0.0.1:{site.https_port}")
    url = f"https://{site.domain}"
    context = browser.new_context(base_url=url, ignore_https_errors=True)
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in served.cookies().items()])
    page = context.new_page()
    page.goto("/")
    expect(page.get_by_label("Your question")).to_be_visible()
    page.wait_for_load_state()
    return page


def control(url):
    """Seconds to the first token of the API itself."""
    parts = urlsplit(url)
    body = json.dumps(REQUEST | {"messages": [{"role": "user", "content": "Why?"}]})
    start = time.perf_counter()
    connection = http.client.HTTPConnection(parts.netloc)
    connection.request("POST", f"{parts.path}/v1/messages", body, HEADERS)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    while b"text_delta" not in response.readline():
        pass
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def first_token(page):
    """Seconds from Enter to the first token on the screen."""
    page.get_by_label("Your question").fill("Why?")
    page.evaluate(f"() => {{ window.measured = ({TO_FIRST_TOKEN})(); }}")
    page.get_by_label("Your question").press("Enter")
    seconds = page.evaluate("() => measured")
    expect(page.locator(".turn[aria-busy]")).to_have_count(0)
    return seconds


def long_answer(page):
    """What happens on the page while nothing comes, and while a long answer does."""
    page.evaluate(WATCH)
    page.wait_for_timeout(10_000)
    idle = page.evaluate(SEEN)
    page.get_by_label("Your question").fill("And at length?")
    page.get_by_label("Your question").press("Enter")
    expect(page.locator(".turn[aria-busy]")).to_have_count(1)
    expect(page.locator(".turn[aria-busy]")).to_have_count(0, timeout=600_000)
    return {"idle": idle, "answer": page.evaluate(SEEN)}


def smoothness(frames, tasks):
    frames = sorted(frames)
    picked = [frames[len(frames) // 2], frames[len(frames) * 99 // 100], frames[-1]]
    over = sum(gap > GAP for gap in frames)
    return [len(frames), *map(milliseconds, picked), over, len(tasks), milliseconds(max(tasks, default=0))]


def percentiles(values):
    values = sorted(values)
    return statistics.median(values), values[len(values) * 95 // 100], values[-1]


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
