"""Reads the catalogue that comes with SparkDesk, and the user's own, whose entries replace ours of the same name."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from converters.regular_file import read_regular_text
from sparkdesk.catalog.entry import BadEntry, PairEntry, read_entry
from sparkdesk.errors import UsageError

_OURS = "pairs.toml"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Catalog:
    pairs: tuple[PairEntry, ...]

    def find(self, name: str) -> PairEntry | None:
        return next((pair for pair in self.pairs if pair.name == name.lower()), None)

    @property
    def names(self) -> list[str]:
        return [pair.name for pair in self.pairs]


def read_catalog(users: Path) -> Catalog:
    """`users` is the file in the config folder; it may be missing. Raises UsageError naming the first thing wrong."""
    ours = _pairs(tomllib.loads(files(__package__).joinpath(_OURS).read_text("utf-8")), _OURS)
    return Catalog(tuple(({pair.name: pair for pair in ours} | {pair.name: pair for pair in _users(users)}).values()))


def _users(path: Path) -> tuple[PairEntry, ...]:
    try:
        given = tomllib.loads(read_regular_text(path, _MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", "Mend the file or delete it.") from error
    except (ValueError, RecursionError) as error:
        reason = "is nested too deep, or has too large a number"
        raise UsageError(f"{path} {reason}.", "Mend the file or delete it.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    return _pairs(given, str(path))


def _pairs(given: dict[str, object], where: str) -> tuple[PairEntry, ...]:
    tables = given.get("pair", [])
    unknown = [name for name in given if name != "pair"]
    if unknown or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{where}: a catalogue holds [[pair]] tables and nothing else.", "Mend the file or delete it.")
    found = []
    for number, table in enumerate(tables, start=1):
        try:
            found.append(read_entry(table))
        except BadEntry as error:
            name = table.get("name", f"number {number}")
            raise UsageError(f"{where}: in the pair {name}, {error}.", "Mend the file or delete it.") from error
    return tuple(found)


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
