"""What hooks/pre_gen_project.py refuses, why, and which answer it suggests instead."""

import re
import runpy
import shlex
from importlib.metadata import distributions
from types import SimpleNamespace

import pytest
from cookiecutter.environment import StrictEnvironment

from bakery import CONFIG, OPTIONS, PROJECT_SOURCE, TEMPLATE, VARIANTS
from environments import find_python

pre_gen = SimpleNamespace(**runpy.run_path(str(TEMPLATE / "hooks" / "pre_gen_project.py")))


@pytest.mark.parametrize(
    ("slug", "why", "suggestion"),
    [
        ("My App", "must start with a letter", "my_app"),
        ("my-app", "must start with a letter", "my_app"),
        ("2fast", "must start with a letter", "my_2fast"),
        ("_app", "must start with a letter", "app"),
        ("app_", "must start with a letter", "app"),
        ("café", "must start with a letter", "cafe"),
        ("日本", "must start with a letter", "my_claude_app"),
        ("../up", "must start with a letter", "up"),
        ("app\n", "must start with a letter", "app"),
        ("", "must start with a letter", "my_claude_app"),
        ("a" * 33, "has 33 characters", "a" * 32),
        ("class", "keyword of Python", "my_class"),
        ("con", "device on Windows", "my_con"),
        ("lpt9", "device on Windows", "my_lpt9"),
        ("news", "Debian or PostgreSQL has for itself", "my_news"),
        ("pg_app", "Debian or PostgreSQL has for itself", "my_pg_app"),
        ("chat", "folder inside the project", "my_chat"),
        ("tests", "folder inside the project", "my_tests"),
        ("email", "Python's standard library", "my_email"),
        ("django_csp", "package that the project itself needs", "my_django_csp"),
    ],
)
def test_a_slug_that_cannot_work(slug, why, suggestion):
    fault = pre_gen.slug_fault("project_slug", slug)
    assert why in fault.problem
    assert fault.suggestion == suggestion


@pytest.mark.parametrize(
    "slug", ["my_claude_app", "a", "app2", "a__b", "claude_chat", "match", "console", "com", "com10", "a" * 32]
)
def test_a_slug_that_works(slug):
    assert pre_gen.slug_fault("project_slug", slug) is None


def test_no_folder_of_the_project_is_a_slug():
    folders = {path.name for path in PROJECT_SOURCE.iterdir() if path.is_dir() and path.name.isidentifier()}
    assert folders <= pre_gen.OWN_NAMES


def test_nothing_that_a_project_installs_is_a_slug(bake, environment):
    """By the names to install and the names to import."""
    python = find_python("oldest")
    for folder in {environment(bake(**answers), python) for answers in VARIANTS}:
        (packages,) = folder.glob("lib/python*/site-packages")
        names = {re.sub(r"[-_.]+", "_", found.name).lower() for found in distributions(path=[str(packages)])}
        names |= {path.stem for path in packages.iterdir()}
        assert "django" in names
        assert [name for name in sorted(names) if not pre_gen.slug_problem(name)] == []


@pytest.mark.parametrize(
    ("domain", "suggestion"),
    [
        ("https://example.com", "example.com"),
        ("example.com:8000", "example.com"),
        ("https://me:pw@Chat.Example.com:8000/a/b?c#d", "chat.example.com"),
        (" example.com. ", "example.com"),
        ("*.example.com", "example.com"),
        ("my_app.example.com", "my-app.example.com"),
        ("Example.COM", "example.com"),
        ("straße.example", "xn--strae-oqa.example"),
        ("ＣＡＦÉ。example", "xn--caf-dma.example"),
        ("example com", None),
        ("-a.example.com", None),
        ("a..example.com", None),
        ("a" * 64 + ".com", None),
        ("a." * 126 + "com", None),
        ("10.0.0.5", None),
        ("[::1]", None),
        ("example.com; rm -rf /", None),
        ("", None),
    ],
)
def test_a_domain_that_is_none(domain, suggestion):
    assert pre_gen.domain_fault("domain_name", domain).suggestion == suggestion


@pytest.mark.parametrize(
    "domain", ["example.com", "localhost", "chat.intern", "a-1.example.co.uk", "xn--caf-dma.example"]
)
def test_a_domain(domain):
    assert pre_gen.domain_fault("domain_name", domain) is None


@pytest.mark.parametrize("character", "\0\a\x1b\x7f\x85\u2028\u2029\ud83d\uffff")
def test_text_that_not_every_file_can_hold(character):
    fault = pre_gen.name_fault("project_name", f"one{character} two")
    assert repr(character) in fault.problem
    assert fault.suggestion.split() == ["one", "two"]
    assert pre_gen.name_fault("project_name", fault.suggestion) is None


@pytest.mark.parametrize("text", ["a\n\tb", 'O\'Connor "The \\ Ace"', "日本 🚀 \u200f", "{{ x }} {% y %} # % z"])
def test_text_that_every_file_can_hold(text):
    assert pre_gen.name_fault("project_name", text) is None


@pytest.mark.parametrize("name", ["", " \n"])
def test_a_project_has_a_name(name):
    assert "is empty" in pre_gen.name_fault("project_name", name).problem


def test_an_old_cookiecutter_is_refused_with_a_command_that_fetches_a_new_one():
    """Cookiecutter 2.6, the last for Python 3.9, hands the no of a command line on as a text, which means yes."""
    yes_or_no = {option: value for option, value in OPTIONS.items() if isinstance(value, bool)}
    answers = {**yes_or_no, "_template": "gh:an/other", "_output_dir": "/out"}
    assert pre_gen.age_fault(answers) is None
    for fault in (pre_gen.age_fault(answers, (3, 9, 18)), pre_gen.age_fault({**answers, "nginx": "no"})):
        words = pre_gen.command_again(answers, [fault], {"PWD": "/out"}, "/env")
        assert "older than 2.7" in fault.problem
        assert words[:4] == ["uvx", "--python", "3.13", "cookiecutter@latest"]


def test_the_hook_knows_every_question_of_yes_or_no():
    assert set(pre_gen.YES_OR_NO) == {option for option, value in OPTIONS.items() if isinstance(value, bool)}


def test_the_default_answers_are_accepted():
    assert pre_gen.faults({**OPTIONS, "project_slug": "my_claude_app"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "{{ 7 * 7 }}",
        "{{{ %} {%% {# #} }}",
        "{% raw %}{% endraw %}{{ x",
        "# % if x\n  # % endif\na # % b",
        'a "quoted" {{ "brace" }}',
        "trailing newline {#\n",
    ],
)
def test_an_answer_on_the_command_line_arrives_as_it_is(text):
    environment = StrictEnvironment(context={}, keep_trailing_newline=True, **CONFIG["_jinja2_env_vars"])
    assert environment.from_string(pre_gen.not_rendered(text)).render() == text


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ["cookiecutter"]),
        ({"UV": "/bin/uv"}, ["uvx", "cookiecutter"]),
        ({"UV": "/bin/uv", "VIRTUAL_ENV": "/another"}, ["uvx", "cookiecutter"]),
        ({"UV": "/bin/uv", "VIRTUAL_ENV": "/env"}, ["cookiecutter"]),
    ],
)
def test_the_command_starts_as_the_user_started(environ, words):
    assert pre_gen.launcher(environ, "/env") == words


def test_the_command_names_everything_that_was_chosen():
    answers = {
        "project_name": "A 'b'",
        "nginx": False,
        "env_file": True,
        "_template": "gh:an/other",
        "_checkout": "v 2",
    }
    words = pre_gen.command_again({**answers, "_output_dir": "/out"}, [], {"PWD": "/out"}, "/env")
    assert shlex.split(" ".join(words)) == [
        "cookiecutter", "gh:an/other", "--no-input", "--checkout", "v 2",
        "project_name=A 'b'", "nginx=no", "env_file=yes",
    ]  # fmt: skip


def test_a_long_command_is_folded_as_a_shell_reads_it():
    words = [f"option_{number}='an answer'" for number in range(20)]
    folded = pre_gen.folded(words)
    assert max(map(len, folded.splitlines())) < 120
    assert shlex.split(folded.replace("\\\n", "")) == shlex.split(" ".join(words))
