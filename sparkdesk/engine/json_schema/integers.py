"""Whole numbers within bounds, and multiples, digit by digit."""

from sparkdesk.engine.json_schema.expressions import literal, one_of
from sparkdesk.engine.json_schema.refusal import refusal
from sparkdesk.engine.json_schema.rules import Rules

_DIGITS = 15
"""More cannot be told apart once they have become floating point numbers, as in most readers of JSON."""
_LARGEST = 10**_DIGITS - 1
_LARGEST_STEP, _MOST_STATES = 100, 600
"""By digit, a multiple takes as many rules as it has remainders."""
_MOST_LISTED = 300


def integer(rules: Rules, low: int | None, high: int | None, multiple: int, path: str) -> str:
    """The expression of multiples from `low` to `high`, without exponent; of endlessly many, some are left out."""
    least, most = -_LARGEST if low is None else low, _LARGEST if high is None else high
    if least > _LARGEST or most < -_LARGEST:
        raise refusal(f"whole numbers beyond {_DIGITS} digits cannot be enforced", path)
    least, most = max(least, -_LARGEST), min(most, _LARGEST)
    zeros, step = 0, multiple
    while step % 10 == 0:
        zeros, step = zeros + 1, step // 10
    walk = _Digits(rules, step)
    found = ['"0"'] if least <= 0 <= most else []
    found += _counted(walk, max(1, least), most, zeros)
    below = _counted(walk, max(1, -most), -least, zeros)
    if below:
        found.append(f'"-" {one_of(below)}')
    if not found:
        raise refusal("no whole number is within its bounds", path)
    return rules.add("integer", one_of(found))


def _counted(walk: "_Digits", least: int, most: int, zeros: int) -> list[str]:
    """Expressions of multiples above 0, each with so many zeros at its end."""
    least, most = -(-least // 10**zeros), most // 10**zeros
    end = f" {literal('0' * zeros)}" if zeros else ""
    if walk.step > _LARGEST_STEP:
        first = -(-least // walk.step) * walk.step
        listed = range(first, min(most, first + walk.step * _MOST_LISTED) + 1, walk.step)
        return [f"{literal(str(value))}{end}" for value in listed]
    # Below the longest numbers there are more than enough multiples, where the bounds do not ask for longer ones.
    digits = _DIGITS if walk.step == 1 else max(len(str(least)) + 2, _MOST_STATES // walk.step)
    found = []
    for length in range(len(str(least)), min(digits, _DIGITS) + 1):
        first, last = max(least, 10 ** (length - 1)), min(most, 10**length - 1)
        spoken = walk.between(str(first), str(last), 0) if first <= last else None
        if spoken is not None:
            found.append(f"{spoken}{end}")
    return found


class _Digits:
    """Numbers of a fixed count of digits, by the remainder of what has been written of them."""

    def __init__(self, rules: Rules, step: int) -> None:
        self._rules, self.step = rules, step
        self._known: dict[tuple[str, str, int], str | None] = {}

    def between(self, first: str, last: str, remainder: int) -> str | None:
        """Digits from `first` to `last`, of one length, after what left `remainder`; None where there are none."""
        if not first:
            return "" if remainder == 0 else None
        if self.step == 1 and int(first) == 0 and last == "9" * len(last):
            return "[0-9]" if len(first) == 1 else f"[0-9]{{{len(first)}}}"
        key = first, last, remainder
        if key not in self._known:
            spoken = self._spoken(first, last, remainder)
            self._known[key] = self._rules.add("digits", spoken) if spoken and " " in spoken else spoken
        return self._known[key]

    def _spoken(self, first: str, last: str, remainder: int) -> str | None:
        by_rest: dict[str, list[int]] = {}
        for digit in range(int(first[0]), int(last[0]) + 1):
            low = first[1:] if digit == int(first[0]) else "0" * (len(first) - 1)
            high = last[1:] if digit == int(last[0]) else "9" * (len(last) - 1)
            rest = self.between(low, high, (10 * remainder + digit) % self.step)
            if rest is not None:
                by_rest.setdefault(rest, []).append(digit)
        if not by_rest:
            return None
        return one_of([f"{digit_class(digits)} {rest}".rstrip() for rest, digits in by_rest.items()])


def digit_class(digits: list[int]) -> str:
    return f"[{''.join(map(str, digits))}]"
