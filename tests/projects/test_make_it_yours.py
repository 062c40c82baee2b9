"""docs/make-it-yours.md of a rendered project: each of its recipes is typed, and does what it says."""

import json
import re
import shutil
import signal
import uuid

import pytest

import preloaded
from bakery import TEMPLATE, name_of
from claude_server.client import KEY
from claude_server.script import Answer
from dockerfile import dockerfile_of, stages_of
from documents import files_in, text_of
from environments import find_python, run, skip_or_fail
from http_client import HttpClient
from nginx_server import Site, find_nginx
from production import Log, by_turns, change_line, until, variants
from project_server import production_server

STYLES = ["sync", "streaming", "async"]
# Those of the project's own that look at whatever there is.
OWN_TESTS = "tests/test_recipes.py tests/test_texts.py tests/test_isolation.py -k 'test_recipes or not_marked or desk'"


def document_of(project):
    return text_of("docs/make-it-yours.md", project)


def type_recipes(project):
    """Does as the document says: a block at the end of its file, its imports at the top."""
    blocks = files_in(document_of(project))
    assert len(blocks) > 10
    for name, block in blocks:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".po":
            continue
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        imports, code = re.match(r"((?:(?:from|import) [^\n]*\n|\n)*)(.*)", block, re.DOTALL).groups()
        if before:
            head, first, rest = re.match(r'(""".*?"""\n+)?((?:from|import) )?(.*)', before, re.DOTALL).groups()
            block = f"{head or ''}{imports.strip()}\n{first or ''}{rest}\n\n{code}"
        path.write_text(block, encoding="utf-8")
    return [name for name, _ in blocks if name.endswith(".py")]


def translate(project, environment):
    """As `make messages` and an editor do it."""
    if not shutil.which("msgfmt"):
        skip_or_fail("no GNU gettext found")
    command, language = re.search(r"`(make messages) (L=\w+)`", document_of(project)).groups()
    ready = [f"VENV={environment}", f"--old-file={environment}/.ready"]
    make = [*command.split(), *ready]
    run([*make, language], project)
    (catalogue,) = [(name, block) for name, block in files_in(document_of(project)) if name.endswith(".po")]
    text = catalogue[1].splitlines()[0]
    change_line(project / catalogue[0], f'{text}\nmsgstr ""\n', catalogue[1])
    run(make, project)


def in_order(project, environment, names):
    """The imports that were typed, sorted as `make format` does it."""
    run(["ruff", "check", "--quiet", "--fix", "--select", "I", *names], project, environment)
    run(["ruff", "format", "--quiet", *names], project, environment)
    run(["ruff", "check", "--quiet", *names], project, environment)


@pytest.mark.parametrize("answers", variants(*STYLES), ids=name_of)
def test_every_recipe_does_what_it_says(bake_copy, environment, answers):
    project = bake_copy(**answers)
    clean = environment(project, find_python("newest" if answers["view_style"] == "async" else "oldest"))
    in_order(project, clean, type_recipes(project))
    translate(project, clean)
    shutil.copy(TEMPLATE / "tests/support/recipes.py", project / "tests/test_recipes.py")
    preloaded.run_tests(project, clean, PYTEST_ADDOPTS=OWN_TESTS)


WORDS = ["The ", "sky ", "is ", "blue."]
PASSWORD = "seven-small-otters"


@pytest.mark.parametrize("answers", by_turns(*STYLES), ids=name_of)
def test_a_sub_path_and_new_keys_work_as_the_document_says(production, claude, tmp_path, answers):
    """In production, behind nginx, with the recipes in place."""
    lane = claude.lane()
    lane.script(otherwise=Answer(deltas=WORDS))
    with production.serve(answers, tmp_path, lane.base_url, change=type_recipes, **sub_path(production)) as served:
        prefix = served.settings["SCRIPT_NAME"]
        site = Site(served.project, tmp_path / "site", served.server.port, static=served.project / "staticfiles")
        # As docs/deploy.md says: every location but the one of certbot.
        site.text = re.sub(r"(location (?:= )?)/(?!\.well-known)", rf"\1{prefix}/", site.text)
        with site.start(find_nginx("system")):
            works_below(prefix, served, site.user())
        loses_nobody_to_new_keys(production, served, lane)


def sub_path(production):
    """The setting that the document gives the service."""
    document = document_of(production.bake())
    name, prefix = re.search(r"^```text\n(SCRIPT_NAME)=(\S+)\n```", document, re.MULTILINE).groups()
    assert f"`https://example.com{prefix}/`" in document
    return {name: prefix}


def works_below(prefix, served, ada):
    """The health check of the image, sign-in, static files, pages, an answer in one piece and as a stream."""
    _, check = stages_of(dockerfile_of(served.project))[-1].only("HEALTHCHECK").text.split(maxsplit=1)
    run(json.loads(check), served.project, served.environment, **served.settings | {"PORT": str(served.server.port)})
    script = f"from accounts.models import User; User.objects.create_user('ada', password='{PASSWORD}')"
    served.manage("shell", "-c", script)
    sign_in = ada.get(f"{prefix}/").headers["Location"]
    assert sign_in == f"{prefix}/accounts/sign-in/?next={prefix}/"
    page = ada.get(sign_in).text
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
    fields = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": token, "next": f"{prefix}/"}
    assert ada.post(sign_in, fields, {"X-CSRFToken": None}).headers["Location"] == f"{prefix}/"
    for file in re.findall(r'(?:href|src)="([^"]+\.(?:css|js|svg))"', ada.get(f"{prefix}/").text):
        assert (ada.get(file).status, file.startswith(f"{prefix}/static/")) == (200, True), file
    question = {"prompt": "Why is the sky blue?", "conversation": str(uuid.uuid4())}
    assert ada.post(f"{prefix}/chat/ask/", question).json["answer"] == "".join(WORDS)
    if served.view_style != "sync":
        *_, last = ada.post(f"{prefix}/chat/stream/", question).events()
        assert last["done"] is True
    assert f'href="{prefix}/c/{question["conversation"]}/"' in ada.get(f"{prefix}/desk/").text
    assert ada.post(f"{prefix}/desk/summarise/", question).json["answer"] == "".join(WORDS)


def loses_nobody_to_new_keys(production, served, lane):
    """A server with the new keys takes over while one with the former ones ends its answers."""
    (block,) = re.findall(
        r"^```text\n(ANTHROPIC_API_KEY=.*?)^```", document_of(served.project), re.MULTILINE | re.DOTALL
    )
    (key, _), (secret, _), (fallbacks, _) = (line.split("=") for line in block.splitlines())
    former = served.settings
    new = {key: f"{KEY}-new", secret: "9f8e7d6c5b" * 6, fallbacks: former[secret]}
    ask = f"{former['SCRIPT_NAME']}/chat/ask/"
    log = Log(served.server)
    lane.rule("under way", Answer(deltas=WORDS, gated=True))
    asked = len(lane.requests())
    under_way = served.user().start_post(ask, {"prompt": "under way"})
    lane.wait(arrived=asked + 1)
    served.server.process.send_signal(signal.SIGTERM)
    until(lambda: log.lines("Handling signal: term") or log.lines("Shutting down"))
    lane.settings(key=new[key])
    with production_server(served.project, served.environment, production.start, **former | new) as server:
        user = HttpClient.in_place_of_proxy(server.url, served.cookies())
        until(lambda: user.post(ask, {"prompt": "Why?"}).json.get("answer") == "".join(WORDS))
        lane.release(len(WORDS))
        assert under_way.begin().json["answer"] == "".join(WORDS)
