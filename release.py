"""Makes a release of what is committed: `make release VERSION=0.4.0`. Pushes nothing."""

import re
import subprocess
import sys
from datetime import UTC, datetime

import surface
from bakery import TEMPLATE as HERE

HEADING = "## [Unreleased]\n"


def git(*arguments):
    """What git prints. Its own words are the error."""
    done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def numbers(version):
    return tuple(map(int, version.split(".")))


def problem(version, last, unreleased):
    """Why there can be no such release, or None."""
    if not version:
        return "Say which version: make release VERSION=0.4.0"
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version, re.ASCII):
        return f"{version} is no version: give three numbers, such as 0.4.0."
    if numbers(version) <= numbers(last):
        return f"{version} is not above {last}, the last version in CHANGELOG.md."
    if git("tag", "--list", f"v{version}"):
        return f"The tag v{version} is there already: choose a higher version, or delete the tag."
    if git("status", "--porcelain"):
        return "There are changes that are not committed, see git status: commit them first."
    if not re.search(r"^- ", unreleased, re.MULTILINE):
        return "CHANGELOG.md has nothing under Unreleased: write down there what is new."
    same = 2 if version.startswith("0.") else 1
    if "**Breaking" in unreleased and numbers(version)[:same] == numbers(last)[:same]:
        return f"CHANGELOG.md names something breaking, so {version} is too low: raise number {same} of {last}."
    return None


def changed(text, changes):
    for old, new in changes:
        assert old in text, f"nowhere is {old!r}"
        text = text.replace(old, new, 1)
    return text


def main(version):
    changelog = (HERE / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased = changelog.split(HEADING)[1].split("\n## ")[0]
    last, reference = re.search(r"^\[(\d.*)\]: \S*/(\S+)$", changelog, re.MULTILINE).groups()
    found = problem(version, last, unreleased)
    if found:
        sys.exit(found)
    compare = "[Unreleased]: ../../compare/{}...HEAD\n"
    package = 'name = "cookiecutter-django-claude"\nversion = "{}"\n'
    heading = f"{HEADING}\n## [{version}] - {datetime.now(UTC):%Y-%m-%d}\n"
    link = f"[{version}]: ../../tree/v{version}\n"
    changes = {
        "CHANGELOG.md": [(HEADING, heading), (compare.format(reference), compare.format(f"v{version}") + link)],
        "pyproject.toml": [(f'version = "{last}"', f'version = "{version}"')],
        "uv.lock": [(package.format(last), package.format(version))],
    }
    # All are looked at before one is written.
    texts = {path: changed((HERE / path).read_text(encoding="utf-8"), pairs) for path, pairs in changes.items()}
    for path, text in texts.items():
        (HERE / path).write_text(text, encoding="utf-8")
    surface.write(HERE)
    git("commit", "--all", "--message", f"Version {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Version {version}")
    print(f"Version {version} is committed, and has the tag v{version}, in this clone.")
    print(f"Left to do: make test, if it has not passed here; then git push origin HEAD v{version}")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]).strip())
