"""Values as they are typed on the command line, each refused with a sentence when it makes no sense."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable

from sparkdesk.config.checks import ALL_LAYERS, MOST_THREADS

AUTO = "auto"
_LONGEST_S = 366 * 24 * 3600


def whole_number(*, least: int, most: int | None = None) -> Callable[[str], int]:
    def parse(given: str) -> int:
        try:
            number = int(given)
        except ValueError:
            raise ArgumentTypeError(f"{given!r} is not a whole number") from None
        if number < least:
            raise ArgumentTypeError(f"{given} is below the minimum of {least}")
        if most is not None and number > most:
            raise ArgumentTypeError(f"{given} is above the maximum of {most}")
        return number

    return parse


def real_number(*, least: float = 0.0, most: float = math.inf) -> Callable[[str], float]:
    def parse(given: str) -> float:
        try:
            number = float(given)
        except ValueError:
            raise ArgumentTypeError(f"{given!r} is not a number") from None
        if math.isnan(number) or math.isinf(number) or not least <= number <= most:
            span = f"{least:g} or more" if most == math.inf else f"from {least:g} to {most:g}"
            raise ArgumentTypeError(f"{given} is not {span}")
        return number

    return parse


def duration(given: str) -> float:
    """Seconds, of what is typed as 90s, 10m or 2h."""
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (given[:-1], given[-1:]) if given[-1:] in units else (given, "s")
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = math.nan
    if not 1 <= seconds <= _LONGEST_S:
        raise ArgumentTypeError(f"must be a time such as 90s, 10m or 2h, not {given!r}")
    return seconds


def draft_length(given: str) -> int | None:
    """None for "auto": the engine's own choice."""
    return None if given == AUTO else _whole_or_auto(given, least=1)


def gpu_layers(given: str) -> int:
    return ALL_LAYERS if given == AUTO else _whole_or_auto(given, least=0)


def shares(given: str) -> tuple[float, ...]:
    """Of several graphics cards."""
    try:
        found = tuple(float(each) for each in given.split(","))
    except ValueError:
        found = ()
    if not found or len(found) > 64 or not all(0 <= each < math.inf for each in found) or not any(found):
        raise ArgumentTypeError(f"must be shares such as 3,1, not {given!r}")
    return found


def token_ids(given: str) -> tuple[int, ...]:
    try:
        tokens = tuple(int(token) for token in given.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{given!r} is not a list of token IDs such as 1,2,3") from None
    if min(tokens) < 0:
        raise ArgumentTypeError(f"token {min(tokens)} is below 0")
    return tokens


def thread_counts(given: str) -> tuple[int, ...]:
    """ "4", or "1,2,4" in the order given."""
    parse = whole_number(least=0, most=MOST_THREADS)
    return tuple(dict.fromkeys(parse(part.strip()) for part in given.split(",")))


def _whole_or_auto(given: str, *, least: int) -> int:
    try:
        return whole_number(least=least)(given)
    except ArgumentTypeError as error:
        raise ArgumentTypeError(f"{error}; {AUTO!r} leaves the choice to SparkDesk") from None
