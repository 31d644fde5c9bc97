"""Characters and the tokens they came from, however the bytes are cut and the text is held back."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat.attribution import Attribution
from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyAdvanced
from sparkdesk.chat.local_responder import LocalResponder
from sparkdesk.chat.trace import BONUS, DRAFTED, PLAIN
from sparkdesk.engine.round import Round
from tests.reply_scripts import writing_bytes
from tests.scripted_engine import ScriptedEngine


def test_a_character_belongs_to_the_token_that_completed_it() -> None:
    attribution = Attribution()
    euro = "€".encode()
    done = Round((1, 2, 3), (True, True, False), verified=3, accepted=2, source="draft", confidences=(0.9, 0.8))
    attribution.add([b"a" + euro[:1], euro[1:], b"b"], done)
    first, second, third = attribution.take(3)
    assert (first.length, first.source, first.position, first.confidence) == (1, DRAFTED, 1, 0.9)
    assert (second.length, second.source, second.position) == (1, DRAFTED, 2)
    assert (third.source, third.position) == (BONUS, 0)


def test_what_is_shown_later_keeps_its_origin() -> None:
    attribution = Attribution()
    attribution.add([b"ab**"], Round((1,), (False,)))
    attribution.add([b"cd"], Round((1, 2), (True, False), verified=1, accepted=1, source="context"))
    assert [(each.length, each.source) for each in attribution.take(2)] == [(2, PLAIN)]
    assert [(each.length, each.source) for each in attribution.take(4)] == [(2, PLAIN), (2, "context")]


@given(text=st.text(max_size=60), cuts=st.lists(st.integers(0, 240), max_size=20), takes=st.lists(st.integers(0, 9)))
def test_every_character_has_one_origin(text: str, cuts: list[int], takes: list[int]) -> None:
    data = text.encode("utf-8", "ignore")
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    attribution = Attribution()
    for begin, end in itertools.pairwise(edges):
        attribution.add([data[begin:end]], Round((1,), (False,)))
    left = len(data.decode())
    for count in [*takes, left]:
        count = min(count, left)
        left -= count
        assert sum(each.length for each in attribution.take(count)) == count


PIECES = st.one_of(
    st.binary(max_size=4),
    st.text(max_size=3).map(lambda text: text.encode("utf-8", "ignore")),
    st.sampled_from([b"**", b"`", b"<think", b">", "\U0001f600".encode()[:2], "\U0001f600".encode()[2:], b""]),
)


@given(
    rounds=st.lists(st.lists(PIECES, min_size=1, max_size=4), max_size=12),
    stop_reason=st.sampled_from(["end", "length"]),
)
def test_every_character_shown_has_the_origin_that_is_kept(rounds: list[list[bytes]], stop_reason: str) -> None:
    """Whatever bytes the tokens have, and whatever is held back until it is decided."""
    conversation = Conversation(LocalResponder(ScriptedEngine(writing_bytes(*rounds, stop_reason=stop_reason))))
    events = [event for event in conversation.reply("Hello") if isinstance(event, ReplyAdvanced)]
    assert all(sum(each.length for each in event.stretches) == len(event.text) for event in events)
    reply = conversation.messages[-1]
    assert reply.content == "".join(event.text for event in events)
    assert reply.trace is not None and reply.trace.stretches == tuple(
        each for event in events for each in event.stretches
    )
    whole = b"".join(itertools.chain(*rounds)).decode(errors="replace")
    assert reply.content == whole if stop_reason == "end" else whole.startswith(reply.content)
    assert len(whole) - len(reply.content) <= 1, "at most a character of which a part is missing"


def test_bytes_said_in_several_rounds_belong_to_the_token_that_ended_them() -> None:
    smile = "\U0001f600".encode()
    conversation = Conversation(
        LocalResponder(ScriptedEngine(writing_bytes([b"a", smile[:1]], [smile[1:3]], [smile[3:], b"b"])))
    )
    list(conversation.reply("Hello"))
    trace = conversation.messages[-1].trace
    assert conversation.messages[-1].content == "a\U0001f600b" and trace is not None
    assert [each.length for each in trace.stretches] == [1, 1, 1]
