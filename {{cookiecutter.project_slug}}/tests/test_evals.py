"""`manage.py evals`: what it asks, compares, says and keeps. A server on this machine answers in place of the API."""

import json
import math
import os
import signal
import sys
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pydantic import BaseModel, field_validator

from claude import deadline, prompts
from config.env import BASE_DIR
from tests import streams

MODEL = "claude-sonnet-4-6"  # $3 a million tokens in, $15 out


class Ticket(BaseModel):
    topic: str


class Broken(BaseModel):
    topic: str

    @field_validator("topic")
    @classmethod
    def check(cls, topic):
        return topic / 2


class Untold(BaseModel):
    counts: dict[str, int]


@pytest.fixture(autouse=True)
def project(settings, tmp_path):
    """A project without cases."""
    settings.BASE_DIR = tmp_path
    settings.ANTHROPIC_MODEL, settings.CLAUDE_FALLBACK_MODEL, settings.CLAUDE_MAX_TOKENS = MODEL, "", 1024
    (tmp_path / "evals").mkdir()
    return tmp_path


@pytest.fixture
def evals(project, capsys):
    """evals(cases, *arguments) runs the command over the cases: its exit code, and what it says."""

    def evals(cases, *arguments):
        text = cases if isinstance(cases, str) else json.dumps(cases, ensure_ascii=False)  # which is YAML, too
        (project / "evals" / "site.yaml").write_text(text, encoding="utf-8")
        code, end = 0, ""
        try:
            call_command("evals", *arguments)
        except CommandError as error:
            code, end = error.returncode, f"CommandError: {error}"
        return code, "".join([*capsys.readouterr(), end])

    return evals


def said(text, **usage):
    """An answer of Claude."""
    return streams.body([streams.start(MODEL, **usage), streams.text(text), *streams.end()])


def refused(category=None):
    return streams.body([streams.start(MODEL), *streams.refusal(category)])


def verdict(passes):
    return said(json.dumps({"reason": "It is \x1b[31mred.", "passes": passes}))


@pytest.fixture
def answers(api):
    """answers(body, …) has the API give one after the other; an int is an HTTP status."""

    def answers(*bodies):
        left = iter(bodies)

        def answer(connection):
            body = next(left)
            status = 200 if isinstance(body, bytes) else body
            body = body if isinstance(body, bytes) else b"{}"
            head = f"HTTP/1.1 {status} .\r\ncontent-type: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            return True

        api.answer = answer

    return answers


def case(name="one", prompt="Why?", **expect):
    return {"name": name, "prompt": prompt, "expect": expect}


def outcome_of(said, name="one"):
    """The line of a case in the table, and those below it."""
    lines = said.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"site: {name} "))
    end = next(number for number, line in enumerate(lines) if number > start and not line.startswith("    "))
    return " ".join(" ".join(lines[start:end]).split())


def test_a_case_whose_own_code_breaks_costs_no_other_its_result(evals, answers):
    answers(said('{"topic": "sky"}'), said("The sky is blue."))
    code, shown = evals([case(schema="tests.test_evals.Broken"), case("two", contains="sky")], "--at-once", "1")
    assert code == 1
    assert "error" in outcome_of(shown)
    assert "unexpected: TypeError" in outcome_of(shown)
    assert "passed" in outcome_of(shown, "two")


# --- What is compared -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ({"contains": "sky"}, ""),
        ({"contains": ["sky", "blue"], "not_contains": "red", "matches": "^The .* blue"}, ""),
        ({"contains": ["sky", "Blue"]}, "lacks 'Blue'"),
        ({"not_contains": ["red", "sky"]}, "contains 'sky'"),
        ({"matches": ["sky", "^sky"]}, "does not match '^sky'"),
        ({"contains": "red", "matches": "green"}, "lacks 'red'\n    does not match 'green'"),
    ],
)
def test_an_answer_passes_where_all_that_is_expected_of_it_holds(evals, answers, expected, why):
    answers(said("The sky is blue."))
    code, shown = evals([case(**expected)])
    assert code == (1 if why else 0)
    assert outcome_of(shown).split()[2] == ("failed" if why else "passed")
    assert why in shown
    assert ("the answer: 'The sky is blue.'" in shown) is bool(why)


@pytest.mark.parametrize(("text", "fits"), [('{"topic": "bug"}', True), ('{"topic": 1}', False), ("bug", False)])
def test_a_structured_answer_passes_where_it_fits_its_schema(evals, answers, text, fits):
    answers(said(text))
    _, shown = evals([case(schema="tests.test_evals.Ticket")])
    assert outcome_of(shown).split()[2] == ("passed" if fits else "failed")
    assert ("misfit" in shown) is not fits
    assert (f"the answer: {text!r}" in shown) is not fits


@pytest.mark.parametrize(
    ("answer", "outcome", "why"),
    [
        (verdict(True), "passed", ""),
        (verdict(False), "failed", r"the judge: 'It is \x1b[31mred.'"),
        (refused(), "error", "the judge: declined"),
        (said("It passes."), "error", "the judge: misfit"),
        (529, "error", "the judge: unavailable"),
    ],
)
def test_a_judge_that_gives_no_verdict_has_not_let_an_answer_pass(evals, answers, answer, outcome, why):
    answers(said("Blue."), answer)
    code, shown = evals([case(judge="It names a colour.")])
    assert code == (0 if outcome == "passed" else 1)
    assert outcome_of(shown).split()[2] == outcome
    assert why in shown
    assert "\x1b" not in shown


def test_an_answer_that_has_failed_already_is_not_judged(evals, answers, api):
    answers(said("Red."))
    assert evals([case(contains="blue", judge="It is right.")])[0] == 1
    assert api.questions == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (429, "rate_limited: Too many requests"),
        (529, "unavailable: AI service unavailable"),
        (401, "misconfigured: Service misconfigured (401: check ANTHROPIC_API_KEY)"),
        (refused("cyber"), "declined: Claude declined to answer this question (cyber)"),
        (streams.body([streams.start(), streams.text("Blue")]), "unavailable: AI service unavailable"),
    ],
)
def test_a_failure_of_the_api_is_neither_a_pass_nor_a_failed_expectation(evals, answers, project, answer, why):
    answers(answer)
    code, shown = evals([case(not_contains="red")])
    assert (code, outcome_of(shown).split()[2]) == (1, "error")
    assert why in shown
    assert json.loads((project / ".evals.json").read_text())["cases"] == {}


def test_an_answer_that_was_cut_off_has_failed(evals, answers):
    answers(streams.body([streams.start(MODEL), streams.text("Blue"), *streams.end("max_tokens")]))
    assert "is not whole: 'max_tokens'" in outcome_of(evals([case(contains="Blue")])[1])


def test_a_character_that_comes_in_halves_is_whole_for_all_that_read_the_answer(evals, answers, project):
    halves = [streams.start(MODEL), streams.text("It is \ud83d"), streams.text("\ude00, \ud83d"), *streams.end()]
    answers(streams.body(halves), verdict(False))
    evals([case(contains="\U0001f600", judge="It is kind.")], f"--json={project / 'out.json'}")
    (found,) = json.loads((project / "out.json").read_text())["cases"]
    assert (found["answer"], len(found["problems"])) == ("It is \U0001f600, \ufffd", 1)


# --- What is asked --------------------------------------------------------------------------------


def test_a_case_is_asked_as_the_code_asks_and_its_judge_gets_the_answer(evals, wire):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    code, _ = evals([{**case(judge="It is kind."), "history": turns, "system": "judge"}], "--judge", "claude-opus-5-5")
    asked, judged = (each["body"] for each in wire)
    assert code == 0
    assert asked["messages"] == [*turns, {"role": "user", "content": "Why?"}]
    assert (asked["system"][0]["text"], asked["model"]) == (judged["system"][0]["text"], MODEL)
    material = json.loads(judged["messages"][0]["content"])
    assert material["conversation"] == asked["messages"]
    assert material["requirement"] == "It is kind."
    assert material["answer"].startswith("This is the offline stand-in")
    assert judged["model"] == "claude-opus-5-5"


def test_without_a_key_no_answer_is_compared_and_the_command_says_so(evals, project):
    code, shown = evals([case(contains="nobody says this"), case("two", schema="tests.test_evals.Ticket")])
    assert (code, outcome_of(shown).split()[2], outcome_of(shown, "two").split()[2]) == (0, "asked", "asked")
    assert "no answer was compared" in shown
    assert not (project / ".evals.json").exists()


def test_without_a_key_a_request_that_the_api_refuses_is_found(evals):
    code, shown = evals([case(prompt=" ", contains="a"), case("two", contains="a")])
    assert (code, outcome_of(shown).split()[2], outcome_of(shown, "two").split()[2]) == (1, "error", "asked")


def test_so_many_cases_are_asked_at_once(evals, api):
    all_there = threading.Barrier(3, timeout=20)

    def answer(connection):
        all_there.wait()
        body = said("Blue.")
        connection.sendall(b"HTTP/1.1 200 .\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        return True

    api.answer = answer
    assert evals([case(str(number), contains="Blue") for number in range(6)], "--at-once", "3")[0] == 0
    assert api.connections == 3  # of one client


def test_only_the_cases_with_a_word_are_asked(evals, answers, api):
    answers(said("Blue."))
    assert evals([case("sky", contains="Blue"), case("sea", contains="Green")], "sky")[0] == 0
    assert api.questions == 1
    assert evals([case("sky", contains="Blue")], "moon")[0] == 2


def test_no_case_is_asked_that_the_budget_may_not_pay_for(evals, answers, api):
    usage = {"usage": {"input_tokens": 1000, "output_tokens": 1}}
    answers(said("Blue.", **usage), said("Blue.", **usage))
    budget = "{{ '0.02' if cookiecutter.usage else '2500' }}"
    cases = [case(str(number), contains="Blue") for number in range(3)]
    code, shown = evals(cases, "--budget", budget)
    assert (code, api.questions) == (1, 2)
    assert f"The budget of {budget}" in shown
    assert outcome_of(shown, "2") == "site: 2 not asked"


def test_ctrl_c_keeps_what_was_done(evals, answers, api, project, monkeypatch):
    monkeypatch.setattr(deadline, "drain_at", math.inf)
    # % if cookiecutter.view_style != "async"
    monkeypatch.setattr(deadline, "LOOK_AROUND", 0.05)
    # % endif
    answers(said("Blue."))
    first = api.answer

    def answer(connection):
        if api.questions == 1:
            return first(connection)
        os.kill(os.getpid(), signal.SIGINT)
        return connection.recv(1)

    api.answer = answer
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
    try:
        code, shown = evals([case(name, contains="Blue") for name in ("one", "two", "three")], "--at-once=1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert outcome_of(shown).split()[2] == "passed"
    assert outcome_of(shown, "two") == "site: two not asked"
    assert list(json.loads((project / ".evals.json").read_text())["cases"]) == ["site: one"]


def test_the_calls_are_those_of_nobody_for_evals(evals, answers, caplog):
    caplog.set_level("INFO", logger="claude")
    answers(said("Blue."), verdict(True))
    evals([case(judge="It names a colour.")])
    told = [(line.purpose, line.user_id, line.prompt_version) for line in caplog.records if line.name == "claude"]
    assert told == [("evals", None, None), ("evals", None, prompts.read("judge").version)]


def test_the_cases_of_this_project_can_be_asked(settings):
    settings.BASE_DIR = BASE_DIR
    call_command("evals", stdout=StringIO())


# --- What is said and kept ------------------------------------------------------------------------


def test_the_table_says_what_has_changed_since_the_last_run(evals, answers):
    cases = [case(name, contains="Blue") for name in ("one", "two", "three")]
    usage = {"usage": {"input_tokens": 1000, "output_tokens": 1}}
    answers(said("Blue."), said("Red."), said("Blue."))
    assert "new failure" not in evals(cases, "--at-once=1")[1]
    answers(said("Red."), said("Blue.", **usage), 529)
    shown = evals(cases, "--at-once=1")[1]
    assert "new failure" in outcome_of(shown, "one")
    assert "fixed, +" in outcome_of(shown, "two")
    assert "error" in outcome_of(shown, "three")
    answers(said("Red."), said("Blue.", **usage), said("Red."))
    shown = evals(cases, "--at-once=1")[1]
    assert "new failure" not in outcome_of(shown, "one")
    assert "new failure" in outcome_of(shown, "three")


@pytest.mark.parametrize("kept", ["", "[]", "{}", '{"unit": "bananas", "cases": {"site: one": {}}}', "\0"])
def test_a_last_run_that_cannot_be_read_is_none(evals, answers, project, kept):
    (project / ".evals.json").write_text(kept)
    answers(said("Blue."))
    assert evals([case(contains="Blue")])[0] == 0


def test_json_has_what_the_table_has_and_the_whole_answers(evals, answers, project):
    answers(said("Blue. " * 100), said("Red."))
    out = project / "out.json"
    evals([case("one", contains="Red"), case("two", contains="Red")], "--at-once=1", f"--json={out}")
    found = json.loads(out.read_text())
    assert (found["passed"], found["outcomes"], found["model"]) == (False, {"failed": 1, "passed": 1}, MODEL)
    assert [each["outcome"] for each in found["cases"]] == ["failed", "passed"]
    assert found["cases"][0]["answer"] == "Blue. " * 100
    assert found["cost"] == sum(each["cost"] for each in found["cases"]) > 0


BROKEN = [
    ("- name: a\n  prompt: x\n  expect:\n    contans: a\n", 4, "expect.contans: is no field of a case"),
    ("- name: a\n  promt: x\n  expect: {contains: a}\n", 1, "prompt: is missing"),
    ("- name: a\n  prompt: x\n  expect: {}\n", 3, "expects nothing: give contains"),
    ("- name: a\n  prompt: x\n  system: nobody\n  expect: {contains: a}\n", 3, "There is no prompts/nobody.md"),
    ("- name: a\n  prompt: x\n  expect:\n    matches: '(('\n", 4, "should be a valid regular expression"),
    ("- name: a\n  prompt: x\n  expect: {schema: nowhere.Ticket}\n", 3, "No module named 'nowhere"),
    ("- name: a\n  prompt: x\n  expect: {schema: json.dumps}\n", 3, "subclass of BaseModel"),
    ("- name: a\n  prompt: x\n  expect: {schema: tests.test_evals.Untold}\n", 3, "Untold has a dict"),
    ("- name: a\n  prompt: x\n  history:\n  - {role: system, content: x}\n  expect: {judge: a}\n", 4, "'user' or"),
    ("- name: a\n  prompt: x\n  prompt: y\n  expect: {judge: a}\n", 3, "prompt stands there twice"),
    ("- {name: a, prompt: x, expect: {judge: a}}\n" * 2, 2, "another case is called 'a'"),
    ("- name: a\n  prompt: [\n", 3, "this is no YAML"),
    ("- name: \0\n", 1, "this is no YAML"),
    ("- &a [*a]\n", 1, "this is no YAML"),
    ('- {name: a, prompt: "\\ud83d", expect: {judge: a}}\n', 1, "prompt: Input should be a valid string"),
    ("name: a\n", 1, "must be a list of cases"),
    ("", 1, "must be a list of cases"),
]


@pytest.mark.parametrize(("text", "line", "problem"), BROKEN)
def test_a_broken_file_is_named_with_its_line_and_nothing_is_asked(evals, wire, text, line, problem):
    code, shown = evals(text)
    assert (code, wire) == (2, [])
    assert f"evals/site.yaml:{line}: " in shown
    assert problem in shown


def test_what_looks_like_a_number_a_truth_or_a_date_is_a_text(evals, answers):
    answers(said("42, no, 2026-01-31"))
    assert evals("- name: 1\n  prompt: x\n  expect:\n    contains: [42, no, 2026-01-31]\n")[0] == 0


@pytest.mark.parametrize("arguments", [["--at-once=0"], ["--budget=x"], ["--json=/nowhere/at/all"]])
def test_an_argument_that_cannot_be_is_refused_before_anything_is_asked(evals, wire, arguments):
    code, shown = evals([case(contains="a")], *arguments)
    assert (code > 0, wire) == (True, [])
    assert arguments[0].split("=")[0] in shown


# % if cookiecutter.usage
def test_a_model_without_a_price_is_asked_nothing(evals, api, settings):
    settings.ANTHROPIC_MODEL = "claude-test-model"
    code, shown = evals([case(contains="a")])
    assert (code, api.questions) == (2, 0)
    assert "check USAGE_PRICES" in shown
    settings.CLAUDE_OFFLINE = True
    assert evals([case(contains="a")])[0] == 0


def test_the_table_has_what_the_calls_of_a_case_cost_together(evals, answers):
    answers(said("Blue.", usage={"input_tokens": 1000, "output_tokens": 1}), verdict(True))
    assert " 0.0033 " in outcome_of(evals([case(judge="It names a colour.")])[1])


# % endif
def test_a_project_without_pyyaml_is_told_what_to_install(evals, wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    code, shown = evals([case(contains="a")])
    assert (code, wire) == (2, [])
    assert "make setup" in shown
