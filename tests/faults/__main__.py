"""`make faults`: fills in the matrix, prints it, and fails when a cell is not as the table says."""

import sys
import time
from pathlib import Path

from workplace import workplace

from .matrix import run_all
from .report import report


def main() -> int:
    started = time.monotonic()
    with workplace(Path(sys.argv[1])) as (production, folder):
        outcomes = run_all(production, folder, lambda text: print(text, file=sys.stderr))
    for line in report(outcomes, time.monotonic() - started):
        print(line)
    return 0 if all(cell.good for outcome in outcomes for cell in (*outcome.cells, *outcome.kept)) else 1


if __name__ == "__main__":
    sys.exit(main())
