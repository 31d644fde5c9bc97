"""How far the chat is, and what may be done there. Pure; the screen asks before it acts."""

from collections.abc import Callable
from enum import Enum, auto


class Stage(Enum):
    """Exactly one at a time."""

    LOADING = auto()
    READY = auto()
    REPLYING = auto()
    DOWN = auto()
    """No engine: loading failed or was cancelled, or the engine died."""

    def why_not_send(self, key_name: Callable[[str], str]) -> str:
        """What to tell a user who sends a prompt now; empty when it can be sent. `key_name` says an action's key."""
        reason, key_id = _WHY_NOT_SEND[self]
        return reason.format(key_name(key_id)) if key_id else reason

    def allows(self, action: str) -> bool:
        return self in _STAGES_OF.get(action, tuple(Stage))


_WHY_NOT_SEND = {
    Stage.LOADING: ("The model is still loading. Your message is sent when it is ready.", ""),
    Stage.READY: ("", ""),
    Stage.REPLYING: ("A reply is being generated. {} stops it.", "chat.stop"),
    Stage.DOWN: ("No model is loaded. {} loads it.", "chat.reload"),
}

_STAGES_OF = {
    "stop": (Stage.LOADING, Stage.REPLYING),
    "reload": (Stage.READY, Stage.DOWN),
    "new_conversation": (Stage.READY, Stage.REPLYING, Stage.DOWN),
}


def why_bench_first(key_name: Callable[[str], str]) -> str:
    """What to tell a user who wants the engine while the bench has it."""
    return f"The bench is measuring with this model. {key_name('desk.bench')} goes there, where it can be stopped."
