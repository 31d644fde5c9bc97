"""Pure: when speculation is put on hold because it loses, and when it may be tried again.

A parked pair decodes plainly and keeps the features of every token, so that coming back is one absorb. Now and then it
drafts one block to see how the text is going. The time such probes lose is paid from an allowance that grows with time.
"""

PROBE_SHARE = 0.02
"""Most of the decoding time that probes may lose."""
_FIRST_INTERVAL = 6.0
_LONGEST_INTERVAL = 96.0
_GROWTH = 1.25
_CREDIT_STEPS = 1.0
_MOST_CREDIT_STEPS = 3.0


class Parking:
    """Counts tokens and milliseconds; what speculation would gain is decided elsewhere."""

    def __init__(self) -> None:
        self.is_parked = False
        self._interval = _FIRST_INTERVAL
        self._tokens_parked = 0
        self._allowance_ms: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether a parked pair has waited long enough for the next probe."""
        return self._tokens_parked >= self._interval

    def affords(self, likely_loss_ms: float) -> bool:
        """Whether the allowance covers what a probe is likely to lose; unlimited before anything was measured."""
        return self._allowance_ms is None or self._allowance_ms >= likely_loss_ms

    def park(self) -> None:
        """Put on hold; said again after a probe, it makes the next interval longer."""
        if self.is_parked:
            self._interval = min(_LONGEST_INTERVAL, self._interval * _GROWTH)
        self.is_parked = True
        self._tokens_parked = 0

    def unpark(self) -> None:
        self.is_parked = False

    def look_again(self) -> None:
        """The machine has become faster or slower at once: one block is looked at now, whatever that may cost."""
        self.settle()
        self._tokens_parked, self._allowance_ms = int(_LONGEST_INTERVAL), None

    def begin_reply(self, prefill_ms: float) -> None:
        """Another text may be another matter: a parked pair may look at it at once, and its prompt took time too."""
        self._tokens_parked = int(_LONGEST_INTERVAL)
        if self._allowance_ms is not None:
            self._allowance_ms += PROBE_SHARE * prefill_ms

    def settle(self) -> None:
        """Speculation has gained for a while: the next hold begins with short intervals again."""
        self._interval = _FIRST_INTERVAL

    def pass_round(self, tokens: int, elapsed_ms: float, *, plain_ms: float, is_probe: bool) -> None:
        """A round is over: `tokens` tokens in `elapsed_ms`, where one plain step takes `plain_ms`."""
        self._tokens_parked += tokens
        allowance = _CREDIT_STEPS * plain_ms if self._allowance_ms is None else self._allowance_ms
        most = max(allowance, _MOST_CREDIT_STEPS * plain_ms)
        allowance = min(most, allowance + PROBE_SHARE * elapsed_ms)
        if is_probe:
            allowance -= max(0.0, elapsed_ms - tokens * plain_ms)
        self._allowance_ms = allowance
