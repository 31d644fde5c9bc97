"""What can be set about a conversation's replies: how each value is written, read, and what it is for. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.engine.settings import SamplingSettings

Number = float | int | None
RANDOM = "random"
NO_LIMIT = "no limit"


class NotThis(ValueError):
    """A value that makes no sense, with the sentence that says so."""


@dataclass(frozen=True, slots=True)
class SettingField:
    """One line of the dialog."""

    name: str
    """Its name in SamplingSettings, or "max_tokens"."""
    label: str
    purpose: str
    parse: Callable[[str], Number]
    """Raises NotThis."""
    is_recommended: bool = True
    """Whether the makers of a model have something to say about it."""

    def read(self, settings: ChatSettings) -> Number:
        value: Number = settings.max_tokens if self.name == "max_tokens" else getattr(settings.sampling, self.name)
        return value

    def put(self, settings: ChatSettings, value: Number) -> ChatSettings:
        if self.name == "max_tokens":
            return replace(settings, max_tokens=int(value or 0))
        changed: dict[str, Any] = {self.name: value}
        return replace(settings, sampling=replace(settings.sampling, **changed))

    def show(self, value: Number) -> str:
        """As it is written in its field."""
        if self.name == "seed":
            return RANDOM if value is None else str(value)
        if self.name == "max_tokens":
            return str(value) if value else NO_LIMIT
        return f"{value:g}"

    def default(self, recommended: SamplingSettings) -> Number:
        """What it goes back to."""
        if self.name == "max_tokens":
            return 0
        value: Number = getattr(recommended, self.name)
        return value


def _real(name: str, least: float, most: float, why: str) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        try:
            number = float(text.replace(",", "."))
        except ValueError:
            number = math.nan
        if math.isnan(number) or not least <= number <= most:
            raise NotThis(f"{name} is a number from {least:g} to {most:g}: {why}.")
        return number

    return parse


def _whole(
    name: str, least: int, most: int, why: str, *, word: str = "", word_value: Number = None
) -> Callable[[str], Number]:
    def parse(text: str) -> Number:
        if word and text.lower() in (word, ""):
            return word_value
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            or_word = f", or “{word}”" if word else ""
            raise NotThis(f"{name} is a whole number from {least} to {most}{or_word}: {why}.")
        return number

    return parse


_LARGEST_SEED = 2**32 - 1
FIELDS: tuple[SettingField, ...] = (
    SettingField(
        "temperature",
        "temperature",
        "How random the next token is; 0 always takes the most likely one.",
        _real("Temperature", 0, 5, "0 always takes the most likely token, above 1.5 most models ramble"),
    ),
    SettingField(
        "top_k",
        "top-k",
        "Samples from the k most likely tokens only; 0 is off.",
        _whole("Top-k", 0, 1_000_000, "0 is off, 1 always takes the most likely token"),
    ),
    SettingField(
        "top_p",
        "top-p",
        "Samples from the most likely tokens whose probabilities add up to p; 1 is off.",
        _real("Top-p", 0, 1, "1 is off"),
    ),
    SettingField(
        "min_p",
        "min-p",
        "Leaves out tokens less likely than this fraction of the most likely one; 0 is off.",
        _real("Min-p", 0, 1, "0 is off"),
    ),
    SettingField(
        "repeat_penalty",
        "repeat penalty",
        "Makes recent tokens less likely; 1 is off.",
        _real("The repeat penalty", 0.1, 5, "1 is off, above it repeating is made harder"),
    ),
    SettingField(
        "presence_penalty",
        "presence penalty",
        "Subtracts this from the logit of every recent token; 0 is off.",
        _real("The presence penalty", -5, 5, "0 is off"),
    ),
    SettingField(
        "frequency_penalty",
        "frequency penalty",
        "Subtracts this for each recent occurrence of a token; 0 is off.",
        _real("The frequency penalty", -5, 5, "0 is off"),
    ),
    SettingField(
        "penalty_last_tokens",
        "penalty window",
        "How many tokens count as recent; 0 turns all three penalties off.",
        _whole("The penalty window", 0, 1_000_000, "the default is 64"),
    ),
    SettingField(
        "seed",
        "seed",
        "The same seed gives the same reply, where speculation is off or has a fixed draft length.",
        _whole("The seed", 0, _LARGEST_SEED, "the same one gives the same reply", word=RANDOM),
        is_recommended=False,
    ),
    SettingField(
        "max_tokens",
        "max tokens",
        "Ends a reply there; without a limit it ends by itself, or when the context is full.",
        _whole("Max tokens", 1, 10_000_000, "a reply ends there", word=NO_LIMIT, word_value=0),
        is_recommended=False,
    ),
)
