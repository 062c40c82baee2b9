LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=(?P<value>.*)")
QUOTED = re.compile(r"""\s*(?P<quote>["'])(?P<value>((?!(?P=quote)).)*)(?P=quote)(\s+\#.*)?""", re.VERBOSE)


class EnvFile(RepositoryEmpty):
    """The lines NAME=value of a file. It is read when it is first asked.

    Raises ImproperlyConfigured, with the file and the line, for what could be understood in two ways.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @cached_property
    def values(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for number, line in enumerate(self.read().split("\n"), start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                name, value = parse(line.strip())
                if name in values:
                    raise ValueError(f"{name} is set a second time")
            except ValueError as error:
                raise ImproperlyConfigured(f"{self.path}, line {number}: {error}.") from None
            values[name] = value
        return values

    def read(self) -> str:
        if not os.path.lexists(self.path):
            return ""
        try:
            return self.path.read_text(encoding="utf-8-sig")  # without a byte order mark
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{self.path} is not text in UTF-8: save it as UTF-8.") from None
        except OSError as error:
            raise ImproperlyConfigured(f"{self.path} cannot be read: {error.strerror}.") from None


def parse(line: str) -> tuple[str, str]:
    """Name and value. A comment begins with a # after a space; quotes keep what is between them as it is."""
    setting = LINE.fullmatch(line)
    if setting is None:
        raise ValueError("expected NAME=value")
    name, value = setting["name"], setting["value"]
    if not value.lstrip().startswith(('"', "'")):
        return name, re.split(r"\s#", value, maxsplit=1)[0].strip()
    quoted = QUOTED.fullmatch(value)
    if quoted is None:
        raise ValueError(f"the quotes around the value of {name} must be the first and the last on this line")
    return name, quoted["value"]


