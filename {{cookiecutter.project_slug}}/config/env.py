"""Reads the settings of this machine. An error names the setting, what it is, and what it takes.

https://github.com/HBNetwork/python-decouple
"""

import os
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as shortened
from typing import Any
from zoneinfo import available_timezones

# % if cookiecutter.env_file
from decouple import Config, Csv, strtobool
from django.core.exceptions import ImproperlyConfigured

from config.env_file import EnvFile

# % else
from decouple import Config, Csv, RepositoryEmpty, strtobool
from django.core.exceptions import ImproperlyConfigured

# % endif
BASE_DIR = Path(__file__).resolve().parent.parent

csv = Csv()

# What is said of a value of the wrong kind. None of these is a secret.
TAKES = {
    int: "a whole number",
    float: "a number",
    strtobool: "true or false",
    csv: "names separated by commas",
}

# % if cookiecutter.env_file
# The process environment wins over the file .env, which git ignores.
values = Config(EnvFile(BASE_DIR / ".env"))


# % else
# From the process environment only: no file is looked for, here or in the folders above.
values = Config(RepositoryEmpty())


# % endif
def config(name: str, default: Any, cast: Callable[[Any], Any] = str) -> Any:
    """The setting of this name, without white space around it. An empty one is the default.

    Raises ImproperlyConfigured for a value that `cast` refuses with a ValueError.
    """
    cast = strtobool if cast is bool else cast
    text = values(name, "").strip()
    if not text.isascii() and text != text.encode(errors="replace").decode():
        raise ImproperlyConfigured(f"{name} is not text in UTF-8.")
    try:
        return cast(text or default)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is {shortened(text)}: it takes {TAKES.get(cast, error)}.") from None


def choice(text: str) -> str:
    """One of a few words, in lower case. `default` is what an empty setting, which has its default, cannot say: none."""
    return "" if text.lower() == "default" else text.lower()


def time_zone(name: str) -> str:
    """A name that the machine has; some lack old ones such as US/Eastern."""
    if name != "UTC" and name not in available_timezones() - {"Factory", "localtime"}:
        raise ValueError("a time zone that this machine knows, such as Europe/Paris")
    return name


def file_path(name: str) -> Path:
    """An absolute path, or one below the project's folder. It need not exist."""
    path = BASE_DIR / name
    if os.path.isdir(path):  # which raises nothing
        raise ValueError("the path of a file, not of a folder")
    return path
