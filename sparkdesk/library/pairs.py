"""Which targets and drafts make pairs: those that were built, and those that fit."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from converters.regular_file import read_regular_text
from sparkdesk.gguf import pairing
from sparkdesk.library.model import DRAFT, TARGET, Model, Pair
from sparkdesk.local_path import real_path

RECORD = "pair.json"


def find_pairs(models: Sequence[Model], ours: Path) -> tuple[Pair, ...]:
    """Built pairs first, then the drafts that fit a target and are in no built pair with it."""
    built = tuple(_built(models, ours))
    known = {(pair.target, pair.draft) for pair in built}
    fitting = (pair for pair in _fitting(models) if (pair.target, pair.draft) not in known)
    return (*built, *fitting)


def _built(models: Sequence[Model], ours: Path) -> Iterator[Pair]:
    by_path = {real_path(path): model for model in models for path in model.files}
    for folder in sorted(path for path in ours.glob("*") if os.path.isdir(path) and not path.name.startswith(".")):
        record = _record(folder)
        if record is None:
            continue
        sides = [_side(folder, record, role) for role in (TARGET, DRAFT)]
        target, draft = (by_path.get(real_path(path)) if path is not None else None for path in sides)
        problem = next(
            (f"Its {role} {path or ''} is missing." for role, path in zip((TARGET, DRAFT), sides, strict=True)
             if path is None or not os.path.exists(path)),
            "",
        )  # fmt: skip
        name = str(record.get("name") or folder.name)
        yield Pair(name, target, draft, folder, str(record.get("quantization", "")), problem or _unfit(target, draft))


def _record(folder: Path) -> Mapping[str, Any] | None:
    """What pair.json says; a folder with a target.gguf and a draft.gguf needs none."""
    try:
        record = json.loads(read_regular_text(folder / RECORD))
    except FileNotFoundError:
        both = {role: f"{role}.gguf" for role in (TARGET, DRAFT)}
        return (
            {"name": _without_hash(folder.name), **both}
            if all(os.path.isfile(folder / f) for f in both.values())
            else None
        )
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _without_hash(name: str) -> str:
    """Bundled pairs lie in folders named after what they were made from."""
    return re.sub(r"-[0-9a-f]{12}$", "", name)


def _side(folder: Path, record: Mapping[str, Any], role: str) -> Path | None:
    given = record.get(role)
    return folder / given if isinstance(given, str) and given else None


def _unfit(target: Model | None, draft: Model | None) -> str:
    for model in (target, draft):
        if model is not None and model.problem:
            return model.problem
    if target is None or draft is None or target.header is None or draft.header is None:
        return ""
    return pairing.problem(target.header, draft.header)


def _fitting(models: Sequence[Model]) -> Iterator[Pair]:
    targets = [model for model in models if model.role == TARGET and model.is_usable]
    for draft in (model for model in models if model.role == DRAFT and model.is_usable):
        for target in targets:
            if not _unfit(target, draft):
                yield Pair(target.name, target, draft)
