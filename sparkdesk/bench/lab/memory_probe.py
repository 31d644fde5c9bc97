"""Loads one pair and prints what llama.cpp allocated.

python -m sparkdesk.bench.lab.memory_probe CONTEXT TARGET [DRAFT|mtp]
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from sparkdesk.bench.lab.memory import Measured
from sparkdesk.engine.llama.allocations import Allocation, recorded_allocations
from sparkdesk.engine.pair import Pair
from sparkdesk.engine.settings import MTP, LoadSettings

_COPIES = "_REPACK"  # weights in another order, made from mapped pages that nobody looks at again


def main() -> None:
    tokens, target, *draft = sys.argv[1:]
    path, drafter = (None, MTP) if draft == [MTP] else (draft[0] if draft else None, "")
    # Without repacking: a miscompiled build would crash, and the same weights would be counted twice.
    settings = LoadSettings(target, path, drafter, context_tokens=int(tokens), threads=1, use_extra_buffers=False)
    with recorded_allocations() as allocations, Pair.open(settings) as pair:
        assert not pair.draft_problem, pair.draft_problem
        print(json.dumps(asdict(summed(allocations, has_draft=bool(draft)))))


def summed(allocations: Sequence[Allocation], *, has_draft: bool) -> Measured:
    """A context announces its compute buffer anew whenever that is replaced: the last one of each counts.

    The target's is replaced when the draft begins to listen, and so comes after the draft's.
    """
    compute = [each.size_bytes for each in allocations if each.kind == "compute"]
    return Measured(
        weights_bytes=_sum(each for each in allocations if each.kind == "model" and not each.buffer.endswith(_COPIES)),
        cache_bytes=_sum(each for each in allocations if each.kind in ("KV", "RS")),
        compute_bytes=sum(compute[-2:]) if has_draft else compute[-1],
        resident_bytes=_resident_bytes(),
    )


def _sum(allocations: Iterable[Allocation]) -> int:
    return sum(each.size_bytes for each in allocations)


def _resident_bytes() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
    return found.get("RssAnon", 0) + found.get("RssFile", 0)


if __name__ == "__main__":
    main()
