"""How long a default bake takes beside two controls, and beside other templates: ratios, all measured in one run.

    make bench
    make bench A="--peer ../cookiecutter-django --rounds 20"

One control is a template without a file. The other has the files of a default project as they come out, without
anything to render in them, and two empty hooks: what Cookiecutter itself takes for a project of this size. A bake that
takes much longer than that one pays for our conditions and hooks, and the measurement fails.

Whole commands are timed, interleaved so that a busy moment of the machine meets them all. No uv is on their PATH, so
that nothing is locked: that takes a network's time, not ours.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
PROJECT = "{{cookiecutter.project_slug}}"


def main():
    """Measure, print medians and ratios, and fail when the default bake is too slow."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, action="append", default=[], help="another template's folder")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--most", type=float, default=1.3, help="how often the time of nothing to render is too slow")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        templates = {
            "empty template": empty_template(folder / "empty"),
            "nothing to render": plain_template(folder / "plain"),
            "this template": TEMPLATE,
        }
        templates.update({peer.resolve().name: peer.resolve() for peer in arguments.peer})
        times = measure(templates, folder, arguments.rounds)

    middles = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"{'':24} {'median':>8} {'fastest':>8} {'of empty':>9} {'of plain':>9}   {arguments.rounds} rounds")
    for name, seconds in times.items():
        of_empty, of_plain = (middles[name] / middles[unit] for unit in ("empty template", "nothing to render"))
        print(f"{name:24} {middles[name] * 1000:5.0f} ms {min(seconds) * 1000:5.0f} ms {of_empty:9.2f} {of_plain:9.2f}")
    ratio = middles["this template"] / middles["nothing to render"]
    if ratio > arguments.most:
        sys.exit(f"A bake takes {ratio:.2f} times as long as one with nothing to render; {arguments.most} is allowed.")


def empty_template(folder):
    """A template with one question, no file and no hook."""
    (folder / PROJECT).mkdir(parents=True)
    (folder / "cookiecutter.json").write_text(json.dumps({"project_slug": "empty"}), encoding="utf-8")
    return folder


def plain_template(folder):
    """A template of what a default bake makes, byte for byte as large, with empty hooks and nothing to render.

    Not a copy of folders as they are: Cookiecutter reads, looks through and writes each file, as it must with ours.
    """
    empty_template(folder)
    baked = folder / "baked"
    bake(TEMPLATE, baked, home=folder)
    (project,) = baked.iterdir()
    for file in project.rglob("*"):
        if file.is_file():
            copy = folder / PROJECT / file.relative_to(project)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes().replace(b"{", b"("))
    shutil.rmtree(baked)
    (folder / "hooks").mkdir()
    for hook in ("pre_gen_project.py", "post_gen_project.py"):
        (folder / "hooks" / hook).touch()
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
