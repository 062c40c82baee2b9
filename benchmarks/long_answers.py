"""Answers as Claude gives them to people who write software: prose, lists, tables and code, of any length."""

import random

PROSE = [
    "The **first** thing to know is that a generator reads nothing until somebody asks it, as `next()` does.",
    "That is why it is *cheap*: whatever the size of the file, there is one line of it in memory.",
    "See [the documentation](https://example.com/generators?page=2) or https://example.org/notes for the details.",
    "Open the file, look at the line which begins with `def`, change it as shown below, and run the tests again.",
]
CODE = '''```python
from collections.abc import Iterator


class Reader:
    """Reads lines."""

    def __init__(self, path: str, size: int = 4096) -> None:
        self.path = path
        self.size = size

    def lines(self) -> Iterator[str]:
        with open(self.path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.startswith("#"):  # a comment
                    continue
                yield f"{number}: {line.rstrip()}"
```'''
ROWS = [f"| `item_{number}` | {number * 37} | the **{number}th** of all |" for number in range(8)]
TABLE = "\n".join(["| name | value | what it means |", "|---|--:|---|", *ROWS])
STEPS = "\n".join(f"{number}. **Step {number}**: do as shown, then run `make test`." for number in range(1, 6))
POINTS = "\n".join(f"- a point about `thing_{number}`\n  - and a detail of it" for number in range(4))


def answer(size, seed=1):
    """An answer of so many characters, always the same one."""
    chance = random.Random(seed)
    parts, left = [], size
    while left > 0:
        prose = " ".join(chance.choices(PROSE, k=3))
        parts.append(chance.choice([f"## Part {len(parts)}", prose, prose, prose, CODE, TABLE, STEPS, POINTS]))
        left -= len(parts[-1]) + 2
    return "\n\n".join(parts)[:size]


def deltas(text, seed=1):
    """The pieces in which it comes: tokens of three to five characters."""
    chance = random.Random(seed)
    pieces = []
    while text:
        size = chance.randint(3, 5)
        pieces.append(text[:size])
        text = text[size:]
    return pieces
