"""Messages as lines: nothing is lost on the way, and what is no message is refused."""

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
    protocol.Load(LoadSettings("/models/ä b.gguf", draft_path=None, use_extra_buffers=False)),
    protocol.Load(LoadSettings("t", draft_path="d")),
    protocol.Tokenize("two\nlines and a lone surrogate \udc80", parse_special=False),
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
    protocol.Shutdown(),
]
RESPONSES: list[protocol.Response] = [
    protocol.Loading("target", 0.25),
    protocol.Loaded(INFO, 12.5),
    protocol.Tokens(()),
    protocol.Prefilling(Prefilled(1, 2, 0, 3.5)),
    protocol.RoundDone(Round((1, 2), (True, False), confidences=(0.5,), is_first=True), (b"\xe2\x82", b"\n\r\x00\xff")),
    protocol.RoundDone(
        Round((1,), (False,), likelihoods=(TokenLogprobs(-0.25, (1, 2), (-0.25, -1.5)), TokenLogprobs(-7.0))),
        (b"a",),
        top_pieces=((b"a", b"<|im_end|>"), ()),
    ),
    protocol.Finished("end", ReplyStats(generated=3, verified_by_position=(1, 1), accepted_by_position=(1, 0))),
    protocol.Compared(-0.5, 1e-9),
    protocol.Failed("ContextFull", "Too long.", "Shorten it."),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda message: type(message).__name__)
def test_every_request_survives_the_wire(request_: protocol.Request) -> None:
    """A field of a kind the codec does not know (bytes, a set, an optional) would arrive as something else."""
    assert wire.decode_request(wire.encode(request_, 7)) == (7, request_)


@pytest.mark.parametrize("response", RESPONSES, ids=lambda message: type(message).__name__)
def test_every_response_survives_the_wire(response: protocol.Response) -> None:
    """The same on the way back."""
    assert wire.decode_response(wire.encode(response, 7)) == (7, response)


@given(st.lists(st.binary(max_size=8)), st.text())
def test_any_bytes_and_any_text_stay_on_one_line(pieces: list[bytes], text: str) -> None:
    """A newline inside a message would end it, and what follows would be read as the next."""
    for line in (
        wire.encode(protocol.RoundDone(Round((), ()), tuple(pieces))),
        wire.encode(protocol.Tokenize(text)),
    ):
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
    assert wire.decode_request(line) == (0, protocol.Tokenize(text))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null\n",
        b"[]\n",
        b"{}\n",
        b"7\n",
        b'{"type":"Nonsense","id":1}\n',
        b'{"type":["Load"],"id":1}\n',
        b'{"type":"Tokens","id":1}\n',
        b'{"type":"Tokens","tokens":3,"id":1}\n',
        b'{"type":"Tokens","tokens":[],"surplus":1,"id":1}\n',
        b'{"type":"Prefilling","progress":"no","id":1}\n',
        b'{"type":"Tokens","tokens":[]}\n',
        b'{"type":"Tokens","id":1e999,"tokens":[]}\n',
        b'{"type":"RoundDo',
        b"ggml_cuda_init: found 1 CUDA devices\n",
        b"\xff\xfe\x00\n",
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused_in_words(line: bytes) -> None:
    """Anything but WireError would end the thread that reads, and the desk would wait for ever."""
    with pytest.raises(wire.WireError, match="Not a message"):
        wire.decode_response(line)


def test_a_request_that_cannot_be_read_is_answered_to_whoever_asked() -> None:
    """An answer without its number belongs to nobody, and the asker would wait for ever."""
    with pytest.raises(wire.WireError) as caught:
        wire.decode_request(b'{"type":"Generate","id":9,"surplus":1}\n')
    assert caught.value.request_id == 9


def test_an_error_quotes_little_of_the_line() -> None:
    """The line may be a prompt, and errors are shown and logged."""
    with pytest.raises(wire.WireError) as caught:
        wire.decode_request(b"x" * 10_000)
    assert len(caught.value.message) < 200


def test_a_request_is_not_taken_for_a_response() -> None:
    """The child never sends Load; accepting it would only move the error further away."""
    with pytest.raises(wire.WireError):
        wire.decode_response(wire.encode(protocol.Cancel()))
