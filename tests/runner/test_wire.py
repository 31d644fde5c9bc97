"""Messages as frames: nothing is lost on the way, and what is no message is refused."""

import io
import math
import os
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.engine.round import Prefilled, Round, TokenLogprobs
from sparkdesk.engine.settings import (
    GenerationSettings,
    GrammarSettings,
    LoadSettings,
    SamplingSettings,
    SpeculationSettings,
)
from sparkdesk.engine.stats import ReplyStats
from sparkdesk.runner import protocol, wire
from tests.runner.fake_child import INFO

REQUESTS: list[protocol.Request] = [
    protocol.Load.of(LoadSettings("/models/ä b.gguf", draft_path=None, use_extra_buffers=False)),
    protocol.Load.of(LoadSettings("t", draft_path="d")),
    protocol.Tokenize("two\nlines, a \x00 and a 🦊", parse_special=False),
    protocol.Generate(
        (1, 2, 3),
        GenerationSettings(
            max_tokens=5,
            stop_tokens=frozenset({7, 3}),
            sampling=SamplingSettings(seed=None, top_p=1),
            speculation=SpeculationSettings(False, 7),
        ),
        ignore_end=True,
    ),
    protocol.Generate(
        (1,),
        GenerationSettings(
            grammar=GrammarSettings('root ::= "ä\\n"', '{"type":"object"}', ("<tool_call>", "[")), top_logprobs=0
        ),
    ),
    protocol.SetSpeculation(SpeculationSettings(draft_length=None)),
    protocol.Cancel(),
    protocol.Cancel(12),
    protocol.Compare((1,), 2, 3),
    protocol.Spell((1, 2)),
    protocol.Shutdown(),
]
RESPONSES: list[protocol.Response] = [
    protocol.Loading("target", 0.25),
    protocol.Loaded(INFO, 12.5),
    protocol.Tokens(()),
    protocol.Spelled((b"a", b"\xff")),
    protocol.Prefilling(Prefilled(1, 2, 0, 3.5)),
    protocol.RoundDone(Round((1, 2), (True, False), confidences=(0.5,), is_first=True), (b"\xe2\x82", b"\n\r\x00\xff")),
    protocol.RoundDone(
        Round((1,), (False,), logprobs=(TokenLogprobs(-0.25, (1, 2), (-0.25, -math.inf)), TokenLogprobs(-7.0))),
        (b"a",),
        top_pieces=((b"a", b"<|im_end|>"), ()),
    ),
    protocol.Finished("end", ReplyStats(generated=3, verified_by_position=(1, 1), accepted_by_position=(1, 0))),
    protocol.Compared(-0.5, 1e-9),
    protocol.Alive(),
    protocol.Failed("ContextFull", "Too long.", "Shorten it."),
]
KNOWN = {type(message) for message in (*REQUESTS, *RESPONSES)}


def read_request(data: bytes) -> tuple[int, protocol.Request] | None:
    return wire.read_request(io.BytesIO(data))


def read_response(data: bytes) -> tuple[int, protocol.Response] | None:
    return wire.read_response(io.BytesIO(data))


def framed(body: bytes, request_id: int = 7, *, length: int | None = None, magic: bytes = b"\xc1S") -> bytes:
    return struct.pack("<2sIQ", magic, len(body) if length is None else length, request_id) + body


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda message: type(message).__name__)
def test_every_request_survives_the_wire(request_: protocol.Request) -> None:
    """A field of a kind the codec does not know (bytes, a set, an optional) would arrive as something else."""
    assert read_request(wire.encode(request_, 7)) == (7, request_)


@pytest.mark.parametrize("response", RESPONSES, ids=lambda message: type(message).__name__)
def test_every_response_survives_the_wire(response: protocol.Response) -> None:
    """The same on the way back; infinite probabilities too."""
    assert read_response(wire.encode(response, 7)) == (7, response)


def test_no_message_is_left_out_here() -> None:
    assert set(protocol.Request.__args__) | set(protocol.Response.__args__) == KNOWN


@given(st.lists(st.binary(max_size=8)), st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 2**64 - 1))
def test_messages_follow_one_another(pieces: list[bytes], text: str, request_id: int) -> None:
    sent = protocol.Generate((1,), GenerationSettings()), protocol.Tokenize(text), protocol.Tokenize(repr(pieces))
    stream = io.BytesIO(b"".join(wire.encode(each, request_id) for each in sent))
    assert [wire.read_request(stream) for _ in range(4)] == [*((request_id, each) for each in sent), None]
    done = protocol.RoundDone(Round((), ()), tuple(pieces))
    assert read_response(wire.encode(done)) == (0, done)


@pytest.mark.parametrize("text", ["\udc80", "a\ud83e", "\udd8a\ud83e b"])
def test_text_that_no_unicode_can_say_is_sent_as_it_can_be(text: str) -> None:
    """JSON of a client may hold half a surrogate pair; the thread that sends it must not end over it."""
    received = read_request(wire.encode(protocol.Tokenize(text), 3))
    assert received == (3, protocol.Tokenize("".join("?" if "\ud800" <= each <= "\udfff" else each for each in text)))
    settings = GenerationSettings(stop_tokens=frozenset({1}), grammar=GrammarSettings(text, triggers=(text,)))
    again = read_request(wire.encode(protocol.Generate((1,), settings), 3))
    assert again is not None and isinstance(again[1], protocol.Generate)
    assert again[1].settings.stop_tokens == {1} and again[1].settings.grammar is not None
    assert "?" in again[1].settings.grammar.triggers[0]


@pytest.mark.parametrize("name", [b"/m/caf\xe9.gguf", b"/m/\xff\xfe", "/m/ä".encode()])
def test_a_path_need_not_be_text(name: bytes) -> None:
    """Names on a disk are bytes; the file must be found again under the very same ones."""
    settings = LoadSettings(os.fsdecode(name), os.fsdecode(name))
    received = read_request(wire.encode(protocol.Load.of(settings)))
    assert received is not None and isinstance(received[1], protocol.Load)
    assert received[1].settings == settings
    assert os.fsencode(received[1].settings.target_path) == name


NOT_MESSAGES = [
    b"\n",
    b"null\n",
    b'{"type":"Finished"}\n',
    b"ggml_cuda_init: found 1 CUDA devices\n",
    b"\xff\xfe\x00\n",
    b"\x00" * 100,
    b"[" * 100_000,
    b"\xc1",
    b"\xc1S\x07\x00",
    framed(b""),
    framed(b"", magic=b"\xc1T"),
    framed(b"\xc0"),
    framed(b"\x80"),
    framed(b"\xc1"),
    framed(b"\x91" * 100_000),
    framed(b"", length=wire.MAX_MESSAGE_BYTES + 1),
    framed(wire.encode(protocol.Tokens((1,)))[14:], length=1_000),
    framed(msgspec.msgpack.encode({"type": "Nonsense"})),
    framed(msgspec.msgpack.encode({"type": ["Load"]})),
    framed(msgspec.msgpack.encode({"type": "Tokens"})),
    framed(msgspec.msgpack.encode({"type": "Tokens", "tokens": 3})),
    framed(msgspec.msgpack.encode({"type": "Tokens", "tokens": ["a"]})),
    framed(msgspec.msgpack.encode({"type": "Tokens", "tokens": [], "surplus": 1})),
    framed(msgspec.msgpack.encode({"type": "Prefilling", "progress": "no"})),
    framed(msgspec.msgpack.encode({"type": "Loading", "stage": b"\xff", "fraction": "much"})),
    framed(msgspec.msgpack.encode({"type": "Loading", "stage": "target", "fraction": {}})),
]


@pytest.mark.parametrize("data", NOT_MESSAGES)
def test_what_is_no_message_is_refused_in_words(data: bytes) -> None:
    """Anything but WireError would end the thread that reads, and the desk would wait for ever."""
    with pytest.raises(wire.WireError, match="Not a message") as caught:
        read_response(data)
    assert len(caught.value.message) < 400, "the frame may be a prompt, and errors are shown and logged"


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_do_worse_than_being_refused(data: bytes) -> None:
    for bytes_ in (data, framed(data)):
        with pytest.raises(wire.WireError):
            read_response(bytes_)


def test_a_request_that_cannot_be_read_is_answered_to_whoever_asked() -> None:
    """An answer without its number belongs to nobody, and the asker would wait for ever."""
    with pytest.raises(wire.WireError) as caught:
        read_request(framed(msgspec.msgpack.encode({"type": "Generate", "surplus": 1}), 9))
    assert caught.value.request_id == 9


def test_a_request_is_not_taken_for_a_response() -> None:
    """The child never sends Load; accepting it would only move the error further away."""
    with pytest.raises(wire.WireError):
        read_response(wire.encode(protocol.Cancel()))
