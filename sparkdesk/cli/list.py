"""`sparkdesk list`: the models on this machine, those of other programs included, and what makes pairs."""

import json
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from sparkdesk.cli.color import Colors, paint_for
from sparkdesk.cli.console import show
from sparkdesk.sizes import day_in_words, parameters_in_words, shortened, size_in_words

if TYPE_CHECKING:
    from sparkdesk.library import Library, Model, Pair

_WIDTH = 80
_NAME, _ABOUT, _SIZE, _USED = 35, 15, 9, 11
_EMPTY = """\
No models are installed yet.
  sparkdesk demo              tries Spark Tiny, which comes with SparkDesk
  sparkdesk build qwen3-4b    downloads a pair and makes it ready to chat
  sparkdesk convert --help    makes GGUF files from checkpoints
Have GGUF files already? Name their folder in {settings}:
  model_folders = ["~/models"]"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.epilog = (
        "Looks in SparkDesk's own folder, the cache of the Hugging Face hub, LM Studio's folder, and model_folders "
        "of the settings file. Reads headers only."
    )


def run(options: Namespace) -> int:
    from sparkdesk.config.paths import user_paths
    from sparkdesk.config.settings import read_settings
    from sparkdesk.library import read_library

    paths = user_paths()
    library = read_library(paths, read_settings(paths.settings_file))
    if options.json:
        print(json.dumps(as_json(library), indent=2))
    else:
        lines = report(library, paint=paint_for(sys.stdout), now_s=time.time(), settings_file=paths.settings_file)
        show("\n".join(lines))
    return 0


def report(library: "Library", *, paint: Colors, now_s: float, settings_file: Path) -> Iterator[str]:
    """At most 80 columns."""
    built = [pair for pair in library.pairs if pair.is_built]
    usable = [model for model in library.models if model.is_usable]
    if not (library.models or built or library.partials):
        yield _EMPTY.format(settings=settings_file)
        return
    if built:
        yield from _heading("Pairs", paint)
        for pair in built:
            yield from _pair(pair, now_s, paint)
    for title, role in (("Targets", "target"), ("Drafts", "draft")):
        models = [model for model in usable if model.role == role]
        if models:
            yield from _heading(title, paint)
        for model in models:
            yield _row(model.name, _about(model), model.size_bytes, day_in_words(model.last_used_s, now_s), model)
            yield from _notes(model, library, paint)
    yield from _unusable(library, paint)
    yield from _incomplete(library, paint)
    yield ""
    yield f"{size_in_words(sum(model.size_bytes for model in library.models))} in {len(library.models)} models"


def as_json(library: "Library") -> dict[str, object]:
    return {
        "pairs": [_pair_as_json(pair) for pair in library.pairs],
        "models": [_model_as_json(model) for model in library.models],
        "unfinished": [
            {"path": str(each.path), "size_bytes": each.size_bytes, "in_use": each.is_in_use}
            for each in library.partials
        ],
        "places": [{"folder": str(place.folder), "kind": place.kind} for place in library.places],
    }


def _heading(title: str, paint: Colors) -> Iterator[str]:
    columns = f"{'quantization':<{_ABOUT}}{'size':>{_SIZE}}  {'used':<{_USED}}where"
    yield paint.dim(f"{title:<{_NAME + 2}}{columns}")


def _pair(pair: "Pair", now_s: float, paint: Colors) -> Iterator[str]:
    about = " + ".join(model.quantization for model in pair.models) or pair.quantization
    yield _row(pair.name, about, pair.size_bytes, day_in_words(pair.last_used_s, now_s), pair.target)
    if pair.problem:
        yield from (paint.bad(line) for line in _indented(pair.problem))


def _row(name: str, about: str, size_bytes: int, used: str, model: "Model | None") -> str:
    where = model.place.kind if model is not None and not model.place.is_ours else ""
    row = f"  {shortened(name, _NAME - 1):<{_NAME}}{shortened(about, _ABOUT - 1):<{_ABOUT}}"
    return f"{row}{size_in_words(size_bytes):>{_SIZE}}  {used:<{_USED}}{where[: _WIDTH - 74]}".rstrip()


def _about(model: "Model") -> str:
    return f"{parameters_in_words(model.parameter_count):<5} {model.quantization}".strip()


def _notes(model: "Model", library: "Library", paint: Colors) -> Iterator[str]:
    if model.same_as is not None:
        yield from (paint.odd(line) for line in _indented(f"duplicate of {model.same_as}"))
    if model.role == "target":
        gains = ", ".join(model.drafters) or "nothing: it only chats"
        yield from (paint.dim(line) for line in _indented(f"gains with {gains}"))
    fitting = [pair.target.name for pair in library.pairs_with(model) if pair.draft == model and pair.target]
    if fitting:
        more = f" and {len(fitting) - 1} more" if len(fitting) > 1 else ""
        yield paint.dim(f"    fits {shortened(fitting[0], 50)}{more}")
    elif model.role == "draft":
        yield paint.dim("    fits no installed target")


def _unusable(library: "Library", paint: Colors) -> Iterator[str]:
    models = [model for model in library.models if not model.is_usable]
    if models:
        yield paint.dim("Not usable")
    for model in models:
        yield f"  {shortened(model.path.name, 60):<62}{size_in_words(model.size_bytes):>12}"
        reason = model.problem.replace(f"{model.path} ", "It ")
        yield from (paint.bad(line) for line in _indented(reason))


def _incomplete(library: "Library", paint: Colors) -> Iterator[str]:
    if not library.partials:
        return
    yield paint.dim("Incomplete")
    for each in library.partials:
        state = "in progress" if each.is_in_use else "interrupted"
        yield f"  {shortened(each.path.name, 44):<46}{size_in_words(each.size_bytes):>12}  {state}"
    if any(not each.is_in_use for each in library.partials):
        yield paint.dim("    sparkdesk remove --incomplete deletes what was interrupted")


def _indented(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_long_words=True)


def _pair_as_json(pair: "Pair") -> dict[str, object]:
    return {
        "name": pair.name,
        "target": str(pair.target.path) if pair.target is not None else None,
        "draft": str(pair.draft.path) if pair.draft is not None else None,
        "is_built": pair.is_built,
        "folder": str(pair.folder) if pair.folder is not None else None,
        "size_bytes": pair.size_bytes,
        "last_used_s": pair.last_used_s,
        "problem": pair.problem,
    }


def _model_as_json(model: "Model") -> dict[str, object]:
    return {
        "name": model.name,
        "role": model.role,
        "files": [str(path) for path in model.files],
        "size_bytes": model.size_bytes,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "parameter_count": model.parameter_count,
        "place": model.place.kind,
        "repo": model.repo,
        "last_used_s": model.last_used_s,
        "same_as": str(model.same_as) if model.same_as is not None else None,
        "problem": model.problem,
        "drafters": list(model.drafters),
    }
