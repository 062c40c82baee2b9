"""A stream says the same wherever its bytes were cut, and costs what its bytes cost."""

import json
import random
import time
from itertools import chain, combinations, groupby, pairwise

import anthropic
import httpx2
import pytest
from anthropic import Stream

from claude import offline
from claude.event_stream import EventSplitter
from claude.failures import Failure
from claude.reader import WAITING, AnswerReader
from tests import streams
from tests.stand_in import ask
from tests.streams import block, delta, end, error, refusal, start, text, thought

ANSWERED = [
    start("m"),
    ("ping", {}),
    *thought("Hm, \u4f60"),
    text("caf\u00e9 \u4f60\U0001f600\u2028"),
    ("content_block_stop", {}),
    block("tool_use", input={}),
    delta("input_json_delta", partial_json='{"a": '),
    delta("citations_delta", citation={"cited_text": "a\n\nb"}),
    block("fallback", to={"model": "n"}),
    block("text", text="As "),
    text("I: \ud83d"),
    text("\ude00 said"),
    ("an_event_to_come", ["\ud83d"]),
    *end(),
]
ENDS = {
    "answered": ANSWERED,
    "refused": [start(), text("First,"), *refusal("cyber")],
    "broken off": [start(), text("First,"), error("overloaded_error")],
    "cut": [start(), text("First,")],
    "twice": [start(), text("Perh"), start("n"), text("No"), *end()],
}


def wire(events, *, is_ascii=True, line=b"\n"):
    """The bytes of a stream; a lone half of a character stays an escape."""
    body = streams.body(events)
    if not is_ascii:
        halves = {half: json.dumps(half)[1:-1] for half in "\ud83d\ude00"}
        lines = [f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n" for name, data in events]
        body = "".join(lines).translate(str.maketrans(halves)).encode()
    return body.replace(b"\n", line)


def played(prompt):
    """What the stand-in sends, up to where the network fails."""
    request = httpx2.Request("POST", "http://api/v1/messages", json=ask(prompt, stream=True))
    sent = []
    try:
        for part in offline.StandIn().handle_request(request).stream:
            sent.append(part)
    except httpx2.HTTPError:
        pass
    return b"".join(sent)


@pytest.fixture(scope="module")
def recorded():
    """Whole streams: what the stand-in plays, and each of ENDS in several spellings."""
    plays = [f"play {name}" for name in offline.ANSWERS if name != "long_thinking"]
    fails = [f"fail {name}" for name in (*offline.MID_STREAM, "html")]
    spellings = [wire(events, is_ascii=ascii, line=line) for events in ENDS.values() for ascii, line in SPELLINGS]
    return [*map(played, plays + fails), *spellings, *(body + b"event: ping\r\n" for body in spellings)]


SPELLINGS = [(True, b"\n"), (True, b"\r\n"), (False, b"\r"), (False, b"\n")]


def cut(data, places):
    return [data[begin:stop] for begin, stop in pairwise([0, *places, len(data)])]


def cut_anywhere(data, chance):
    return cut(data, sorted(chance.choices(range(len(data) + 1), k=chance.choice([1, 2, 5, 40]))))


def bytes_of(data):
    return [data[place : place + 1] for place in range(len(data))]


def outcome(chunks):
    """What a reader gives of a stream that comes in these chunks, and what it knows at its end."""
    reader, pieces, failure = AnswerReader("a model"), [], None
    try:
        for chunk in chunks:
            for piece in reader.feed(chunk):
                pieces.append(piece)
            if reader.is_whole:
                break
    except Failure as raised:
        failure = (raised.kind, raised.detail, raised.cause)
    told = groupby((piece for piece in pieces if piece is not WAITING), bool)
    told = [["".join(group)] if is_text else list(group) for is_text, group in told]
    known = (reader.content, reader.iterations, reader.message_id, reader.is_whole)
    return [piece or piece.meaning for piece in chain(*told)], known, failure


# --- Wherever it is cut ---------------------------------------------------------------------------


def test_a_stream_cut_in_two_anywhere_says_the_same():
    data = wire(ANSWERED, is_ascii=False, line=b"\r\n")
    told, (content, *_), failure = at_once = outcome([data])
    assert told == ["thinking", "caf\u00e9 \u4f60\U0001f600\u2028", "restart", "As I: \ud83d\ude00 said"]
    assert (content[1:], failure) == ([{"type": "text", "text": told[-1]}], None)
    for place in range(len(data)):
        assert outcome(cut(data, [place])) == at_once, place


def test_a_short_stream_cut_in_three_anywhere_says_the_same():
    data = 'event:content_block_delta\r\ndata:{"delta":{"type":"text_delta","text":"\u4f60"}}\r\n\r\nevent:error\n\n'.encode()
    at_once = outcome([data])
    assert (at_once[0], at_once[2][0]) == (["\u4f60"], "unavailable")
    for places in combinations(range(len(data) + 1), 2):
        assert outcome(cut(data, places)) == at_once, places


def test_every_stream_says_the_same_byte_by_byte_and_cut_at_random(recorded):
    chance = random.Random(1)  # noqa: S311
    assert len(recorded) > 50
    for data in recorded:
        at_once = outcome([data])
        assert outcome(bytes_of(data)) == at_once
        for _ in range(5):
            chunks = cut_anywhere(data, chance)
            assert outcome(chunks) == at_once, chunks


# --- The SDK's own decoder ------------------------------------------------------------------------


class Chunks(httpx2.SyncByteStream):
    def __init__(self, chunks):
        self.chunks = chunks

    def __iter__(self):
        return iter(self.chunks)


def sdk_events(chunks):
    """The events that the SDK reads; nobody reads one without a name."""
    events = Stream.raw_events(httpx2.Response(200, stream=Chunks(chunks)))
    return [(event.event, event.data) for event in events if event.event]


def our_events(chunks):
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.split(chunk)]
    return [(name.decode(), data.decode()) for name, data in events if name]


LINES = """event: content_block_delta|event:ping|event|event: |event:  two spaces|Event: no|event : no|data: {"a": "\u4f60"}
data:x|data|data:|data: |data:  indented\u2028|data: \U0001f600|data: a: b|data\t: no|: comment|:|id: 5|id|id: a\0b|retry: 10
retry: soon|field: unknown|no colon \u00e9| data: indented|\u0085""".replace("\n", "|").split("|")
LINE_ENDS = 4 * ["\n"] + 3 * ["\r\n"] + 2 * ["\r"] + 6 * ["\n\n"]
LINE_ENDS += ["\r\n\r\n", "\r\r", "\n\r\n", "\r\n\r", "\n\r", "\n\n\n", ""]


def test_the_sdk_splits_any_lines_as_we_do():
    chance = random.Random(2)  # noqa: S311
    number = 0
    for _ in range(600):
        lines = [chance.choice(LINES) + chance.choice(LINE_ENDS) for _ in range(chance.randint(1, 14))]
        data = "".join(lines).encode()
        events = sdk_events([data])
        number += len(events)
        for chunks in ([data], bytes_of(data), cut_anywhere(data, chance)):
            assert our_events(chunks) == events, chunks
        assert sdk_events(bytes_of(data)) == events  # what it promises is what we promise
    assert number > 300


def test_the_sdk_reads_a_response_as_we_do(recorded):
    left = []
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, stream=Chunks(left.pop())))
    http_client = anthropic.DefaultHttpxClient(transport=transport)
    create = anthropic.Anthropic(api_key="none", http_client=http_client).messages.with_streaming_response.create
    for data in recorded:
        left += [cut(data, [len(data) // 3])] * 2
        with create(**ask("Hello"), stream=True) as response:
            events = [(event.event, event.data) for event in Stream.raw_events(response.http_response) if event.event]
        with create(**ask("Hello"), stream=True) as response:
            assert our_events(response.http_response.stream) == events


def test_where_we_differ_from_the_sdk_we_read_more():
    stop, broken = b"event: message_stop\ndata: {}\n\n", b"event: ping\ndata: \xff\n\n"
    assert our_events([b"\xef\xbb\xbf" + stop]) == our_events([stop])  # as the standard has it
    assert sdk_events([b"\xef\xbb\xbf" + stop]) == []
    _, (*_, is_whole), failure = outcome([broken + stop])
    assert (is_whole, failure) == (True, None)
    with pytest.raises(UnicodeDecodeError):
        sdk_events([broken + stop])


@pytest.mark.parametrize("line", [b"\n", b"\r", b"\r\n"])
def test_an_event_without_its_empty_line_is_none(line):
    whole = wire([text("Yes"), text(".")], line=line)
    for missing in range(len(line), 2 * len(line)):
        assert our_events([whole[:-missing]]) == our_events([wire([text("Yes")])])
    assert len(our_events([whole])) == len(our_events(bytes_of(whole))) == 2


# --- What it costs --------------------------------------------------------------------------------


def seconds(chunks):
    reader = AnswerReader()
    begun = time.process_time()
    for chunk in chunks:
        for _ in reader.feed(chunk):
            pass
    return time.process_time() - begun


def pieces_of(size, data):
    return [data[place : place + size] for place in range(0, len(data), size)]


LONG = wire([text("x" * 2_000_000)])
LINES_OF_ONE = b": comment\r" * 200_000 + wire([text("x")])
MANY = wire([text("x")]) * 10_000
PINGS = pieces_of(64, wire([("ping", {})]) * 70_000)


@pytest.mark.parametrize(
    ("chunks", "control"),
    [(pieces_of(64, LONG), PINGS), (pieces_of(64, LINES_OF_ONE), PINGS), ([MANY], pieces_of(16_384, MANY))],
    ids=["a long event", "an event of many lines", "many events at once"],
)
def test_the_cost_of_a_stream_grows_with_its_bytes_and_no_faster(chunks, control):
    assert min(seconds(chunks) for _ in range(2)) < 4 * min(seconds(control) for _ in range(2))


# --- What comes together --------------------------------------------------------------------------


def pieces(*events):
    return list(AnswerReader().feed(wire(events)))


def test_text_that_has_come_together_is_one_piece_between_the_signs():
    given = pieces(start(), text("One, "), ("ping", {}), text("two"), *thought(), text(", three"), text("."))
    assert [piece or piece.meaning for piece in given] == ["One, two", "thinking", ", three."]


@pytest.mark.parametrize("chunk", [b"", b"\n", b": ping\n\n", b"event: pi", wire([start(), text(""), ("ping", [])])])
def test_bytes_without_text_are_a_sign_of_life(chunk):
    (piece,) = AnswerReader().feed(chunk)
    assert piece is WAITING


@pytest.mark.parametrize("last", [error("overloaded_error"), ("content_block_delta", {})])
def test_text_before_an_error_is_given_before_it(last):
    reader, given = AnswerReader(), []
    with pytest.raises(Failure):
        given.extend(reader.feed(wire([text("Half an "), text("answer"), last, text("no")])))
    assert given == [reader.text] == ["Half an answer"]


def test_what_follows_the_end_of_an_answer_is_not_read():
    reader = AnswerReader()
    assert list(reader.feed(wire([start(), text("Yes"), *end(), text("no"), error("api_error")]))) == ["Yes"]
    assert reader.answer == "Yes"


def test_half_an_event_of_one_stream_is_no_part_of_the_next():
    reader = AnswerReader()
    list(reader.feed(wire([start(), text("First,"), *refusal()]) + b"data: half\r"))
    reader.ask_again("another")
    assert list(reader.feed(b"\n" + wire([text("Yes")]))) == ["Yes"]


def test_an_end_without_data_is_an_end():
    reader = AnswerReader()
    list(reader.feed(b"event: message_stop\n\n"))
    assert reader.is_whole


@pytest.mark.parametrize("piece", [b"\xff", b"\xed\xa0\xbd", b"\xe4\xbd"])
def test_bytes_that_are_no_text_are_a_failure(piece):
    data = b'{"delta": {"type": "text_delta", "text": "%b"}}' % piece
    with pytest.raises(Failure) as caught:
        list(AnswerReader().feed(b"event: content_block_delta\ndata: %b\n\n" % data))
    assert (caught.value.kind, caught.value.detail) == ("unavailable", "a broken content_block_delta event")
