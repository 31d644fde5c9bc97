"""`sparkdesk convert verify`: do these two files belong together, and does speculation leave the text alone?"""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sparkdesk.cli import generation_args
from sparkdesk.cli.console import follow, show
from sparkdesk.errors import PairMismatch
from sparkdesk.loading.choice import ChosenPair, own_pair
from sparkdesk.loading.smoke_test import Verified, judged, refuse_divergence, trying


def add_arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Checks the two files, then lets them answer three prompts plainly and with speculation. Exit code 0: they "
        "belong together and the text is the target's own; 4: they do not, or it is not."
    )
    parser.add_argument("target_model", metavar="TARGET", type=Path, help="target model (GGUF)")
    parser.add_argument("draft_model", metavar="DRAFT", type=Path, help="its draft (GGUF)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    generation_args.add_loading(parser)


def run(options: Namespace) -> int:
    pair = own_pair(options.target_model, options.draft_model)
    _refuse_mismatch(options.target_model, options.draft_model)
    found = verify(pair, options)
    if options.json:
        print(json.dumps(_as_json(found), ensure_ascii=False))
    else:
        show(_in_words(found))
    refuse_divergence(found)
    return 0


def _refuse_mismatch(target: Path, draft: Path) -> None:
    """Before anything is loaded, which may take minutes."""
    from sparkdesk.gguf.header import read_gguf
    from sparkdesk.gguf.pairing import problem

    said = problem(read_gguf(target), read_gguf(draft))
    if said:
        raise PairMismatch(said)


def verify(pair: "ChosenPair", options: Namespace) -> Verified:
    """Loads the pair and lets it answer. `options` are those of loading."""
    from sparkdesk.config.paths import user_paths
    from sparkdesk.runner.client import EngineClient

    engine = EngineClient(machine_file=user_paths().machine_file)
    return follow(trying(engine, pair, generation_args.loading(options, generation_args.settings_file())))


def _in_words(found: Verified) -> str:
    positions = "  ".join(f"{share:.0%}" for share in found.acceptance_by_position)
    lines = [f"target           {found.model.name}", f"draft            {found.model.draft_name}", ""]
    for prompt, each in found.asked:
        lines.append(f"{judged(each).kind.ljust(17)}accepted length {each.accepted_length:.2f}  {prompt}")
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
                "verdict": judged(each).kind,
                "position": judged(each).position,
                "margin": judged(each).margin,
                "noise": judged(each).noise,
                "accepted_length": round(each.accepted_length, 3),
                "plain": each.plain.text,
                "speculative": each.speculative.text,
            }
            for prompt, each in found.asked
        ],
    }
