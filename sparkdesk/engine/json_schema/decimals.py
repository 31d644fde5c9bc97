"""Numbers with decimals, within bounds. Written without exponent, so that bounds hold digit by digit."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from sparkdesk.engine.json_schema.expressions import one_of
from sparkdesk.engine.json_schema.integers import digit_class
from sparkdesk.engine.json_schema.integers import integer as whole_numbers
from sparkdesk.engine.json_schema.refusal import refusal
from sparkdesk.engine.json_schema.rules import Rules

ANY_NUMBER = '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?'
_DECIMALS = 6
_UNIT = 10**_DECIMALS
_LARGEST = 10**9 * _UNIT - 1
"""In units of the last decimal: 15 digits in all come back from a floating point number as they were."""


@dataclass(frozen=True, slots=True)
class Bound:
    value: Decimal
    is_exclusive: bool = False


def number(rules: Rules, low: Bound | None, high: Bound | None, path: str) -> str:
    """The expression of numbers within the bounds; of those of many digits, some are left out."""
    if low is None and high is None:
        return rules.add("number", ANY_NUMBER)
    least, most = _lowest(low), _highest(high)
    if least > _LARGEST or most < -_LARGEST:
        raise refusal("numbers beyond a thousand million cannot be enforced", path)
    least, most = max(least, -_LARGEST), min(most, _LARGEST)
    if least > most:
        raise refusal(f"no number of up to {_DECIMALS} decimals is within its bounds", path)
    found = [_from_to(rules, max(0, least), most, path)] if most >= 0 else []
    if least < 0:
        found.append(f'"-" {_from_to(rules, max(1, -most), -least, path)}')
    return rules.add("number", one_of(found))


def smallest_integer(low: Bound | None) -> int | None:
    if low is None:
        return None
    value = int(low.value.to_integral_value(ROUND_CEILING))
    return value + 1 if low.is_exclusive and value == low.value else value


def largest_integer(high: Bound | None) -> int | None:
    if high is None:
        return None
    value = int(high.value.to_integral_value(ROUND_FLOOR))
    return value - 1 if high.is_exclusive and value == high.value else value


def _lowest(low: Bound | None) -> int:
    scaled = smallest_integer(Bound(low.value * _UNIT, low.is_exclusive)) if low is not None else None
    return -_LARGEST if scaled is None else scaled


def _highest(high: Bound | None) -> int:
    scaled = largest_integer(Bound(high.value * _UNIT, high.is_exclusive)) if high is not None else None
    return _LARGEST if scaled is None else scaled


def _from_to(rules: Rules, least: int, most: int, path: str) -> str:
    """Numbers that are not negative, bounds in units of the last decimal."""
    (first, low), (last, high) = divmod(least, _UNIT), divmod(most, _UNIT)
    if first == last:
        return f"{whole_numbers(rules, first, first, 1, path)} {_decimals(rules, low, high)}".rstrip()
    found = []
    if low > 0:
        found.append(f"{whole_numbers(rules, first, first, 1, path)} {_decimals(rules, low, _UNIT - 1)}")
        first += 1
    if high < _UNIT - 1:
        found.append(f"{whole_numbers(rules, last, last, 1, path)} {_decimals(rules, 0, high)}".rstrip())
        last -= 1
    if first <= last:
        found.append(f"{whole_numbers(rules, first, last, 1, path)} {_decimals(rules, 0, _UNIT - 1)}")
    return one_of(found)


def _decimals(rules: Rules, least: int, most: int) -> str:
    """The point and what follows it; nothing where that is allowed."""
    low, high = f"{least:0{_DECIMALS}}", f"{most:0{_DECIMALS}}"
    digits = _digits(low, high, needs_one=True)
    if digits is None:
        return ""
    spoken = rules.add("decimals", f'"." {digits}')
    return f"{spoken}?" if least == 0 else spoken


def _digits(low: str, high: str, *, needs_one: bool = False) -> str | None:
    """Decimals that lie between, zeros at their end left out or not; None where only none at all does."""
    if not low:
        return None
    if int(low) == 0 and high == "9" * len(high):
        return f"[0-9]{{{int(needs_one)},{len(low)}}}"
    by_rest: dict[str, list[int]] = {}
    for digit in range(int(low[0]), int(high[0]) + 1):
        below = low[1:] if digit == int(low[0]) else "0" * (len(low) - 1)
        above = high[1:] if digit == int(high[0]) else "9" * (len(high) - 1)
        rest = _digits(below, above)
        optional = f"({rest})?" if rest and int(below or 0) == 0 else rest or ""
        by_rest.setdefault(optional, []).append(digit)
    return one_of([f"{digit_class(digits)} {rest}".rstrip() for rest, digits in by_rest.items()])
