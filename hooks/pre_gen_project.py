"""Refuses answers that no project can be made from. Prints what is wrong, what to do, and a command that works.

Cookiecutter renders this file and runs the copy before it writes any file of the project. Every bake waits for it, so
imports that good answers do not need are inside the functions: `re` alone takes as long as the rest. A hook before the
questions would be sooner, but for one Cookiecutter copies the whole repository, on every bake.
"""

import keyword
import os
import sys
import unicodedata

OWN_NAMES = {
    "accounts", "chat", "claude", "config", "deploy", "docs", "e2e", "evals", "prompts", "static", "templates", "test",
    "tests", "usage",
}  # fmt: skip
# Of Debian and of PostgreSQL, where the project gets a user of its own.
SYSTEM_NAMES = {
    "adm", "backup", "bin", "daemon", "games", "irc", "list", "lp", "mail", "man", "news", "nginx", "nobody", "none",
    "postgres", "proxy", "public", "root", "sshd", "sudo", "sync", "sys", "uucp",
}  # fmt: skip
WINDOWS_DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
# The dependencies of the project and their dependencies, by the names to install and to import.
# fmt: off
DEPENDENCIES = {
    "a1_coverage", "aiohappyeyeballs", "aiohttp", "aiosignal", "annotated_types", "anthropic", "anyio", "asgiref",
    "ast_serialize", "attr", "attrs", "axe_playwright_python", "axes", "certifi", "cfgv", "click", "coverage",
    "csp", "cssbeautifier", "decouple", "deptry", "distlib", "dj_database_url", "django", "django_axes",
    "django_csp", "django_permissions_policy", "django_stubs", "django_stubs_ext", "djlint", "docstring_parser",
    "dotenv", "editorconfig", "filelock", "frozenlist", "genai_prices", "greenlet", "grimp", "gunicorn", "h11",
    "httpcore2", "httptools", "httpx2", "identify", "idna", "import_linter", "importlinter", "iniconfig", "jiter",
    "jsbeautifier", "json5", "librt", "markdown_it", "markdown_it_py", "mdurl", "multidict", "mypy",
    "mypy_django_plugin", "mypy_extensions", "mypyc", "nh3", "nodeenv", "opentelemetry", "opentelemetry_api",
    "packaging", "pathspec", "platformdirs", "playwright", "pluggy", "pre_commit", "propcache", "psycopg",
    "psycopg_binary", "psycopg_pool", "py", "pydantic", "pydantic_core", "pyee", "pygments", "pytest",
    "pytest_django", "python_decouple", "python_discovery", "python_dotenv", "python_json_logger",
    "pythonjsonlogger", "pyyaml", "regex", "requirements", "requirements_parser", "rich", "ruff", "sentry_sdk",
    "sniffio", "sqlparse", "tomli", "truststore", "types_pyyaml", "typing_extensions", "typing_inspection",
    "tzdata", "urllib3", "uvicorn", "uvloop", "virtualenv", "watchfiles", "websockets", "whitenoise", "yaml",
    "yarl",
}
# fmt: on
# The service runs as a user with the name of the slug. Linux allows no longer names for users.
SLUG_LENGTH = 32

YES_OR_NO = ("client_wrapper", "usage", "env_file", "nginx", "docker", "sentry")

LOWER = set("abcdefghijklmnopqrstuvwxyz0123456789")


class Fault:
    """What is wrong with an answer, what to do, and an answer that works: None when only a person can know one."""

    def __init__(self, option, problem, fix, suggestion):
        self.option = option
        self.problem = problem
        self.fix = fix
        self.suggestion = suggestion


DEFAULT_TAKEN = "the command below uses the default"


def age_fault(answers, python=sys.version_info):
    """Before version 2.7, which needs Python 3.10, Cookiecutter takes the no of a command line for a yes."""
    if python >= (3, 10) and all(isinstance(answers[option], bool) for option in YES_OR_NO):
        return None
    problem = f"it is older than 2.7, or its Python ({python[0]}.{python[1]}) is older than 3.10"
    return Fault("cookiecutter", problem, "the command below fetches a new one", None)


def faults(answers):
    """All faults of the answers, in the order of the questions."""
    checks = {"project_name": name_fault, "project_slug": slug_fault, "domain_name": domain_fault}
    found = (checks[option](option, answer) for option, answer in answers.items() if option in checks)
    return [fault for fault in found if fault]


def slug_fault(option, slug):
    problem = slug_problem(slug)
    if not problem:
        return None
    suggestion = slug_from(slug)
    return Fault(option, f"{shown(slug)} {problem}", f"use another, such as {suggestion}", suggestion)


def slug_problem(slug):
    """Why a project cannot have this slug, or None."""
    if not (set(slug) <= LOWER | {"_"} and slug.isidentifier() and slug == slug.strip("_")):
        return "must start with a letter, end with a letter or a digit, and contain only a-z, 0-9 and _"
    if len(slug) > SLUG_LENGTH:
        return f"has {len(slug)} characters, but the system user of that name in production can have only {SLUG_LENGTH}"
    if keyword.iskeyword(slug):
        return "is a keyword of Python"
    if slug in WINDOWS_DEVICES:
        return "is the name of a device on Windows, which cannot have such a folder"
    if slug in SYSTEM_NAMES or slug.startswith("pg_"):
        return "is a name that Debian or PostgreSQL has for itself; in production, the project is a user of that name"
    if slug in OWN_NAMES:
        return "is the name of a folder inside the project"
    if slug in sys.stdlib_module_names:
        return "is a module of Python's standard library"
    if slug in DEPENDENCIES:
        return "is a package that the project itself needs"
    return None


def slug_from(text):
    """The nearest slug that a project can have."""
    import re

    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", ascii_text)[:SLUG_LENGTH].strip("_")
    candidates = [slug, f"my_{slug}"[:SLUG_LENGTH].strip("_")] if slug else []
    return next((candidate for candidate in candidates if not slug_problem(candidate)), "my_claude_app")


def domain_fault(option, domain):
    if is_host_name(domain):
        return None
    suggestion = host_name_from(domain)
    fix = f"use {suggestion}" if suggestion else f"use one such as chat.example.com; {DEFAULT_TAKEN}"
    problem = f"{shown(domain)} is not a host name: lower-case ASCII, without scheme, port and path"
    return Fault(option, problem, fix, suggestion)


def is_host_name(text):
    """Whether a browser, nginx, Django and a certificate all accept this name. No IP address is one."""
    labels = text.split(".")
    return len(text) <= 253 and all(map(is_host_label, labels)) and not labels[-1].isdigit()


def is_host_label(text):
    return 1 <= len(text) <= 63 and set(text) <= LOWER | {"-"} and text == text.strip("-")


def host_name_from(text):
    """The host name inside a URL or a mistyped name, or None."""
    import re

    name = re.sub(r"^[a-z][a-z0-9+.-]*://", "", text.strip().lower())
    name = re.split(r"[/?\#]", name)[0].rpartition("@")[2]
    name = re.sub(r":\d*$", "", name).removeprefix("*.").strip(".").replace("_", "-")
    name = name if name.isascii() else punycode(name)
    return name if name and is_host_name(name) else None


def punycode(name):
    """An international name in the ASCII that the network uses, or None.

    By the package that comes with Cookiecutter: the standard library's codec makes ss of ß, which is another domain.
    """
    try:
        import idna

        return idna.encode(name, uts46=True).decode()
    except (ImportError, UnicodeError):
        return None


def name_fault(option, name):
    if not name.strip():
        return Fault(option, "it is empty", f"give the project a name; {DEFAULT_TAKEN}", None)
    problem = next((character for character in name if not is_writable(character)), None)
    if not problem:
        return None
    lines = name.replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    suggestion = "".join(filter(is_writable, lines)).strip() or None
    fix = "the command below leaves out such characters" if suggestion else DEFAULT_TAKEN
    return Fault(option, f"{shown(problem)} cannot be written into every file", fix, suggestion)


def is_writable(character):
    """Whether every file can contain the character.

    None can contain control characters (except tab and newline), line separators, surrogates and noncharacters.
    """
    separates_or_controls = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    return character in "\t\n" or (not separates_or_controls and character not in "\ufffe\uffff")


def shown(answer):
    """An answer as part of a sentence: quoted, on one line, not too long."""
    text = repr(answer)
    return text if len(text) <= 60 else f"{text[:40]} … {text[-17:]}"


def command_again(answers, found, environ, prefix):
    """The words, quoted for a shell, of a command that asks nothing and gives every answer, with faulty ones replaced.

    It gives every answer, because a hook cannot tell whether a default comes from the user's own configuration.
    """
    import shlex

    old = any(fault.option == "cookiecutter" for fault in found)
    words = [*(NEW_COOKIECUTTER if old else launcher(environ, prefix)), shlex.quote(answers["_template"]), "--no-input"]
    if answers.get("_checkout"):
        words += ["--checkout", shlex.quote(answers["_checkout"])]
    if os.path.realpath(environ.get("PWD", "")) != os.path.realpath(answers["_output_dir"]):
        words += ["--output-dir", shlex.quote(answers["_output_dir"])]
    replaced = {fault.option: fault.suggestion for fault in found}
    for option, answer in answers.items():
        answer = replaced.get(option, answer)
        if option.startswith("_") or answer is None:
            continue
        text = ("no", "yes")[answer] if isinstance(answer, bool) else not_rendered(answer)
        words.append(f"{option}={shlex.quote(text)}")
    return words


NEW_COOKIECUTTER = ["uvx", "--python", "3.13", "cookiecutter@latest"]


def launcher(environ, prefix):
    """How Cookiecutter was started. `uvx` and `uv run` both set UV, but only `uv run` also names the environment."""
    through_uvx = environ.get("UV") and environ.get("VIRTUAL_ENV") != prefix
    return ["uvx", "cookiecutter"] if through_uvx else ["cookiecutter"]


def not_rendered(answer):
    """An answer as it must stand on a command line, where Cookiecutter takes it for a template, to arrive as it is."""
    import re

    def as_expression(mark):
        return "{" * 2 + f' "{mark}" ' + "}" * 2

    answer = re.sub(r"\{(?=[#%{])", as_expression("{"), answer)
    return re.sub(r"(?m)^([ \t\v]*)#(?= %)", r"\1" + as_expression("#"), answer)


def folded(words, width=100):
    """A command in lines of about this width."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return " \\\n    ".join(lines)


def refusal(found, words):
    """The message for the user."""
    sentences = "\n".join(f"  {fault.option}: {fault.problem}; {fault.fix}." for fault in found)
    return (
        f"\nNo project was made:\n\n{sentences}\n\n"
        f"Run this instead:\n\n  {folded(words)}\n\n"
        "What follows is Cookiecutter's own report of the same.\n"
    )


def main(answers):
    old = age_fault(answers)
    found = [old] if old else faults(answers)
    if found:
        sys.stderr.write(refusal(found, command_again(answers, found, os.environ, sys.prefix)))
        sys.exit(1)


if __name__ == "__main__":
    # `repr` of each answer: no quote or backslash in an answer can end the literal.
    main(dict({{cookiecutter.items() | rejectattr(1, "mapping") | list}}))
