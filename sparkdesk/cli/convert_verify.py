"""`sparkdesk convert verify`: do these two files belong together, and does speculation leave the text alone?"""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkdesk.cli import speaking
from sparkdesk.cli.pairs import own_pair
from sparkdesk.cli.talk import show_progress
from sparkdesk.errors import EngineError, PairMismatch

if TYPE_CHECKING:
    from sparkdesk.cli.demo import Comparison
    from sparkdesk.engine.model_info import ModelInfo

_PROMPTS = (
    "Count from 1 to 40.",
    "Write a Python function that adds up the numbers in a list.",
    "Why is the sky blue? Answer in a few sentences.",
)
_MAX_TOKENS = 48
_HARDLY_ANY = 1.2
"""Accepted length below which a draft is hardly ever right: sound ones are above 1.5 even on prose."""


@dataclass(frozen=True, slots=True)
class Verified:
    model: "ModelInfo"
    asked: "Sequence[tuple[str, Comparison]]"

    @property
    def verdict(self) -> str:
        """The worst of all."""
        from sparkdesk.bench.replies import KINDS

        return max((found.verdict.kind for _, found in self.asked), key=KINDS.index)

    @property
    def accepted_length(self) -> float:
        stats = [found.speculative.stats for _, found in self.asked]
        return _ratio(sum(each.decoded for each in stats), sum(each.rounds for each in stats))

    @property
    def acceptance_by_position(self) -> list[float]:
        """Of the drafted tokens that were looked at at each position, the share that was right."""
        stats = [found.speculative.stats for _, found in self.asked]
        return [
            _ratio(
                sum(sum(each.accepted_by_position[i : i + 1]) for each in stats),
                sum(sum(each.verified_by_position[i : i + 1]) for each in stats),
            )
            for i in range(max(len(each.verified_by_position) for each in stats))
        ]

    @property
    def warning(self) -> str:
        if self.accepted_length >= _HARDLY_ANY:
            return ""
        return (
            f"Hardly a drafted token was right (accepted length {self.accepted_length:.2f}; 1.00 is none at all): "
            "the draft may belong to another target, or one of the two was converted wrongly."
        )


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Checks the two files, then lets them answer three prompts plainly and with speculation. Exit code 0: they "
        "belong together and the text is the target's own; 4: they do not, or it is not."
    )
    parser.add_argument("target_model", metavar="TARGET", type=Path, help="target model (GGUF)")
    parser.add_argument("draft_model", metavar="DRAFT", type=Path, help="its draft (GGUF)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    speaking.add_loading(parser)


def run(options: Namespace) -> int:
    pair = own_pair(options.target_model, options.draft_model)
    _refuse_mismatch(options.target_model, options.draft_model)
    found = verify(pair, options)
    print(json.dumps(_as_json(found), ensure_ascii=False) if options.json else _in_words(found))
    refuse_divergence(found)
    return 0


def refuse_divergence(found: Verified) -> None:
    """Raises EngineError."""
    if found.verdict == "diverged":
        raise EngineError(
            "With speculation the text is another than without it, by more than rounding explains.",
            "Please report it, with the JSON of sparkdesk convert verify --json; plain decoding is not affected.",
        )


def _refuse_mismatch(target: Path, draft: Path) -> None:
    """Before anything is loaded, which may take minutes."""
    from sparkdesk.gguf_file import read_gguf
    from sparkdesk.pairing import problem

    said = problem(read_gguf(target), read_gguf(draft))
    if said:
        raise PairMismatch(said)


def verify(pair: Any, options: Namespace) -> Verified:
    """Loads the pair and lets it answer. `options` are those of loading."""
    from sparkdesk.cli.demo import compare
    from sparkdesk.cli.opening import open_pair
    from sparkdesk.engine.settings import SpeculationSettings
    from sparkdesk.paths import user_paths
    from sparkdesk.runner.client import EngineClient

    how = speaking.loading(options, speaking.settings_file())
    with EngineClient(machine_file=user_paths().machine_file) as engine:
        show_progress(open_pair(engine, pair, how=how, speculation=SpeculationSettings()))
        assert engine.model is not None
        if engine.model.draft_problem:
            raise PairMismatch(engine.model.draft_problem)
        # The whole block every time: the scheduler would leave out what it expects little of.
        whole = SpeculationSettings(is_enabled=True, draft_length=engine.model.block_size)
        asked = [(prompt, compare(engine, prompt, speculation=whole, max_tokens=_MAX_TOKENS)) for prompt in _PROMPTS]
        return Verified(engine.model, asked)


def _in_words(found: Verified) -> str:
    positions = "  ".join(f"{share:.0%}" for share in found.acceptance_by_position)
    lines = [f"target           {found.model.name}", f"draft            {found.model.draft_name}", ""]
    for prompt, each in found.asked:
        length = each.speculative.stats.accepted_length
        lines.append(f"{each.verdict.kind.ljust(17)}accepted length {length:.2f}  {prompt}")
    lines += [
        "",
        f"accepted length  {found.accepted_length:.2f} (block of {found.model.block_size})",
        f"by position      {positions}",
        f"verdict          {_loud(found.verdict)}",
    ]
    return "\n".join([*lines, *(["", found.warning] if found.warning else [])])


def _loud(verdict: str) -> str:
    return verdict.upper() if verdict == "diverged" else verdict


def _as_json(found: Verified) -> dict[str, object]:
    return {
        "target": found.model.name,
        "draft": found.model.draft_name,
        "block_size": found.model.block_size,
        "verdict": found.verdict,
        "accepted_length": round(found.accepted_length, 3),
        "acceptance_by_position": [round(share, 3) for share in found.acceptance_by_position],
        "warning": found.warning,
        "prompts": [
            {
                "prompt": prompt,
                "verdict": each.verdict.kind,
                "position": each.verdict.position,
                "margin": each.verdict.margin,
                "noise": each.verdict.noise,
                "accepted_length": round(each.speculative.stats.accepted_length, 3),
                "plain": each.plain.text,
                "speculative": each.speculative.text,
            }
            for prompt, each in found.asked
        ],
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
