"""Records into JSON, CSV and Markdown tables."""

import json
from collections.abc import Callable
from random import Random

from sparkdesk.demo.corpus.exercise import CITIES, COLOURS, JOBS, NAMES, NOUNS, Exercise, invented_word

Value = str | int
Record = dict[str, Value]

_FIELDS: dict[str, Callable[[Random], Value]] = {
    "age": lambda rng: rng.randint(18, 90),
    "city": lambda rng: rng.choice(CITIES),
    "job": lambda rng: rng.choice(JOBS),
    "colour": lambda rng: rng.choice(COLOURS),
    "pet": lambda rng: rng.choice(("cat", "dog", "bird", "fish", "horse", "rabbit")),
    "score": lambda rng: rng.randint(0, 100),
    "item": lambda rng: rng.choice(NOUNS),
    "price": lambda rng: rng.randint(1, 200),
    "code": invented_word,
}
_ONE = ("Turn this into JSON: {r}", "Convert to JSON: {r}", "Write this as JSON: {r}", "Format this as JSON: {r}")
_MANY = (
    "Turn these records into a JSON list:\n{r}",
    "Convert these lines to JSON:\n{r}",
    "Write this as a JSON list:\n{r}",
)
_TABLE = ("Make a table:\n{r}", "Turn this into a Markdown table:\n{r}", "Format these lines as a table:\n{r}")
_CSV = ("Turn these lines into CSV:\n{r}", "Write this as CSV:\n{r}")


def json_objects(rng: Random) -> Exercise:
    """One record or a few, as JSON with two spaces of indentation."""
    keys = _keys(rng)
    if rng.random() < 0.55:
        record = _record(rng, keys)
        return Exercise("json", rng.choice(_ONE).format(r=_line(record)), _fenced("json", json.dumps(record, indent=2)))
    records = _records(rng, keys[:3])
    rows = ",\n".join(f"  {json.dumps(record)}" for record in records)
    return Exercise("json", rng.choice(_MANY).format(r=_lines(records)), _fenced("json", f"[\n{rows}\n]"))


def tables(rng: Random) -> Exercise:
    """Two to four records of two or three fields as a Markdown table or as CSV."""
    records = _records(rng, _keys(rng)[:3])
    if rng.random() < 0.65:
        return Exercise("tables", rng.choice(_TABLE).format(r=_lines(records)), markdown_table(records))
    rows = [",".join(records[0]), *(",".join(map(str, record.values())) for record in records)]
    return Exercise("tables", rng.choice(_CSV).format(r=_lines(records)), _fenced("csv", "\n".join(rows)))


def markdown_table(records: list[Record]) -> str:
    """The records as rows under a header of their keys."""
    header = [list(records[0]), ["---"] * len(records[0])]
    rows = [[str(value) for value in record.values()] for record in records]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in header + rows)


def _keys(rng: Random) -> list[str]:
    return ["name", *rng.sample(list(_FIELDS), rng.randint(1, 4))]


def _record(rng: Random, keys: list[str]) -> Record:
    return {key: rng.choice(NAMES) if key == "name" else _FIELDS[key](rng) for key in keys}


def _records(rng: Random, keys: list[str]) -> list[Record]:
    return [_record(rng, keys) for _ in range(rng.randint(2, 4))]


def _line(record: Record) -> str:
    return ", ".join(f"{key} {value}" for key, value in record.items())


def _lines(records: list[Record]) -> str:
    return "\n".join(_line(record) for record in records)


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"
