"""The same tokens are the same reply in the same parts: on the screen, in the history, exports, `chat` and the API."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkdesk.chat.conversation import Conversation
from sparkdesk.chat.events import ReplyAdvanced, ReplyFinished
from sparkdesk.chat.history.export import JSON, MARKDOWN, exported
from sparkdesk.chat.history.kept import Kept
from sparkdesk.chat.local_responder import LocalResponder
from sparkdesk.chat.messages import Branch
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat.tree import MessageTree
from sparkdesk.cli import chat as cli_chat
from sparkdesk.server.requests.models import RequestDefaults
from sparkdesk.ui.chat.message_lines import ReplyEntry
from tests.chat_format.templates import GEMMA3, GEMMA4, LLAMA3, QWEN3, QWEN3_THINKING
from tests.reply_scripts import writing
from tests.scripted_engine import CHANNEL_CLOSE, CHANNEL_OPEN, CHATML, CONTROL, MODEL, ScriptedEngine
from tests.server.served import listening

Parts = tuple[str, str]
"""Reasoning and answer."""
FORMATS = {
    "Qwen3": QWEN3,
    "Qwen3 thinking": QWEN3_THINKING,
    "Gemma 4": GEMMA4,
    "ChatML": CHATML,
    "Llama 3": LLAMA3,
    "Gemma 3": GEMMA3,
}


def spelled(*parts: str | int) -> tuple[int, ...]:
    """A token for each letter, and control tokens as they are."""
    tokens: list[int] = []
    for part in parts:
        tokens += [part] if isinstance(part, int) else map(ord, part)
    return tuple(tokens)


@pytest.mark.parametrize(
    ("name", "tokens", "parts"),
    [
        ("Qwen3", spelled("<think>\nHm. *So*\n</think>\n\nYes: 🦊"), ("Hm. *So*", "Yes: 🦊")),
        ("Qwen3", spelled("<think>\n\n</think>\n\nYes."), ("", "Yes.")),
        ("Qwen3", spelled("<think>cut in mid-thou"), ("cut in mid-thou", "")),
        (
            "Qwen3",
            spelled("the tags <think> and </think>"),
            ("", "the tags <think> and </think>"),
        ),
        ("Qwen3", spelled('a <tool_call>{"name": "f"}'), ("", 'a <tool_call>{"name": "f"}')),
        ("Qwen3 thinking", spelled("Hm.\n</think>\n\nYes."), ("Hm.", "Yes.")),
        ("Qwen3 thinking", spelled("still at it"), ("still at it", "")),
        ("Gemma 4", spelled(CHANNEL_OPEN, "thought\nHm.\n", CHANNEL_CLOSE, "Yes."), ("Hm.", "Yes.")),
        ("Gemma 4", spelled(CHANNEL_OPEN, "thought\n", CHANNEL_CLOSE, "Yes."), ("", "Yes.")),
        ("Gemma 4", spelled(CHANNEL_OPEN, "thought\nHm. </think>"), ("Hm. </think>", "")),
        ("Gemma 4", spelled("Yes, no thought."), ("", "Yes, no thought.")),
        ("ChatML", spelled("Plain **bold** text"), ("", "Plain **bold** text")),
        ("Llama 3", spelled("  with </think> in it\n"), ("", "  with </think> in it\n")),
        ("Gemma 3", spelled("<b>html</b>"), ("", "<b>html</b>")),
    ],
)
def test_a_reply_has_the_same_parts_everywhere(
    name: str, tokens: Sequence[int], parts: Parts, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gemma's thoughts were shown as its answer on the screen, where the API told them apart."""
    found = everywhere(name, tokens, capsys)
    assert found == dict.fromkeys(found, parts) and len(found) == 7


def everywhere(name: str, tokens: Sequence[int], capsys: pytest.CaptureFixture[str]) -> dict[str, Parts]:
    return {**on_the_desk(name, tokens), **at_the_command_line(name, tokens, capsys), **from_the_api(name, tokens)}


SCRAPS: list[str | int] = ["<think>", "</think>", "\n", " ", "a", "<", "é", CHANNEL_OPEN, "thought", CHANNEL_CLOSE, "*"]


@settings(max_examples=60)
@given(st.sampled_from(sorted(FORMATS)), st.lists(st.sampled_from(SCRAPS), min_size=1, max_size=10))
def test_screen_history_and_exports_agree_on_any_reply(name: str, scraps: list[str | int]) -> None:
    found = on_the_desk(name, spelled(*scraps))
    assert len(set(found.values())) == 1, found


def engine_of(name: str, tokens: Sequence[int]) -> ScriptedEngine:
    model = replace(MODEL, chat_template=FORMATS[name], control_pieces=tuple(CONTROL))
    return ScriptedEngine(writing(*tokens), model=model)


def on_the_desk(name: str, tokens: Sequence[int]) -> dict[str, Parts]:
    tree = MessageTree()
    conversation = Conversation(LocalResponder(engine_of(name, tokens)), tree=tree)
    entry, text = ReplyEntry(), ""
    for event in conversation.reply("Well?"):
        if isinstance(event, ReplyAdvanced):
            entry.write(event.text, event.stretches)
            text += event.text
        elif isinstance(event, ReplyFinished):
            assert event.text == text, "what is shown is what is kept"
            entry.finish(event.text)
    assert sum(stretch.length for stretch in entry.stretches) == len(text)
    kept = ReplyEntry.kept(conversation.messages[-1], 1, Branch(1, 1), model="")
    told = json.loads(exported(Kept(tree, ChatSettings(), "t"), form=JSON))["messages"][-1]
    found = {"screen": of(entry), "history": of(kept), "JSON": (told["reasoning"], told["answer"])}
    assert_markdown_has(found["screen"], exported(Kept(tree, ChatSettings(), "t"), form=MARKDOWN))
    return found


def of(entry: ReplyEntry) -> Parts:
    return entry.parts.reasoning, entry.parts.answer


def assert_markdown_has(parts: Parts, markdown: str) -> None:
    reasoning, answer = parts
    assert ("<summary>Thoughts</summary>" in markdown) == bool(reasoning)
    assert reasoning in markdown and answer.strip("\n") in markdown.rpartition("</details>")[2]


def at_the_command_line(name: str, tokens: Sequence[int], capsys: pytest.CaptureFixture[str]) -> dict[str, Parts]:
    capsys.readouterr()
    engine = engine_of(name, tokens)
    finished = cli_chat._answer(engine, "Well?", chat=ChatSettings(), is_streamed=True)  # type: ignore[arg-type]
    streamed = capsys.readouterr()
    cli_chat._report(finished, is_raw=False, is_json=True)
    told = json.loads(capsys.readouterr().out)
    return {"chat": (streamed.err, streamed.out), "chat --json": (told.get("reasoning", ""), told["text"])}


@contextmanager
def served(name: str, tokens: Sequence[int]) -> Iterator[str]:
    engine = engine_of(name, tokens)
    with listening(engine, reload=lambda: None, defaults=RequestDefaults(names=("m",), vocabulary_size=9)) as server:
        yield f"{server.url}/v1/chat/completions"


def from_the_api(name: str, tokens: Sequence[int]) -> dict[str, Parts]:
    body = {"messages": [{"role": "user", "content": "Well?"}]}
    with served(name, tokens) as url:
        message = httpx.post(url, json=body).json()["choices"][0]["message"]
        chunks = httpx.post(url, json={**body, "stream": True}).text.split("\n\n")
    reasoning = answer = ""
    for chunk in chunks:
        data = chunk.removeprefix("data: ")
        delta = json.loads(data)["choices"][0]["delta"] if data.startswith("{") else {}
        reasoning, answer = reasoning + delta.get("reasoning_content", ""), answer + delta.get("content", "")
    return {"API": (message.get("reasoning_content", ""), message["content"]), "API stream": (reasoning, answer)}
