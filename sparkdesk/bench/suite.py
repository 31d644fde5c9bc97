"""The prompts of a benchmark: our own suites, or the user's files of one JSON object a line."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from converters.regular_file import read_regular
from sparkdesk.errors import UsageError

_SUITES = Path(__file__).parent / "suites"
DEFAULT, TINY = "default", "tiny"
SUITES = (DEFAULT, TINY)
TOKENS_DOMAIN = "tokens"

_MOST_BYTES = 64 << 20
_FORMAT_HINT = 'Every line is one JSON object with "prompt" (a string) or "turns" (a list of strings).'


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to ask, in a conversation of its own."""

    id: str
    domain: str
    text: str
    """Empty where `tokens` says it all."""
    tokens: tuple[int, ...] = ()
    """What to continue, for pairs whose text means nothing."""
    later_turns: int = 0
    """Further turns its file has, which are not asked."""


def read_suite(given: str) -> tuple[Prompt, ...]:
    """A suite of ours by its name, a .jsonl file, or a folder of them, whose domains are the names of the files.

    Raises UsageError where there is nothing, or nothing readable.
    """
    if given in SUITES:
        return tuple(_read_file(_SUITES / f"{given}.jsonl"))
    path = Path(given)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise UsageError(
            f"There is no suite {given}.", f"Name one of {', '.join(SUITES)}, a .jsonl file, or a folder of them."
        )
    return _some(_read_file(path), path)


def token_prompts(given: Sequence[tuple[int, ...]]) -> tuple[Prompt, ...]:
    return tuple(
        Prompt(f"{TOKENS_DOMAIN}-{number}", TOKENS_DOMAIN, "", tokens) for number, tokens in enumerate(given, start=1)
    )


def choose(
    prompts: Iterable[Prompt], *, domains: Sequence[str] = (), per_domain: int | None = None
) -> tuple[Prompt, ...]:
    """Those of the named domains (none: all), and no more than the first few of each. Raises UsageError."""
    found = tuple(prompts)
    known = tuple(dict.fromkeys(prompt.domain for prompt in found))
    for name in domains:
        if name not in known:
            raise UsageError(f"The suite has no domain {name}.", f"It has {', '.join(known)}.")
    asked = {name: 0 for name in domains or known}
    chosen = []
    for prompt in found:
        if prompt.domain in asked and (per_domain is None or asked[prompt.domain] < per_domain):
            asked[prompt.domain] += 1
            chosen.append(prompt)
    return tuple(chosen)


def interleaved(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """One of each domain in turn, so that a machine that slows down, or a run cut short, concerns all of them."""
    by_domain: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        by_domain.setdefault(prompt.domain, []).append(prompt)
    longest = max(map(len, by_domain.values()), default=0)
    return tuple(queue[turn] for turn in range(longest) for queue in by_domain.values() if turn < len(queue))


def _read_folder(folder: Path) -> tuple[Prompt, ...]:
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UsageError(f"The folder {folder} holds no .jsonl file.", _FORMAT_HINT)
    return tuple(prompt for file in files for prompt in _some(_read_file(file), file))


def _some(prompts: Iterator[Prompt], path: Path) -> tuple[Prompt, ...]:
    found = tuple(prompts)
    if not found:
        raise UsageError(f"{path} holds no prompt.", _FORMAT_HINT)
    return found


def _read_file(path: Path) -> Iterator[Prompt]:
    try:
        lines = read_regular(path, _MOST_BYTES).splitlines()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _prompt(json.loads(line), domain=path.stem, number=number)
            except (ValueError, RecursionError) as error:  # bytes that are no UTF-8 are a ValueError too
                cause = str(error) if type(error) is ValueError else "it is not JSON"
                raise UsageError(f"{path}, line {number}: {cause}.", _FORMAT_HINT) from error


def _prompt(entry: object, *, domain: str, number: int) -> Prompt:
    """Raises ValueError with what is wrong; fields it does not know are somebody else's."""
    if not isinstance(entry, dict):
        raise ValueError("it is not a JSON object")
    turns = entry["turns"] if "turns" in entry else [entry.get("prompt")]
    if not isinstance(turns, list) or not turns or not all(isinstance(turn, str) for turn in turns):
        raise ValueError('it has neither "prompt", a string, nor "turns", a list of strings')
    if not turns[0].strip():
        raise ValueError("its prompt is empty")
    return Prompt(
        id=str(entry.get("id") or f"{domain}-{number}"),
        domain=str(entry.get("domain") or domain),
        text=turns[0],
        later_turns=len(turns) - 1,
    )
