"""Refuses answers that no project can be made from. Prints what is wrong, what to do, and a command that works.

Cookiecutter renders this file and runs the copy before it writes any file of the project. Every bake waits for it, so
imports that good answers do not need are inside the functions: `re` alone takes as long as the rest.
"""

import keyword
import os
import sys
import unicodedata

OWN_NAMES = {"accounts", "chat", "claude", "config", "deploy", "docs", "static", "templates", "test", "tests"}
# The dependencies of the project and their dependencies, by the names to install and to import.
# fmt: off
DEPENDENCIES = {
    "annotated_types", "anthropic", "anyio", "asgiref", "ast_serialize", "axes", "certifi", "cfgv", "click", "csp",
    "cssbeautifier", "decouple", "deptry", "distlib", "dj_database_url", "django", "django_axes", "django_csp",
    "django_permissions_policy", "django_stubs", "django_stubs_ext", "djlint", "docstring_parser", "dotenv",
    "editorconfig", "filelock", "grimp", "gunicorn", "h11", "httpcore2", "httptools", "httpx2", "identify", "idna",
    "import_linter", "importlinter", "iniconfig", "jiter", "jsbeautifier", "json5", "librt", "markdown_it",
    "markdown_it_py", "mdurl", "mypy", "mypy_django_plugin", "mypy_extensions", "mypyc", "nodeenv", "opentelemetry",
    "opentelemetry_api", "packaging", "pathspec", "platformdirs", "pluggy", "pre_commit", "psycopg", "psycopg_binary",
    "psycopg_pool", "py", "pydantic", "pydantic_core", "pygments", "pytest", "pytest_django", "python_decouple",
    "python_discovery", "python_dotenv", "python_json_logger", "pythonjsonlogger", "pyyaml", "regex", "requirements",
    "requirements_parser", "rich", "ruff", "sentry_sdk", "sniffio", "sqlparse", "tomli", "truststore", "types_pyyaml",
    "typing_extensions", "typing_inspection", "tzdata", "urllib3", "uvicorn", "uvloop", "virtualenv", "watchfiles",
    "websockets", "whitenoise", "yaml",
}
# fmt: on
# The service runs as a user with the name of the slug. Linux allows no longer names for users.
SLUG_LENGTH = 32

LOWER = set("abcdefghijklmnopqrstuvwxyz0123456789")
EMAIL_MARKS = set("!#$%&'*+-/=?^_`{|}~")
FREE_TEXT = ("project_name", "description", "author_name")


class Fault:
    """What is wrong with an answer, what to do, and an answer that works: None when only a person can know one."""

    def __init__(self, option, problem, fix, suggestion):
        self.option = option
        self.problem = problem
        self.fix = fix
        self.suggestion = suggestion


DEFAULT_TAKEN = "the command below uses the default"


def faults(answers):
    """All faults of the answers, in the order of the questions."""
    checks = {
        "project_slug": slug_fault,
        "author_email": email_fault,
        "domain_name": domain_fault,
        "time_zone": time_zone_fault,
        **dict.fromkeys(FREE_TEXT, text_fault),
    }
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


def email_fault(option, email):
    if is_email(email):
        return None
    suggestion = email_from(email)
    fix = f"use {suggestion}" if suggestion else f"use one such as you@example.com; {DEFAULT_TAKEN}"
    return Fault(option, f"{shown(email)} is not an e-mail address", fix, suggestion)


def is_email(text):
    name, _, domain = text.rpartition("@")
    words = name.split(".")
    named = len(name) <= 64 and all(word and all(c.isalnum() or c in EMAIL_MARKS for c in word) for word in words)
    return named and "." in domain and is_host_name(domain.lower())


def email_from(text):
    """The address inside `Name <address>` or a mistyped one, or None."""
    address = text.partition("<")[2].partition(">")[0] or text
    address = address.strip().removeprefix("mailto:")
    name, _, domain = address.rpartition("@")
    email = f"{name}@{host_name_from(domain)}"
    return email if is_email(email) else None


def time_zone_fault(option, zone):
    if zone == "UTC":  # the default need not wait for the list
        return None
    import zoneinfo

    known = sorted(zoneinfo.available_timezones())
    if not known or zone in known:  # a machine without the database cannot tell
        return None
    suggestion = nearest_zone(zone, known)
    fix = f"use {suggestion}" if suggestion else f"use one such as UTC or Europe/Paris; {DEFAULT_TAKEN}"
    return Fault(option, f"{shown(zone)} is not a time zone", fix, suggestion)


def nearest_zone(zone, known):
    """The time zone that was meant: another spelling, a city alone, a slip of the finger. None when no zone is near."""
    import difflib
    import re

    def plain(name):
        return re.sub(r"[\s_-]+", "_", name.strip().lower())

    by_name = {plain(name): name for name in known}
    # Without Etc/GMT+2, which lies two hours west of Greenwich: not what a person means by GMT+2.
    by_city = {plain(name.rpartition("/")[2]): name for name in reversed(known) if not name.startswith("Etc/")}
    close = difflib.get_close_matches(plain(zone), by_name, n=1, cutoff=0.85)
    return by_name.get(plain(zone)) or by_city.get(plain(zone)) or (by_name[close[0]] if close else None)


def text_fault(option, text):
    if all(map(is_writable, text)):
        if option == "project_name" and not text.strip():
            return Fault(option, "it is empty", f"give the project a name; {DEFAULT_TAKEN}", None)
        return None
    problem = next(character for character in text if not is_writable(character))
    lines = text.replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
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

    words = [*launcher(environ, prefix), shlex.quote(answers["_template"]), "--no-input"]
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
        f"\nNo project was made, because of these answers:\n\n{sentences}\n\n"
        f"Run this instead:\n\n  {folded(words)}\n\n"
        "What follows is Cookiecutter's own report of the same.\n"
    )


def main(answers):
    found = faults(answers)
    if found:
        sys.stderr.write(refusal(found, command_again(answers, found, os.environ, sys.prefix)))
        sys.exit(1)


if __name__ == "__main__":
    # `repr` of each answer: no quote or backslash in an answer can end the literal.
    main(dict({{cookiecutter.items() | rejectattr(1, "mapping") | list}}))
