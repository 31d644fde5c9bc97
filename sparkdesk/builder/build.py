"""From a plan to a pair on the disk: download, convert, check. Each step is skipped where it was done before."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sparkdesk import __version__, convert
from sparkdesk.builder.plan import Plan
from sparkdesk.builder.record import MadeFile, Origin, PairFile, Record, read_record, write_pair, write_record
from sparkdesk.errors import DownloadError, PairMismatch
from sparkdesk.events import Report
from sparkdesk.gguf.header import read_gguf
from sparkdesk.gguf.pairing import problem
from sparkdesk.hub.cache import HubCache
from sparkdesk.hub.client import Hub
from sparkdesk.hub.download import Need
from sparkdesk.hub.model import CHECKPOINT, ModelSource
from sparkdesk.hub.pull import DRAFT, TARGET, fetch_models
from sparkdesk.local_path import real_path


@dataclass(frozen=True, slots=True)
class Built:
    """Both files are there and fit each other. It is a pair only once it was kept."""

    plan: Plan
    folder: Path
    target: Path
    draft: Path

    @property
    def fingerprint(self) -> str:
        """Of the files as they are now."""
        stats = (real_path(path).stat() for path in (self.target, self.draft))
        return " ".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats)

    @property
    def is_tested(self) -> bool:
        return read_record(self.folder).tested == self.fingerprint


def build(hub: Hub, plan: Plan, models: Path) -> Generator[Report, None, Built]:
    """`models` is our folder of pairs. Closing it keeps the finished steps, and what came of a download."""
    folder, cache = models / plan.name, HubCache(hub.cache_folder)
    _make(folder)
    wanted = _stamps(plan)
    sources = {TARGET: plan.target, DRAFT: plan.draft}
    open_steps = {role: source for role, source in sources.items() if not _is_made(folder, role, source, wanted[role])}
    later = [_room(role, source, wanted[role], folder) for role, source in open_steps.items()]
    yield from fetch_models(hub, open_steps, later=later)
    target = yield from _made_target(plan, folder, cache, wanted[TARGET])
    draft = yield from _made_draft(plan, folder, cache, wanted[DRAFT], target)
    said = problem(read_gguf(target), read_gguf(draft))
    if said:
        raise PairMismatch(said)
    return Built(plan, folder, target, draft)


def made_files(plan: Plan, models: Path) -> dict[str, Path]:
    """By role, what was converted for this very plan before."""
    folder, wanted = models / plan.name, _stamps(plan)
    done = {role: _done(folder, role, stamp) for role, stamp in wanted.items()}
    kinds = {TARGET: plan.target.kind, DRAFT: plan.draft.kind}
    return {role: path for role, path in done.items() if path is not None and kinds[role] == CHECKPOINT}


def note_tested(built: Built) -> None:
    write_record(built.folder, replace(read_record(built.folder), tested=built.fingerprint))


def keep(built: Built) -> None:
    """From now on it is in the library."""
    plan = built.plan
    write_pair(
        built.folder,
        PairFile(
            name=plan.name,
            target=_named(built.target, built.folder),
            draft=_named(built.draft, built.folder),
            target_source=_origin(plan.target),
            draft_source=_origin(plan.draft),
            quantization=plan.target_type,
            made_by=f"SparkDesk {__version__}",
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )


def _made_target(plan: Plan, folder: Path, cache: HubCache, wanted: MadeFile) -> Generator[Report, None, Path]:
    source = plan.target.path(cache)
    if plan.target.kind != CHECKPOINT:
        return source
    if (done := _done(folder, TARGET, wanted)) is not None:
        return done
    out = convert.output_file(source, folder, output_type=plan.target_type)
    yield from convert.convert_target(source, out, output_type=plan.target_type, overwrite=True)
    _note_made(folder, TARGET, wanted, out)
    return out


def _made_draft(
    plan: Plan, folder: Path, cache: HubCache, wanted: MadeFile, target: Path
) -> Generator[Report, None, Path]:
    source = plan.draft.path(cache)
    if plan.draft.kind != CHECKPOINT:
        return source
    if (done := _done(folder, DRAFT, wanted)) is not None:
        return done
    out = convert.output_file(source, folder, output_type=plan.draft_type, target=target)
    yield from convert.convert_draft(source, out, target=target, output_type=plan.draft_type, overwrite=True)
    _note_made(folder, DRAFT, wanted, out)
    return out


def _is_made(folder: Path, role: str, source: ModelSource, wanted: MadeFile) -> bool:
    """Then its checkpoint is not needed any more, and is not downloaded for nothing."""
    return source.kind == CHECKPOINT and _done(folder, role, wanted) is not None


def _done(folder: Path, role: str, wanted: MadeFile) -> Path | None:
    made = read_record(folder).made.get(role)
    return folder / made.file if made is not None and made.is_like(wanted) and made.is_there(folder) else None


def _note_made(folder: Path, role: str, wanted: MadeFile, out: Path) -> None:
    made = replace(wanted, file=out.name, size_bytes=out.stat().st_size)
    write_record(folder, Record({**read_record(folder).made, role: made}))


def _stamps(plan: Plan) -> dict[str, MadeFile]:
    target, draft = _stamp(plan.target, plan.target_type), _stamp(plan.draft, plan.draft_type)
    return {TARGET: target, DRAFT: replace(draft, partner=_partner(target))}


def _stamp(source: ModelSource, type_: str) -> MadeFile:
    revision = source.revision
    if source.local is not None:
        revision = str(max(path.stat().st_mtime_ns for path in (source.local, *source.local.glob("*"))))
    return MadeFile("", 0, source.repository, revision, type_)


def _partner(target: MadeFile) -> str:
    return f"{target.repository} {target.revision} {target.type}"


def _room(role: str, source: ModelSource, wanted: MadeFile, folder: Path) -> Need:
    is_converted = source.kind == CHECKPOINT
    size_bytes = convert.needed_bytes(source.size_bytes, wanted.type) if is_converted else 0
    return Need(f"converting the {role}", folder, size_bytes)


def _origin(source: ModelSource) -> Origin:
    return Origin(source.repository, source.revision, source.file)


def _named(path: Path, folder: Path) -> str:
    return path.name if path.parent == folder else str(path.absolute())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be made: {error.strerror or error}.",
            "Set SPARKDESK_HOME to a folder that can be written.",
        ) from error
