"""How far the desk is, and what may be done there. Pure; the screen asks before it acts."""

from enum import Enum, auto


class Stage(Enum):
    """Exactly one at a time."""

    OPENING = auto()
    READY = auto()
    REPLYING = auto()
    DOWN = auto()
    """No engine: opening failed or was cancelled, or the engine died."""

    @property
    def why_not_send(self) -> str:
        """What to tell a user who sends a prompt now; empty when it can be sent."""
        return _WHY_NOT_SEND[self]

    def allows(self, action: str) -> bool:
        return self in _STAGES_OF.get(action, tuple(Stage))


_WHY_NOT_SEND = {
    Stage.OPENING: "The model is still loading. Your prompt stays where it is.",
    Stage.READY: "",
    Stage.REPLYING: "A reply is being written. Esc stops it.",
    Stage.DOWN: "There is no model to answer. Ctrl+R loads it.",
}

_STAGES_OF = {
    "stop": (Stage.OPENING, Stage.REPLYING),
    "reload": (Stage.READY, Stage.DOWN),
    "new_conversation": (Stage.READY, Stage.REPLYING, Stage.DOWN),
}
