"""Users who ask one question after another in a conversation, and whether what was acknowledged is there afterwards."""

import json
import random
import time
import uuid
from collections import Counter

import traffic

FRESH = 2.5
"""In seconds. While an answer arrives, chat/keeper.py stores it every 2 seconds, and a round takes some time."""
LENGTH = 8  # questions in a conversation
ROWS = """
import json
from chat.models import Turn
for turn in Turn.objects.exclude(conversation=None):
    print(json.dumps([str(turn.idempotency_key), turn.prompt, turn.text, turn.state]))
"""


class Question:
    """What is asked in a conversation, after `earlier` questions. What comes back is not known before it has come."""

    def __init__(self, path, conversation, earlier, begin=""):
        self.path, self.conversation, self.earlier = path, conversation, earlier
        self.key = str(uuid.uuid4())
        self.prompt = f"{begin}What is the number of {self.key}, and why is it not another one?"
        self.fields = {"prompt": self.prompt, "conversation": conversation, "idempotency_key": self.key}
        self.expected = f"You asked: {self.prompt}"
        self.asked, self.heard = time.monotonic(), None

    @property
    def acknowledged(self):
        """Whether its user has read all of an answer, or the beginning of one."""
        return self.heard is not None and (self.heard.answer is not None or self.heard.read != "")

    def fits(self, text):
        """Whether this can be kept of its answer: all of what was read whole, or else all but the last seconds."""
        if self.heard.answer is not None:
            return text == self.heard.answer == self.expected
        end = self.heard.times[-1][0] - FRESH
        least = max((length for when, length in self.heard.times if when <= end), default=0)
        return self.expected.startswith(text) and len(text) >= least


class Conversations:
    """All that was asked in conversations."""

    def __init__(self):
        self.questions = {}  # by their prompts
        self.forgotten = Counter()  # by the prompts of the questions whose history was not as it should be

    def ask(self, user, before, path, begin="", leave_after=None):
        """The next question after another one, or the first of a conversation."""
        if before is None or len(before.earlier) == LENGTH - 1:
            question = Question(path, str(uuid.uuid4()), [], begin)
        else:
            question = Question(path, before.conversation, [*before.earlier, before], begin)
        self.questions[question.prompt] = question
        question.heard = traffic.ask(user, path, question.fields, leave_after)
        return question

    def acknowledged(self):
        return [question for question in list(self.questions.values()) if question.acknowledged]

    def lost(self, served, user, pages=10**9):
        """What is not there of all that was acknowledged, in words; of so many conversations the pages are opened."""
        lines = served.manage("shell", "-v", "0", "-c", ROWS).splitlines()
        # The export comes first: who looks at an answer whose process died is told so.
        export = json.loads(user.get("/c/export.json").whole().text)["conversations"]
        exported = {turn["question"]: turn for conversation in export for turn in conversation["turns"]}
        rows = {key: (prompt, text) for key, prompt, text, _ in map(json.loads, lines)}
        of_pages = {}
        for question in self.acknowledged():
            of_pages.setdefault(question.conversation, []).append(question)
            prompt, text = rows.get(question.key, (None, ""))
            turn = exported.get(question.prompt, {"answer": "", "state": "not exported"})
            if prompt != question.prompt:
                yield f"{question.prompt} is not in the database"
            elif not question.fits(text):
                yield f"{question.prompt}: {text!r} is kept of what was read as {question.heard.read!r}"
            elif turn["answer"] != text or turn["state"] == "asked":
                yield f"{question.prompt}: exported as {turn}"
            elif question.heard.answer is not None and turn["state"] != "answered":
                yield f"{question.prompt}: was answered, and is {turn['state']}"
        for conversation, questions in random.sample(sorted(of_pages.items()), min(pages, len(of_pages))):
            page = user.get(f"/c/{conversation}/").whole().text
            for question in questions:
                text = rows.get(question.key, ("", ""))[1]
                if question.prompt not in page or f'data-text="{text}"' not in page:
                    yield f"{question.prompt} is not on its page as it was kept"

    def misremembered(self, exchanges):
        """What is wrong with the history that went to Claude with these requests, in words."""
        for exchange in exchanges:
            question = self.questions.get(exchange.prompt)
            if question is None:
                continue
            sent = [text_of(message["content"]) for message in exchange.body["messages"]]
            turns = dict(zip(sent[::2], sent[1::2], strict=False))
            known = [before for before in question.earlier if before.prompt in turns]
            if [before.prompt for before in known] != list(turns) or len(sent) % 2 == 0:
                yield f"{question.prompt}: not the questions before it, in their order: {sent}"
            for before in known:
                text, whole = turns[before.prompt], before.heard.answer is not None
                if not text or (text != before.expected if whole else not before.expected.startswith(text)):
                    yield f"{question.prompt}: {text!r} as the answer to {before.prompt}"
            if any(before.heard.answer is not None and before.prompt not in turns for before in question.earlier):
                self.forgotten[question.prompt] = 1


def text_of(content):
    return content if isinstance(content, str) else "".join(block["text"] for block in content)
