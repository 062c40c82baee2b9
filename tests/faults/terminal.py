"""Runs inside a rendered project: asks by `manage.py ask`, and shows all that the terminal would.

Reads prompts from the standard input, each as a line of JSON, and answers each with what was printed, what
was logged, and the exit status. One process asks all of them: loading the SDK takes longer than an answer.
"""

import io
import json
import sys

import django
from django.core.management import load_command_class

answers = sys.stdout
log = sys.stderr = io.StringIO()
django.setup()

for line in sys.stdin:
    log.truncate(log.seek(0))
    terminal = sys.stdout = sys.stderr = io.StringIO()
    code = 0
    try:
        load_command_class("claude", "ask").run_from_argv(["manage.py", "ask", json.loads(line)])
    except SystemExit as end:
        code = end.code
    print(json.dumps({"printed": terminal.getvalue(), "log": log.getvalue(), "code": code}), file=answers, flush=True)
