"""The code in the documents of a rendered project, run as a team would, in an app of its own."""

import re
import textwrap

import pytest

import preloaded
from bakery import files_of, name_of
from documents import text_of
from environments import find_python, run
from production import change_line, variants

STYLES = ["sync", "streaming", "async"]

LEDGER_APP = """
from django.apps import AppConfig


class LedgerConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "ledger"

    def ready(self):
        from ledger import budget, examples  # noqa: F401
"""

TESTS = """
import inspect

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache

from claude import batches
from ledger import budget, examples, models
from ledger.models import LedgerEntry, Summary

pytestmark = [pytest.mark.django_db, pytest.mark.parametrize("path", [{paths}])]


@pytest.fixture(autouse=True)
def nothing_counted():
    cache.clear()
    yield
    cache.clear()


def classify(texts, user):
    # In a project with the style "async" it is asynchronous.
    waiting = examples.classify(texts, user)
    return async_to_sync(waited_for)(waiting) if inspect.isawaitable(waiting) else waiting


async def waited_for(waiting):
    return await waiting


def outcomes():
    return list(LedgerEntry.objects.order_by("pk").values_list("outcome", "purpose", "user__username"))


def test_each_call_has_its_row(user, path):
    assert user.post(path, {{"prompt": "Why is the sky blue?"}}).status == 200
    assert user.post(path, {{"prompt": "fail overloaded_error"}}).status in (200, 502)
    assert outcomes() == [("answered", "chat", "user"), ("unavailable", "chat", "user")]
    entry = LedgerEntry.objects.first()
    assert entry.usage["output_tokens"] > 0
    assert entry.anthropic_request_id


def test_over_budget_claude_is_not_asked(user, wire, monkeypatch, path):
    monkeypatch.setattr(budget, "CALLS_A_DAY", 1)
    question = {{"prompt": "Why is the sky blue?"}}
    assert user.post(path, question).status == 200
    reply = user.post(path, question)
    assert "budget" in reply.text
    assert len(wire) == 1
    assert [outcome for outcome, _, _ in outcomes()] == ["answered", "refused"]


def test_ten_tickets_are_classified_as_the_readme_says(django_user_model, path):
    user = django_user_model.objects.create_user("team")
    texts = [f"Ticket {{number}}: the export is broken." for number in range(8)] + ["fail refusal", "fail misfit"]
    tickets = classify(texts, user)
    assert [isinstance(ticket, examples.Ticket) for ticket in tickets] == 8 * [True] + 2 * [False]
    assert tickets[0].topic in ("billing", "bug", "question", "other")
    rows = list(LedgerEntry.objects.filter(purpose="tickets"))
    assert sorted(row.outcome for row in rows) == 8 * ["answered"] + ["declined", "misfit"]
    assert all(row.usage["output_tokens"] for row in rows if row.outcome != "declined")


def test_documents_are_summarised_in_a_batch_as_its_document_says(django_user_model, settings, tmp_path, path):
    settings.CLAUDE_OFFLINE_BATCHES = tmp_path / "batches"
    user = django_user_model.objects.create_user("team")
    models.summarise({{"a": "A long text", "b": "fail overloaded_error", "c": "play refusal"}}, user)
    assert not Summary.objects.exists()
    for _ in range(2):
        batches.collect()
    found = Summary.objects.order_by("document").values_list("document", "outcome")
    assert list(found) == [("a", "answered"), ("b", "unavailable"), ("c", "declined")]
    assert "> A long text" in Summary.objects.get(document="a").text
    assert sorted(outcome for outcome, purpose, _ in outcomes()) == ["answered", "declined", "unavailable"]


def test_the_switch_of_the_readme_stops_every_call(user, wire, path):
    cache.set("claude-is-paused", True)
    assert "paused" in user.post(path, {{"prompt": "Why is the sky blue?"}}).text
    assert wire == []
"""

OWN = "tests/test_evals.py::test_the_cases_of_this_project_can_be_asked"
OWN += " tests/test_texts.py::test_no_module_has_a_sentence_that_is_not_marked"

PATHS = {
    "sync": ["/chat/ask/"],
    "streaming": ["/chat/ask/", "/chat/stream/"],
    "async": ["/chat/ask/", "/chat/stream/", "/chat/ask-many/"],
}


def examples_in(document, language="python"):
    """The code in a document, block by block."""
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def one_with(words, examples):
    (found,) = (example for example in examples if words in example)
    return found


@pytest.fixture
def project(request, bake_copy):
    return bake_copy(**request.param)


@pytest.mark.parametrize("project", variants(*STYLES), ids=name_of, indirect=True)
def test_a_ledger_and_a_budget_are_an_app_and_a_line_of_the_settings(project, environment, request):
    """As README, docs/calls.md and docs/batches.md show them; nothing else of the project is touched."""
    view_style = request.node.callspec.params["project"]["view_style"]
    readme, calls = (examples_in(text_of(name, project)) for name in ("README.md", "docs/calls.md"))
    before = {name: (project / name).read_bytes() for name in files_of(project)}
    app = project / "ledger"
    app.mkdir()
    (app / "__init__.py").touch()
    (app / "apps.py").write_text(LEDGER_APP, encoding="utf-8")
    (summaries,) = examples_in(text_of("docs/batches.md", project))
    (app / "models.py").write_text(one_with("class LedgerEntry", calls) + summaries, encoding="utf-8")
    (app / "budget.py").write_text(one_with("CALLS_A_DAY", calls), encoding="utf-8")
    others = [example for example in [*readme, *calls] if "LedgerEntry" not in example and "CALLS_A_DAY" not in example]
    (app / "examples.py").write_text("".join(f"{example}\n\n" for example in others), encoding="utf-8")
    change_line(project / "config/settings.py", '    "config",\n', '    "config",\n    "ledger",\n')
    changed = [name for name, content in before.items() if (project / name).read_bytes() != content]
    assert changed == ["config/settings.py"]

    paths = ", ".join(f'"{path}"' for path in PATHS[view_style] if path != "/chat/ask-many/")
    (project / "tests/test_ledger.py").write_text(textwrap.dedent(TESTS).format(paths=paths), encoding="utf-8")
    cases = [examples_in(text_of(name, project), "yaml") for name in ("README.md", "docs/evals.md")]
    (project / "evals/documents.yaml").write_text("".join(one for (one,) in cases), encoding="utf-8")
    clean = environment(project, find_python("newest" if "async" in view_style else "oldest"))
    run(["python", "manage.py", "makemigrations", "ledger"], project, clean, DEBUG="true")
    said = preloaded.run_tests(project, clean, PYTEST_ADDOPTS=f"{OWN} tests/test_ledger.py")
    assert f"{5 * (paths.count(',') + 1) + 2} passed" in said
