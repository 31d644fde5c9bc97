"""The typed messages between the desk and the engine's child process, and their form on the wire.

One message is one line of JSON: {"type": "Generate", "id": 7, ...fields}. The id is the request's own, and that of the
request an answer belongs to; messages that get no answer have none. Bytes travel as latin-1 text. Token pieces are
bytes because a token may be half a character; putting them together is the business of whoever shows text.
"""

from dataclasses import dataclass

from sparkdesk.engine.model_info import ModelInfo
from sparkdesk.engine.round import Prefilled, Round
from sparkdesk.engine.settings import GenerationSettings, LoadSettings, SpeculationSettings
from sparkdesk.engine.stats import ReplyStats

# Desk -> child


@dataclass(frozen=True, slots=True)
class Load:
    settings: LoadSettings


@dataclass(frozen=True, slots=True)
class Tokenize:
    """Answered at once where a pair is loaded, in mid-reply too."""

    text: str
    parse_special: bool = True
    """Whether <|im_start|> and its like become their own token."""


@dataclass(frozen=True, slots=True)
class Generate:
    tokens: tuple[int, ...]
    settings: GenerationSettings
    ignore_end: bool = False
    """Go on through the model's end-of-turn tokens."""
    spells_control: bool = False
    """Pieces spell out control tokens, such as those a model writes a tool call with; else they are empty."""


@dataclass(frozen=True, slots=True)
class SetSpeculation:
    """Takes effect from the next round on, also in mid-reply."""

    settings: SpeculationSettings


@dataclass(frozen=True, slots=True)
class Cancel:
    """End replies after their current round; one that waits its turn ends without a round."""

    request_id: int = 0
    """Of the Generate meant; 0 is every one asked for so far."""


@dataclass(frozen=True, slots=True)
class Compare:
    """How sure the target is between two continuations of the same tokens, decoded plainly."""

    tokens: tuple[int, ...]
    first: int
    second: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    pass


# Child -> desk


@dataclass(frozen=True, slots=True)
class Loading:
    stage: str
    """"target", "draft" or "warm-up"; or a sentence for the user when a second, safer try begins."""
    fraction: float


@dataclass(frozen=True, slots=True)
class Loaded:
    model: ModelInfo
    load_ms: float


@dataclass(frozen=True, slots=True)
class Tokens:
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prefilling:
    progress: Prefilled


@dataclass(frozen=True, slots=True)
class RoundDone:
    round: Round
    pieces: tuple[bytes, ...]
    """The text of each token of the round, as bytes."""
    is_speculating: bool = False
    """Whether this round was made with speculation switched on."""
    top_pieces: tuple[tuple[bytes, ...], ...] = ()
    """The text of each of `round.likelihoods`' top tokens, control tokens spelled out; empty where none were asked."""


@dataclass(frozen=True, slots=True)
class Finished:
    stop_reason: str
    """"end" (end-of-turn token), "length" (max_tokens), "context" (context full) or "cancelled"."""
    stats: ReplyStats


@dataclass(frozen=True, slots=True)
class Compared:
    margin: float
    """Logit of the first minus logit of the second, decoded one row at a time."""
    noise: float
    """The largest difference seen between the same logits decoded in a batch and one row at a time."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that could not be served; the child goes on."""

    kind: str
    """Name of the error class in sparkdesk.errors."""
    message: str
    hint: str = ""


Request = Load | Tokenize | Generate | SetSpeculation | Cancel | Compare | Shutdown
Response = Loading | Loaded | Tokens | Prefilling | RoundDone | Finished | Compared | Failed
