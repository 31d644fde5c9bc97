"""What the marks on the screen mean, for the help. Each says its meaning by its shape, so that colours are an extra."""

from dataclasses import dataclass

from sparkdesk.ui.chat import token_origins
from sparkdesk.ui.chat.widgets.gain_sections import DRAFT, REST, VERIFY
from sparkdesk.ui.chat.widgets.speculation_switch import NONE, OFF, ON, PARKED


@dataclass(frozen=True, slots=True)
class Symbol:
    mark: str
    meaning: str
    style: str


SYMBOLS = (
    Symbol(ON, "speculation is on: the draft proposes", "$primary"),
    Symbol(PARKED, "on but parked: drafts would cost time here", "$spark-calm"),
    Symbol(OFF, "speculation is off: plain decoding", "$foreground"),
    Symbol(NONE, "no draft can be used; why is said beside it", "$warning"),
    Symbol("draft auto · 3", "the engine chooses how many tokens: 3 now", "$primary"),
    Symbol("━", "speed with speculation, under the chart", "$primary"),
    Symbol("╌", "speed without", "$spark-calm"),
    Symbol("┈", "where plain decoding would be", "$spark-quiet"),
    Symbol(f"{DRAFT} {VERIFY} {REST}", "time per round: drafting, verifying, other", "$primary"),
    Symbol("1 ░▒▓█··", "how often the first drafted token is accepted", "$primary"),
    *(
        Symbol("abc", f"a token's origin: {words}", token_origins.STYLES[source])
        for source, words in token_origins.WORDS.items()
    ),
    Symbol("✗", "what went wrong", "$error"),
    Symbol("!", "what to know", "$warning"),
    Symbol("■", "ended before its end", "$error"),
)
