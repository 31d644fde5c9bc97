"""`sparkdesk export`: the command line that serves a pair on vLLM, SGLang or llama-server."""

import json
import re
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converters.regular_file import read_regular_text
from sparkdesk.cli import values
from sparkdesk.cli.console import say
from sparkdesk.config.paths import user_paths
from sparkdesk.errors import ModelLoadError, UsageError
from sparkdesk.export.commands import ENGINES, LLAMA_SERVER, Deployment
from sparkdesk.local_path import expanded

if TYPE_CHECKING:
    from sparkdesk.library import Pair

_BLOCK_SIZE = "dflash.block_size"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("engine", choices=sorted(ENGINES), metavar="ENGINE", help=", ".join(ENGINES))
    parser.add_argument("name", nargs="?", metavar="NAME", help="a pair of the catalogue, or on this disk")
    parser.add_argument("--target", metavar="SRC", help="GGUF file for llama-server, else repository or folder")
    parser.add_argument("--draft", metavar="SRC", help="the same for its draft")
    parser.add_argument("--draft-length", type=values.whole_number(least=1), default=0, metavar="K", help="per round")
    parser.add_argument("--ctx", type=values.whole_number(least=0), default=0, metavar="N", help="context tokens")
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    parser.add_argument(
        "--port",
        type=values.whole_number(least=1, most=65535),
        default=0,
        metavar="N",
        help="default: the engine's own",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object: engine, words, notes")
    parser.epilog = "Run what it prints where that engine is installed. Then: sparkdesk connect URL."


def run(options: Namespace) -> int:
    pair = _files(options) if options.engine == LLAMA_SERVER else _originals(options)
    most = pair.block_size
    if not most and not options.draft_length:
        raise UsageError(
            f"How many tokens the draft {pair.draft} proposes at once is not known here.",
            "Give --draft-length K; the draft's config.json says it as block_size.",
        )
    if most and options.draft_length > most:
        raise UsageError(f"This draft proposes at most {most} tokens at once.", f"Give --draft-length {most} or less.")
    wanted = {"draft_length": options.draft_length, "context_tokens": options.ctx}
    command = ENGINES[options.engine](replace(pair, host=options.host, port=options.port, **wanted))
    if options.json:
        print(json.dumps({"engine": options.engine, "words": command.arguments, "notes": command.notes}, indent=2))
        return 0
    print(command.line)
    for note in command.notes:
        say(note)
    return 0


def _files(options: Namespace) -> Deployment:
    """GGUF files on this disk."""
    target, draft = options.target, options.draft
    if options.name is not None:
        pair = _library_pair(options.name)
        if pair is None:
            hint = f"Make it first: sparkdesk build {options.name}."
            raise UsageError(f"There is no pair called {options.name} on this disk.", hint)
        if pair.problem or pair.target is None or pair.draft is None:
            raise ModelLoadError(
                f"The pair {pair.name} cannot be served: {pair.problem or 'one of its files is missing.'}"
            )
        target, draft = target or str(pair.target.path), draft or str(pair.draft.path)
    if not target or not draft:
        raise UsageError("Which pair?", "Name one, or give --target FILE and --draft FILE.")
    from sparkdesk.gguf.header import read_gguf

    header, target_header = read_gguf(Path(draft)), read_gguf(Path(target))
    block_size = header.whole_number(_BLOCK_SIZE, 0)
    files = (str(expanded(each).absolute()) for each in (target, draft))
    return Deployment(next(files), next(files), block_size, is_gemma=target_header.architecture.startswith("gemma"))


def _originals(options: Namespace) -> Deployment:
    """Repositories of checkpoints, or folders of them."""
    target, draft = options.target, options.draft
    if options.name is not None:
        known = _known_originals(options.name)
        target, draft = target or known[0], draft or known[1]
    if not target or not draft:
        raise UsageError("Which pair?", "Name one, or give --target REPOSITORY and --draft REPOSITORY.")
    for role, source in (("target", target), ("draft", draft)):
        if source.lower().endswith(".gguf"):
            raise UsageError(
                f"{options.engine} wants the {role}'s original checkpoint, and {source} is a GGUF file.",
                "Name the repository that it was made from.",
            )
    block_size = _block_size(draft, _library_pair(options.name) if options.name is not None else None)
    return Deployment(target, draft, block_size, is_gemma="gemma" in target.lower())


def _block_size(draft: str, pair: "Pair | None") -> int:
    """As the draft's own files say it, else its name; 0 where neither does."""
    if pair is not None and pair.draft is not None and pair.draft.header is not None:
        stated = pair.draft.header.whole_number(_BLOCK_SIZE, 0)
        if stated:
            return stated
    stated = _in_config(draft)
    named = re.search(r"block(\d+)", draft)
    return stated or (int(named[1]) if named else 0)


def _in_config(draft: str) -> int:
    """Of a checkpoint's folder, or of what the hub's cache has of it."""
    from sparkdesk.hub.cache import HubCache
    from sparkdesk.library.model_dirs import hub_cache

    folder = expanded(draft)
    if not folder.is_dir():
        cache = HubCache(hub_cache())
        repository = cache.newest(draft)
        if repository is None:
            return 0
        folder = cache.snapshot(repository)
    try:
        config = json.loads(read_regular_text(folder / "config.json"))
        sections = [config, config.get("dflash_config") or {}]
        stated = next((section["block_size"] for section in sections if "block_size" in section), 0)
    except (OSError, ValueError, RecursionError, AttributeError, TypeError):
        return 0
    return stated if type(stated) is int and stated > 0 else 0


def _known_originals(name: str) -> tuple[str, str]:
    """Of the catalogue, else what a pair on this disk was made from."""
    from sparkdesk.catalog import read_catalog

    entry = read_catalog(user_paths().catalog_file).find(name)
    if entry is not None and entry.target.checkpoint and entry.draft.checkpoint:
        return entry.target.checkpoint, entry.draft.checkpoint
    pair = _library_pair(name)
    if pair is None and entry is None:
        raise UsageError(f"There is no pair called {name}.", "See: sparkdesk list; or give --target and --draft.")
    sources = _made_from(pair) if pair is not None else None
    if sources is None:
        raise UsageError(
            f"Nobody knows the checkpoints that {name} was made from.",
            "Name them: --target REPOSITORY --draft REPOSITORY.",
        )
    return sources


def _made_from(pair: "Pair") -> tuple[str, str] | None:
    if pair.folder is None:
        return None
    try:
        said = json.loads(read_regular_text(pair.folder / "pair.json"))
        sources = [said[f"{role}_source"] for role in ("target", "draft")]
        if any(source["file"] for source in sources):  # a ready-made GGUF file
            return None
        return str(sources[0]["repository"]), str(sources[1]["repository"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None


def _library_pair(name: str) -> "Pair | None":
    from sparkdesk.config.settings import read_settings
    from sparkdesk.library import read_library

    paths = user_paths()
    return read_library(paths, read_settings(paths.settings_file)).pair(name)
