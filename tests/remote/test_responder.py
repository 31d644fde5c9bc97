"""Replies from servers of every dialect, and from servers in trouble, through a whole conversation."""

import itertools
import socket
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ContextTrimmed, ReplyAdvanced, ReplyBroken, ReplyEvent, ReplyFinished
from sparkdesk.chat.messages import Message
from sparkdesk.chat.responder import PromptEvent
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SamplingSettings, SpeculationSettings
from sparkdesk.errors import EngineError, UsageError
from sparkdesk.remote.client import EventStream, Server
from sparkdesk.remote.dialect import OTHER, SPARKDESK, ServedModel, served_models
from sparkdesk.remote.figures import draft_counters
from sparkdesk.remote.payload import chat_payload
from sparkdesk.remote.responder import RemoteResponder
from tests.chat_format.templates import QWEN3
from tests.remote import dialects
from tests.remote.dialects import DONE, STOP, Script, event, server, text
from tests.scripted_engine import ScriptedEngine
from tests.server.served import MODEL, served, server_engine


def talk(script: Script, *, conversation_of: tuple[Message, ...] = ()) -> tuple[list[ReplyEvent], Conversation]:
    with server(script) as url:
        there = Server(url)
        conversation = Conversation(RemoteResponder(there, there.models()[0]), messages=conversation_of)
        events = list(conversation.reply("Hello"))
        there.close()
    return events, conversation


def shown(events: list[ReplyEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReplyAdvanced))


def test_llama_server_tells_its_timings() -> None:
    def timings(n: int, ms: float, drafted: int, accepted: int) -> dict[str, float]:
        return {"predicted_n": n, "predicted_ms": ms, "draft_n": drafted, "draft_n_accepted": accepted, "prompt_n": 9}

    chunks = [text("One", timings=timings(1, 5, 0, 0)), text(", two, three", timings=timings(6, 30, 7, 4)), STOP]
    last = event(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 6}, timings=timings(6, 30, 7, 4))
    script = Script(chunks=[*chunks, last, DONE])
    events, conversation = talk(script)
    end = events[-1]
    assert isinstance(end, ReplyFinished) and end.text == "One, two, three" == shown(events)
    assert (end.stats.verified, end.stats.accepted, end.stats.prompt_tokens) == (7, 4, 9)
    assert end.stats.tokens_per_second == pytest.approx(1e3 * 5 / 30)
    advanced = [each for each in events if isinstance(each, ReplyAdvanced)]
    assert [len(each.round.tokens) for each in advanced] == [1, 5] and advanced[1].is_speculating
    assert script.bodies[0]["timings_per_token"] is True and script.bodies[0]["top_k"] == 20
    assert conversation.messages[-1].model == "qwen"


def test_llama_server_tells_a_round_with_its_first_token() -> None:
    """The seven tokens of a round come one by one, but what was drafted and accepted is told at the first."""

    def at(n: int, ms: float, drafted: int, accepted: int) -> bytes:
        told = {"predicted_n": n, "predicted_ms": ms, "draft_n": drafted, "draft_n_accepted": accepted}
        return text(f" {n}", timings=told)

    chunks = [
        at(1, 1, 0, 0),
        at(2, 9, 7, 3),
        at(3, 9, 7, 3),
        at(4, 9, 7, 3),
        at(5, 9, 7, 3),
        at(6, 17, 14, 3),
        STOP,
        DONE,
    ]
    events, _ = talk(Script(chunks=chunks))
    rounds = [each.round for each in events if isinstance(each, ReplyAdvanced) and each.round.tokens]
    assert [(len(each.tokens), each.verified, each.accepted) for each in rounds] == [(1, 0, 0), (4, 7, 3), (1, 7, 0)]
    assert rounds[1].elapsed_ms == 8 and shown(events) == " 1 2 3 4 5 6"


def test_vllm_tells_its_counters() -> None:
    def metrics(drafts: int, drafted: int, accepted: tuple[int, ...]) -> str:
        name = "vllm:spec_decode_num"
        lines = [
            f'{name}_drafts_total{{engine="0"}} {drafts}.0',
            f'{name}_draft_tokens_total{{engine="0"}} {drafted}.0',
        ]
        lines += [f'{name}_accepted_tokens_total{{engine="0"}} {sum(accepted)}.0']
        lines += [
            f'{name}_accepted_tokens_per_pos_total{{engine="0",position="{place}"}} {count}.0'
            for place, count in enumerate(accepted)
        ]
        return "# HELP x\n" + "\n".join(lines)

    script = Script(
        models=dialects.VLLM,
        chunks=[text("Hi"), text(" there"), STOP, event(choices=[], usage={"completion_tokens": 9}), DONE],
        metrics=[metrics(10, 70, (8, 4)), metrics(13, 91, (11, 5))],
    )
    events, _ = talk(script)
    end = events[-1]
    assert isinstance(end, ReplyFinished)
    assert (end.stats.verified, end.stats.accepted, end.stats.rounds) == (21, 4, 3)
    assert list(end.stats.acceptance_by_position) == pytest.approx([1.0, 1 / 3])
    assert script.bodies[0]["repetition_penalty"] == 1.0 and "repeat_penalty" not in script.bodies[0]
    assert draft_counters("python_info 1\n") is None


def test_a_strict_server_is_asked_nothing_it_does_not_know() -> None:
    script = Script(models=dialects.OTHER, chunks=[text("Hi"), STOP, DONE])
    events, _ = talk(script)
    assert isinstance(events[-1], ReplyFinished) and not events[-1].stats.verified
    assert not {"top_k", "min_p", "chat_template_kwargs", "repeat_penalty", "speculative"} & set(script.bodies[0])


def test_thoughts_are_shown_as_thoughts() -> None:
    def thought(words: str, name: str) -> bytes:
        return event(choices=[{"delta": {name: words}}])

    for name in ("reasoning_content", "reasoning"):
        events, conversation = talk(
            Script(chunks=[thought("Hm, ", name), thought("yes.", name), text("Yes."), STOP, DONE])
        )
        assert conversation.messages[-1].content == "<think>\nHm, yes.\n</think>\n\nYes." == shown(events)
    _, cut = talk(
        Script(chunks=[thought("Hm", "reasoning"), event(choices=[{"delta": {}, "finish_reason": "length"}])])
    )
    assert cut.messages[-1].content.rstrip().endswith("</think>") and "token limit" in cut.messages[-1].note


def test_our_own_server_is_told_of_speculation_and_thoughts_stay_out_of_the_prompt() -> None:
    model = ServedModel("tiny", SPARKDESK, draft_name="Draft", block_size=7)
    settings = ChatSettings(speculation=SpeculationSettings(False, 4), system_prompt="Rhyme.")
    messages = (Message("user", "a"), Message("assistant", "<think>\nhm\n</think>\n\nb"), Message("user", "c"))
    payload = chat_payload(model, messages, settings)
    assert payload["speculative"] is False and payload["draft_length"] == 4
    assert [each["content"] for each in payload["messages"]] == ["Rhyme.", "a", "b", "c"]
    assert ServedModel("x", OTHER).can_switch is False and model.can_switch


def test_a_reply_goes_on_only_where_the_server_can() -> None:
    cut = event(choices=[{"delta": {}, "finish_reason": "length"}])
    script = Script(chunks=[text("One, two"), cut, DONE])
    with server(script) as url:
        there = Server(url)
        conversation = Conversation(RemoteResponder(there, there.models()[0]))
        list(conversation.reply("Count"))
        script.chunks = [text(", three"), STOP, DONE]
        *_, end = conversation.go_on()
        assert isinstance(end, ReplyFinished) and end.text == "One, two, three"
        assert script.bodies[-1]["messages"][-1] == {"role": "assistant", "content": "One, two"}
        strict = Conversation(RemoteResponder(there, ServedModel("x", OTHER)), messages=conversation.messages)
        (broken,) = strict.go_on()
        assert isinstance(broken, ReplyBroken) and "cannot go on" in broken.cause
        assert strict.messages == conversation.messages


@pytest.mark.parametrize(
    "models", [dialects.LLAMA_CPP, dialects.VLLM, {"data": [{"id": "t", "owned_by": "sparkdesk"}]}]
)
def test_a_reply_cut_by_the_server_is_gone_on_with(models: object) -> None:
    """Without a finish_reason and [DONE] it was once kept as whole."""
    script = Script(models=models, chunks=[text("One,"), text(" two")])
    with server(script) as url:
        there = Server(url)
        conversation = Conversation(RemoteResponder(there, there.models()[0]))
        *_, end = conversation.reply("Count")
        assert isinstance(end, ReplyBroken) and end.text == "One, two" and not end.needs_reload
        script.chunks = [text(", three"), STOP]
        *_, end = conversation.go_on()
        assert isinstance(end, ReplyFinished) and end.text == "One, two, three" and end.stop_reason == "end"
        assert not conversation.messages[-1].is_partial
        there.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("is_cut", [False, True])
def test_a_compressed_stream_is_read(encoding: str, is_cut: bool) -> None:
    """A proxy in between packs what its client says it can unpack."""
    chunks = [text("One, "), text("größer"), text(", three")]
    events, conversation = talk(Script(encoding=encoding, chunks=chunks if is_cut else [*chunks, STOP, DONE]))
    assert isinstance(events[-1], ReplyBroken if is_cut else ReplyFinished)
    assert conversation.messages[-1].content == "One, größer, three" == shown(events)
    assert sum(isinstance(each, ReplyAdvanced) for each in events) >= 3


def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkdesk.remote.client._MOST_ANSWER", 1000)
    events, _ = talk(Script(chunks=[text("One"), b"data: " + b"x" * 2000, STOP, DONE]))
    assert isinstance(events[-1], ReplyBroken) and "without an end" in events[-1].cause


def test_half_of_the_turns_are_left_out_until_the_server_takes_it() -> None:
    turns = tuple(Message(role, f"{number}") for number in range(8) for role in ("user", "assistant"))
    script = Script(chunks=[text("Hi"), STOP, DONE], refuse_longer_than=5)
    events, conversation = talk(script, conversation_of=turns)
    assert isinstance(events[-1], ReplyFinished)
    assert [each.left_out for each in events if isinstance(each, ContextTrimmed)] == [8, 12]
    assert conversation.left_out == 12 and len(conversation.messages) == 18


def test_a_stop_just_before_a_server_is_asked_is_heard() -> None:
    """It was forgotten when the request began, and so unheard until the server's first word."""

    class Late(RemoteResponder):
        def answer(
            self, messages: Sequence[Message], settings: ChatSettings, *, begin: int = 0, begun: str = ""
        ) -> Generator[PromptEvent, None, None]:
            conversation.stop()
            yield from super().answer(messages, settings, begin=begin, begun=begun)

    with server(Script(chunks=[text("never")], holds=True)) as url:
        there = Server(url)
        conversation = Conversation(Late(there, there.models()[0]))
        began_s = time.monotonic()
        *_, end = conversation.reply("Hello")
        assert time.monotonic() - began_s < 5
    assert isinstance(end, ReplyFinished) and end.stop_reason == "cancelled"
    assert [message.content for message in conversation.messages] == ["Hello"]


def test_stopping_waits_for_nobody() -> None:
    """The server says nothing for twenty seconds, and the user has pressed Esc."""
    script = Script(chunks=[text("One"), text("never")], holds=True)
    with server(script) as url:
        there = Server(url)
        conversation = Conversation(RemoteResponder(there, there.models()[0]))
        events: list[ReplyEvent] = []
        has_begun = threading.Event()

        def read() -> None:
            for each in conversation.reply("Hello"):
                events.append(each)
                if isinstance(each, ReplyAdvanced):
                    has_begun.set()

        worker = threading.Thread(target=read)
        worker.start()
        assert has_begun.wait(10)
        conversation.stop()
        worker.join(5)
        assert not worker.is_alive()
    end = events[-1]
    assert isinstance(end, ReplyFinished) and (end.text, end.stop_reason) == ("One", "cancelled")


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        (Script(chunks=[text("One")], cut=True), "closed the connection before its answer was complete"),
        (Script(chunks=[text("One"), event(error={"message": "out of memory"})]), "out of memory"),
        (Script(chunks=[text("One"), b"data: {nonsense\n\n"]), "makes no sense"),
        (Script(chunks=[text("One")]), "ended the reply before it was complete"),
        (Script(chunks=[text("One"), event(choices=[], usage={"completion_tokens": 1})]), "before it was complete"),
        (Script(chunks=[text("One"), event(choices=[{"delta": {}, "finish_reason": None}])]), "before it was complete"),
        (
            Script(models=dialects.VLLM, chunks=[text("On"), b'data: {"choices": [{"delta": {"content": "e"}}]}']),
            "before it",
        ),
        (Script(models=dialects.OTHER, chunks=[text("One")]), "before it was complete"),
    ],
)
def test_what_came_before_the_trouble_is_kept(script: Script, cause: str) -> None:
    events, conversation = talk(script)
    end = events[-1]
    assert isinstance(end, ReplyBroken) and cause in end.cause and end.text == "One"
    assert conversation.messages[-1].content == "One" and conversation.messages[-1].is_partial
    assert end.needs_reload is script.cut


@pytest.mark.parametrize(
    ("script", "cause", "hint"),
    [
        (Script(status=401), "another key", "--api-key-file"),
        (Script(status=404), "not an OpenAI-compatible API", "address"),
        (Script(status=429, headers={"Retry-After": "7"}), "too much to do", "7 s"),
        (Script(status=500, answer=b'{"error": {"message": "It broke."}}'), "It broke.", "log"),
        (Script(status=302, headers={"Location": "http://elsewhere"}), "sends elsewhere", "http://elsewhere"),
        (Script(answer=b"<html>welcome</html>"), "not an OpenAI-compatible API", "port"),
        (Script(models={"data": 5}), "not an OpenAI-compatible API", "port"),
    ],
)
def test_a_server_in_trouble_is_one_sentence(script: Script, cause: str, hint: str) -> None:
    with server(script) as url, pytest.raises(EngineError) as caught:
        Server(url).models()
    assert cause in caught.value.message and hint in caught.value.hint


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(EngineError, match="cannot be reached"):
        Server(f"127.0.0.1:{port}").models()


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://user:secret@host", "not an address"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Server(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "given", ["http://host:1/v1", "http://host:1/v1/", "http://host:1", "host:1", "http://host:1/?a=b"]
)
def test_addresses_may_end_in_v1(given: str) -> None:
    assert Server(given).url == "http://host:1"


def test_the_key_goes_into_the_header() -> None:
    script = Script()
    with server(script) as url:
        Server(url, key="sesame").models()
    assert script.keys == ["Bearer sesame"]


@given(cuts=st.lists(st.integers(0, 200), max_size=12))
def test_a_stream_cut_anywhere_says_the_same(cuts: list[int]) -> None:
    whole = b': hello\r\ndata: {"a": "\xc3\xa9"}\r\n\r\nevent: x\ndata: one\ndata: two\n\ndata: [DONE]\n\n'
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    stream = EventStream()
    events = [said for begin, end in itertools.pairwise(edges) for said in stream.feed(whole[begin:end])]
    assert events == ['{"a": "é"}', "one\ntwo"] and stream.is_done
    unfinished = EventStream()
    assert unfinished.feed(b"data: last") + unfinished.finish() == ["last"]


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    yield server_engine(lambda prompt, settings: f"You said {len(prompt)} characters.")


def test_our_own_server_speaks_to_it(engine: ScriptedEngine) -> None:
    with served(engine) as there:
        client = Server(there.url)
        (model, *_) = client.models()
        assert (model.server, model.draft_name, model.context_tokens) == (SPARKDESK, "Draft", 200_000)
        settings = ChatSettings(sampling=SamplingSettings(temperature=0.3), max_tokens=99)
        conversation = Conversation(RemoteResponder(client, model), settings=settings)
        conversation.set_speculation(False)
        events = list(conversation.reply("Hello"))
        end = events[-1]
        assert isinstance(end, ReplyFinished) and end.text.startswith("You said") and end.stats.prompt_tokens > 0
        asked = engine.settings[-1]
        assert asked.sampling.temperature == 0.3 and asked.max_tokens == 99 and not asked.speculation.is_enabled
        conversation.set_speculation(True, 4)
        list(conversation.reply("Again"))
        assert engine.settings[-1].speculation == SpeculationSettings(True, 4)
        client.close()


def test_our_own_server_tells_with_every_chunk_how_many_tokens_it_holds(engine: ScriptedEngine) -> None:
    """The speed shown on the way was once that of chunks."""
    with served(engine) as there:
        client = Server(there.url)
        conversation = Conversation(RemoteResponder(client, client.models()[0]))
        *events, end = list(conversation.reply("Hello"))
        advances = [event for event in events if isinstance(event, ReplyAdvanced)]
        assert isinstance(end, ReplyFinished) and len(advances) > 3
        assert {len(event.round.tokens) for event in advances[1:-1]} == {3}
        assert advances[-1].stats.generated == end.stats.generated
        client.close()


def test_lists_of_models_are_read_as_far_as_they_go() -> None:
    (model,) = served_models({"data": [{"id": "x", "meta": {"n_ctx": "many"}, "max_model_len": None}]})
    assert (model.server, model.context_tokens) == (OTHER, 0)


@pytest.mark.parametrize(
    ("begun", "goes_on", "content"),
    [
        ("The capital is", " Madrid.", "The capital is Madrid."),
        ("<think>\nHm", ", yes.\n</think>\n\nMadrid.", "<think>\nHm, yes.\n</think>\n\nMadrid."),
    ],
)
def test_our_own_server_goes_on_with_a_reply(begun: str, goes_on: str, content: str) -> None:
    engine = server_engine(goes_on, model=replace(MODEL, chat_template=QWEN3))
    messages = (Message("user", "Capital?"), Message("assistant", begun, is_partial=True))
    with served(engine) as there:
        client = Server(there.url)
        conversation = Conversation(RemoteResponder(client, client.models()[0]), messages=messages)
        list(conversation.go_on())
        client.close()
    assert engine.texts[-1].endswith(begun)
    assert conversation.messages[-1].content == content


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Hm.\n</think>\n\nYes.", "<think>\nHm.\n</think>\n\nYes."),
        ("The tag </think> ends it.", "The tag </think> ends it."),
        ("So:\n<think>\nx\n</think>\n", "So:\n<think>\nx\n</think>\n"),
    ],
)
def test_a_server_that_leaves_out_the_opening_tag_is_understood(said: str, kept: str) -> None:
    """A model whose prompt opens its reasoning, at a server without a reasoning parser."""
    events, conversation = talk(Script(chunks=[text(said), STOP, DONE]))
    assert conversation.messages[-1].content == kept
    assert isinstance(events[-1], ReplyFinished) and events[-1].text == kept
