"""The typed messages between the desk and the engine's child process, with their types.

Requests and responses are two unions of msgspec structs, told apart by their names; `wire` frames them. Token pieces
are bytes because a token may be half a character; putting them together is the business of whoever shows text.
"""

import os
from dataclasses import replace

import msgspec

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats


class _Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Told from the others of its union by its class's name."""


# Desk -> child


class Load(_Message, frozen=True):
    """Put a pair into memory."""

    unlocated: LoadSettings
    """The settings with empty paths, for a path need not be text."""
    target_path: bytes
    draft_path: bytes | None = None

    @classmethod
    def of(cls, settings: LoadSettings) -> "Load":
        draft = settings.draft_path
        return cls(
            replace(settings, target_path="", draft_path=None),
            os.fsencode(settings.target_path),
            os.fsencode(draft) if draft is not None else None,
        )

    @property
    def settings(self) -> LoadSettings:
        draft = self.draft_path
        return replace(
            self.unlocated,
            target_path=os.fsdecode(self.target_path),
            draft_path=os.fsdecode(draft) if draft is not None else None,
        )


class Tokenize(_Message, frozen=True):
    """Answered at once where a pair is loaded, in mid-reply too."""

    text: str
    parse_special: bool = True
    """Whether <|im_start|> and its like become their own token."""


class Spell(_Message, frozen=True):
    """Answered as Tokenize is. Control tokens are spelled out."""

    tokens: tuple[int, ...]


class Generate(_Message, frozen=True):
    tokens: tuple[int, ...]
    settings: GenerationSettings
    ignore_end: bool = False
    """Go on through the model's end-of-turn tokens."""
    spells_control: bool = False
    """Pieces spell out control tokens, such as those a model writes a tool call with; else they are empty."""


class SetSpeculation(_Message, frozen=True):
    """Takes effect from the next round on, also in mid-reply."""

    settings: SpeculationSettings


class Cancel(_Message, frozen=True):
    """End replies after their current round; one that waits its turn ends without a round."""

    request_id: int = 0
    """Of the Generate meant; 0 is every one asked for so far."""


class Compare(_Message, frozen=True):
    """How sure the target is between two continuations of the same tokens, decoded plainly."""

    tokens: tuple[int, ...]
    first: int
    second: int


class Shutdown(_Message, frozen=True):
    pass


# Child -> desk


class Loading(_Message, frozen=True):
    stage: str
    """"target", "draft" or "warm-up"; or a sentence for the user when a second, safer try begins."""
    fraction: float


class Loaded(_Message, frozen=True):
    model: ModelInfo
    load_ms: float


class Tokens(_Message, frozen=True):
    tokens: tuple[int, ...]


class Spelled(_Message, frozen=True):
    pieces: tuple[bytes, ...]
    """The text of each token."""


class Prefilling(_Message, frozen=True):
    progress: Prefilled


class RoundDone(_Message, frozen=True):
    round: Round
    pieces: tuple[bytes, ...]
    """The text of each token of the round, as bytes."""
    is_speculating: bool = False
    """Whether this round was made with speculation switched on."""
    top_pieces: tuple[tuple[bytes, ...], ...] = ()
    """The text of each of `round.likelihoods`' top tokens, control tokens spelled out; empty where none were asked."""


class Finished(_Message, frozen=True):
    stop_reason: str
    """"end" (end-of-turn token), "length" (max_tokens), "context" (context full) or "cancelled"."""
    stats: ReplyStats


class Compared(_Message, frozen=True):
    margin: float
    """Logit of the first minus logit of the second, decoded one row at a time."""
    noise: float
    """The largest difference seen between the same logits decoded in a batch and one row at a time."""


class Alive(_Message, frozen=True):
    """Said every second by a thread that does nothing else, whatever the engine is computing: the process runs."""


class Failed(_Message, frozen=True):
    """A request that could not be served; the child goes on."""

    kind: str
    """Name of the error class in sparkdesk.errors."""
    message: str
    hint: str = ""


Request = Load | Tokenize | Spell | Generate | SetSpeculation | Cancel | Compare | Shutdown
Response = Loading | Loaded | Tokens | Spelled | Prefilling | RoundDone | Finished | Compared | Alive | Failed
