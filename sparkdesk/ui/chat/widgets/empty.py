"""What a new conversation shows: what is loaded, and what to try."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.settings import MTP
from sparkdesk.safe_text import safe_line
from sparkdesk.ui.chat.widgets.speculation_switch import is_lookup
from sparkdesk.ui.keys import key_name
from sparkdesk.ui.shared import numbers
from sparkdesk.ui.shared.prompt import PromptSent


class Example(Static):
    """A prompt to be clicked."""

    def __init__(self, text: str) -> None:
        super().__init__(Content.assemble(("▸ ", "$primary"), safe_line(text)))
        self._text = text

    def on_click(self) -> None:
        self.post_message(PromptSent(self._text))


class EmptyConversation(Vertical):
    def __init__(self, model: ModelInfo, examples: tuple[str, ...], *, problem: str) -> None:
        super().__init__()
        self._model = model
        self._examples = examples
        self._problem = problem

    def compose(self) -> ComposeResult:
        yield Static(Content.assemble(("✦ ", "$primary"), (self._model.name, "bold")), classes="name")
        yield Static(Content(_facts(self._model)), classes="facts")
        if self._problem:
            yield Static(Content.assemble(("⊘ the draft is not used: ", "$warning"), self._problem), classes="facts")
        yield Static(
            f"Write below, or try one of these (click, or {key_name(self, 'prompt.example')}):", classes="lead"
        )
        for example in self._examples:
            yield Example(example)
        name = "prompt lookup" if is_lookup(self._model) else "speculation"
        key = key_name(self, "chat.speculation")
        switch = "" if self._model.switch_problem else f"{key} switches {name}, also in mid-reply. "
        chats, models, keys = (key_name(self, key_id) for key_id in ("chat.conversations", "desk.models", "desk.help"))
        yield Static(
            f"{switch}{chats} shows your earlier conversations, {models} other models, {keys} all keys.", classes="lead"
        )


def _facts(model: ModelInfo) -> str:
    size = f"{numbers.magnitude(model.parameter_count)} parameters" if model.parameter_count else ""
    known = ", ".join(part for part in (size, model.architecture) if part)
    target = f"{known}, on {', '.join(model.devices)}." if known else f"On {', '.join(model.devices)}."
    if is_lookup(model):
        return f"{target} It has no draft: text that occurred before in the conversation is proposed by prompt lookup."
    if model.draft_name is None:
        return target
    kind = f" ({model.drafter_title})" if model.drafter_kind not in ("", "dspark", MTP) else ""
    return f"{target} Its draft {model.draft_name}{kind} proposes up to {model.block_size} tokens at a time."
