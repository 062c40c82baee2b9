"""How long a default bake takes beside an empty template, and beside other templates: a ratio, all measured in one run.

    make bench
    make bench A="--peer ../cookiecutter-django --rounds 20"

Whole commands are timed, interleaved so that a busy moment of the machine meets them all. No uv is on their PATH, so
that nothing is locked: that takes a network's time, not ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent


def main():
    """Measure, print medians and ratios, and fail when the default bake is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, action="append", default=[], help="another template's folder")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--most", type=float, default=1.3, help="the ratio over which the measurement fails")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        templates = {"empty template": empty_template(folder / "empty"), "this template": TEMPLATE}
        templates.update({peer.resolve().name: peer.resolve() for peer in arguments.peer})
        times = measure(templates, folder, arguments.rounds)

    unit = statistics.median(times["empty template"])
    print(f"{'':24} {'median':>8} {'fastest':>8} {'ratio':>6}   of {arguments.rounds} rounds")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:24} {middle * 1000:5.0f} ms {min(seconds) * 1000:5.0f} ms {middle / unit:6.2f}")
    ratio = statistics.median(times["this template"]) / unit
    if ratio > arguments.most:
        sys.exit(f"A default bake takes {ratio:.2f} times as long as an empty template; {arguments.most} is allowed.")


def empty_template(folder):
    """A template with one question, no file and no hook."""
    (folder / "{{cookiecutter.project_slug}}").mkdir(parents=True)
    (folder / "cookiecutter.json").write_text(json.dumps({"project_slug": "empty"}), encoding="utf-8")
    return folder


def measure(templates, folder, rounds):
    """{name: seconds of each round}, after one round that is not counted."""
    times = {name: [] for name in templates}
    for number in range(rounds + 1):
        for position, (name, template) in enumerate(templates.items()):
            seconds = bake(template, folder / f"{number}-{position}", home=folder)
            if number:
                times[name].append(seconds)
    return times


def bake(template, output, home):
    """Seconds that one default bake takes, as typed in a terminal."""
    output.mkdir()
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config", "--output-dir", output, template]
    variables = {**os.environ, "HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin"}
    start = time.perf_counter()
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{template} does not bake:\n{done.stdout}{done.stderr}")
    return seconds


if __name__ == "__main__":
    main()
