"""A name nobody knows: what it may have been meant for. One answer for every command that takes a name."""

from collections.abc import Iterable
from difflib import get_close_matches

from sparkdesk.errors import UsageError

_MOST_SUGGESTIONS = 3
_LIKENESS = 0.6


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "Did you mean qwen3-8b or qwen3-4b?"; empty where nothing is like it."""
    by_words = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), by_words, _MOST_SUGGESTIONS, cutoff=_LIKENESS)
    return f"Did you mean {' or '.join(by_words[each] for each in close)}?" if close else ""


def unknown_pair(name: str, *, installed: Iterable[str] = (), available: Iterable[str] = ()) -> UsageError:
    """`installed` are the pairs of this disk, `available` those of the catalogue, which can be built."""
    installed, available = sorted(set(installed)), list(available)
    if name.lower() in available:
        return UsageError(f"The pair {name} is not downloaded yet.", f"Get it: sparkdesk build {name.lower()}.")
    hint = did_you_mean(name, (*installed, *available))
    if not hint and installed:
        hint = f"Installed: {', '.join(installed)}. Others: sparkdesk search {name}."
    return UsageError(f"There is no pair called {name}.", hint or _others(name, available))


def _others(name: str, available: list[str]) -> str:
    listed = f"In the catalogue: {', '.join(available)}. " if available else ""
    return f"{listed}Any other model: Owner/Repository, or sparkdesk search {name}."
