"""An agent that reads a file, edits it and runs its test, in each of the three APIs; the model is a script."""

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from sparkdesk.engine.settings import GenerationSettings
from tests.reply_scripts import answering
from tests.server.served import Served, served, server_engine

TASK = "The test of add.py fails. Mend it."
TOOLS: dict[str, list[str]] = {"read_file": ["path"], "edit_file": ["path", "old", "new"], "run_test": []}


def schema(arguments: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {each: {"type": "string"} for each in arguments}, "required": arguments}


def mending(prompt: str, settings: GenerationSettings) -> str:
    """Looks and tests at once, mends what it finds, tests again, and is content when that passes."""
    if "all is well" in prompt:
        return "The sum is right now."
    if "edited" in prompt:
        return call("run_test")
    if "return a - b" in prompt and "AssertionError" in prompt:
        mend = call("edit_file", path="add.py", old="a - b", new='a + b  # "sum", \\ and ü')
        return f"<think>\nA sum is wanted.\n</think>\n\nThere it is.\n{mend}"
    return f"I look.\n{call('read_file', path='add.py')}\n{call('run_test')}"


def call(name: str, **arguments: str) -> str:
    said = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{said}\n</tool_call>"


@dataclass
class Agent(ABC):
    """Asks, does what is asked of it, and tells what came of it, until there is nothing to do."""

    url: str
    folder: Path
    is_streamed: bool
    used: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin()

    def work(self) -> str:
        for _ in range(6):
            text, calls = self.ask()
            if not calls:
                return text
            self.tell({each: self.use(name, arguments) for each, name, arguments in calls})
        raise AssertionError("it comes to no end")

    def use(self, name: str, arguments: dict[str, str]) -> str:
        self.used.append(name)
        assert list(arguments) == TOOLS[name]
        if name == "run_test":
            done = subprocess.run([sys.executable, "-P", "test.py"], cwd=self.folder, capture_output=True, text=True)
            return "all is well" if done.returncode == 0 else done.stderr
        file = self.folder / arguments["path"]
        if name == "read_file":
            return file.read_text()
        file.write_text(file.read_text().replace(arguments["old"], arguments["new"]))
        return "edited"

    @abstractmethod
    def begin(self) -> None: ...

    @abstractmethod
    def ask(self) -> tuple[str, list[tuple[str, str, dict[str, str]]]]:
        """The text, and each call's id, function and arguments."""

    @abstractmethod
    def tell(self, results: dict[str, str]) -> None: ...


class ChatAgent(Agent):
    def begin(self) -> None:
        self.messages: list[Any] = [{"role": "user", "content": TASK}]
        self.client = OpenAI(base_url=f"{self.url}/v1", api_key="none", timeout=30, max_retries=0)

    def ask(self) -> tuple[str, list[tuple[str, str, dict[str, str]]]]:
        tools: Any = [
            {"type": "function", "function": {"name": name, "parameters": schema(arguments)}}
            for name, arguments in TOOLS.items()
        ]
        asked: dict[str, Any] = {"model": "scripted", "messages": self.messages, "tools": tools}
        if self.is_streamed:
            with self.client.chat.completions.stream(**asked) as stream:
                message: Any = stream.get_final_completion().choices[0].message
        else:
            message = self.client.chat.completions.create(**asked).choices[0].message
        self.messages.append(message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
        calls = [
            (each.id, each.function.name, json.loads(each.function.arguments)) for each in message.tool_calls or []
        ]
        return message.content or "", calls

    def tell(self, results: dict[str, str]) -> None:
        self.messages += [{"role": "tool", "tool_call_id": each, "content": text} for each, text in results.items()]


class ResponsesAgent(Agent):
    """It sends only what is new."""

    def begin(self) -> None:
        self.input: Any = TASK
        self.previous: str | None = None
        self.client = OpenAI(base_url=f"{self.url}/v1", api_key="none", timeout=30, max_retries=0)

    def ask(self) -> tuple[str, list[tuple[str, str, dict[str, str]]]]:
        tools: Any = [
            {"type": "function", "name": name, "parameters": schema(arguments), "strict": True}
            for name, arguments in TOOLS.items()
        ]
        asked: dict[str, Any] = {"model": "scripted", "input": self.input, "tools": tools}
        if self.previous is not None:
            asked["previous_response_id"] = self.previous
        if self.is_streamed:
            with self.client.responses.stream(**asked) as stream:
                response: Any = stream.get_final_response()
        else:
            response = self.client.responses.create(**asked)
        self.previous = response.id
        calls = [item for item in response.output if item.type == "function_call"]
        return response.output_text, [(each.call_id, each.name, json.loads(each.arguments)) for each in calls]

    def tell(self, results: dict[str, str]) -> None:
        self.input = [
            {"type": "function_call_output", "call_id": each, "output": text} for each, text in results.items()
        ]


class MessagesAgent(Agent):
    def begin(self) -> None:
        self.messages: list[Any] = [{"role": "user", "content": TASK}]
        self.client = Anthropic(base_url=self.url, api_key="none", timeout=30, max_retries=0)

    def ask(self) -> tuple[str, list[tuple[str, str, dict[str, str]]]]:
        tools: Any = [{"name": name, "input_schema": schema(arguments)} for name, arguments in TOOLS.items()]
        asked: dict[str, Any] = {"model": "scripted", "max_tokens": 4000, "messages": self.messages, "tools": tools}
        if self.is_streamed:
            with self.client.messages.stream(**asked) as stream:
                message: Any = stream.get_final_message()
        else:
            message = self.client.messages.create(**asked)
        content = [block.model_dump(exclude_none=True) for block in message.content]
        self.messages.append({"role": "assistant", "content": content})
        calls = [block for block in message.content if block.type == "tool_use"]
        text = "".join(block.text for block in message.content if block.type == "text")
        return text, [(block.id, block.name, block.input) for block in calls]

    def tell(self, results: dict[str, str]) -> None:
        blocks = [{"type": "tool_result", "tool_use_id": each, "content": text} for each, text in results.items()]
        self.messages.append({"role": "user", "content": blocks})


@pytest.fixture
def agent_server() -> Iterator[Served]:
    engine = server_engine("")
    engine.script = answering(mending)
    with served(engine) as server:
        yield server


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("kind", [ChatAgent, ResponsesAgent, MessagesAgent])
def test_an_agent_mends_a_file(
    agent_server: Served, tmp_path: Path, kind: Callable[[str, Path, bool], Agent], is_streamed: bool
) -> None:
    (tmp_path / "add.py").write_text("def add(a, b):\n    return a - b\n", encoding="utf-8")
    (tmp_path / "test.py").write_text(
        "import sys\nsys.path.insert(0, '.')\nfrom add import add\nassert add(1, 2) == 3\n", encoding="utf-8"
    )
    agent = kind(agent_server.url, tmp_path, is_streamed)
    assert agent.work() == "The sum is right now."
    assert agent.used == ["read_file", "run_test", "edit_file", "run_test"]
    assert 'a + b  # "sum", \\ and ü' in (tmp_path / "add.py").read_text(encoding="utf-8")
    texts = agent_server.engine.texts
    assert len(texts) == 4 and all(len(texts[i]) < len(texts[i + 1]) for i in range(3))
    reused = agent_server.engine.reused[1:]
    assert all(count >= len(before) for count, before in zip(reused, texts, strict=False)), (
        "every turn finds the one before in the cache"
    )
