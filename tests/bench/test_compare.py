"""A comparison of drafters on scripted engines: who is asked what, what comes of it, and what fits together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sparkdesk.bench.compare import COST, FIXED, FULL, PLAIN, TUNED, Answer, Arm, CompareSettings, compare
from sparkdesk.bench.compare_figures import (
    Drafter,
    accepted_length,
    drafter_figures,
    paper_accepted_length,
    plain_figures,
)
from sparkdesk.bench.comparison import Judge
from sparkdesk.bench.results import Judgement, Reply
from sparkdesk.bench.suite import Prompt
from sparkdesk.engine.round import Round
from sparkdesk.engine.settings import MTP, GenerationSettings, LoadSettings, SamplingSettings
from sparkdesk.errors import EngineCrashed
from sparkdesk.events import Notice
from sparkdesk.fit import FreeMemory
from sparkdesk.fit.draft_reads import bytes_per_block
from sparkdesk.gguf.header import read_gguf
from sparkdesk.loading.choice import PairFiles
from sparkdesk.loading.placement import draft_memory_bytes, fit_together
from tests.bench.rounds import drafted_rounds, lent_engine, plain_rounds, reply
from tests.engine.tiny_drafts import write_assistant_pair, write_eagle3_pair
from tests.engine.tiny_gguf import write_hybrid, write_plain
from tests.scripted_engine import MODEL, ScriptedEngine

BLOCK = 3
PROMPTS = tuple(Prompt(f"p{i}", "code" if i % 2 else "prose", "", (5, 6, 7, i)) for i in range(4))


def scripted(*, accepted: int, draft_ms: float = 1.0, slowness: float = 1.0) -> ScriptedEngine:
    """Accepts `accepted` tokens a round at most; a drafted token costs `draft_ms`, and 10 ms go to the target."""

    def script(prompt: tuple[int, ...], settings: GenerationSettings) -> Sequence[Round]:
        if not settings.speculation.is_enabled:
            return plain_rounds(8, ms=10.0 * slowness)
        drafted = settings.speculation.draft_length or 2
        rounds = drafted_rounds(4, accepted=min(accepted, drafted), drafted=drafted)
        return [
            replace(
                done, draft_ms=slowness * draft_ms * drafted, absorb_ms=0.0, verify_ms=10.0 * slowness, other_ms=0.0
            )
            for done in rounds
        ]

    return lent_engine(script, model=replace(MODEL, block_size=BLOCK, drafter_kind="small"))


def always(kind: str) -> Judge:
    return lambda prompt, plain, reply: Judgement(kind)


def answers_of(
    arms: Sequence[Arm], plain: ScriptedEngine, *, sampling: SamplingSettings | None = None, beside: str = ""
) -> list[Answer]:
    settings = CompareSettings(64, sampling) if sampling else CompareSettings(64)
    events = compare(plain, arms, PROMPTS, settings, render=lambda text: (1, 2), beside=beside)
    return [event for event in events if isinstance(event, Answer)]


def test_every_prompt_is_answered_in_every_way_by_everyone() -> None:
    engines = {"good": scripted(accepted=3), "bad": scripted(accepted=0)}
    arms = [Arm(name, engine, always("identical")) for name, engine in engines.items()]
    found = answers_of(arms, lent_engine(lambda prompt, settings: plain_rounds(8)))
    for prompt in PROMPTS:
        ways = [(each.arm, each.how) for each in found if each.prompt == prompt and each.how != COST]
        assert sorted(ways) == sorted([("", PLAIN), *((name, how) for name in engines for how in (FULL, TUNED, FIXED))])
    costs = [(each.arm, each.length) for each in found if each.how == COST]
    assert costs == [(name, length) for length in (1, 2, 3) for name in engines]
    first = [next(each.how for each in found if each.prompt == p and each.how in (PLAIN, TUNED)) for p in PROMPTS]
    assert len(set(first)) > 1  # the order goes around


def test_figures_are_those_of_the_script() -> None:
    arms = [
        Arm("good", scripted(accepted=3), always("identical")),
        Arm("dear", scripted(accepted=1, draft_ms=5.0), always("near-tie")),
    ]
    found = answers_of(arms, lent_engine(lambda prompt, settings: plain_rounds(8)))
    good, dear = (
        drafter_figures(found, Drafter(arm.name, arm.engine.model, 1000, 2000))  # type: ignore[arg-type]
        for arm in arms
    )
    assert good["accepted_length"] == 4.0 and dear["accepted_length"] == 2.0
    assert good["best_fixed_length"] == 3 and dear["best_fixed_length"] == 1
    assert good["draft_ms"] == {"1": 1.0, "2": 2.0, "3": 3.0}
    assert good["tokens_per_second"]["best_fixed"] == pytest.approx(1e3 * 4 / 13, rel=1e-3)
    assert good["gain"]["best_fixed"] == pytest.approx(40 / 13, rel=1e-3)
    assert (good["verdict"], dear["verdict"]) == ("identical", "near-tie")
    assert plain_figures(found) == {"name": PLAIN, "tokens_per_second": 100.0}
    assert set(good["domains"]) == {"code", "prose"}


def test_one_after_another_each_has_plain_decoding_beside_it() -> None:
    fast, slow = scripted(accepted=3), scripted(accepted=3, slowness=2.0)
    found = answers_of([Arm("a", fast, always("identical"))], fast, beside="a")
    found += answers_of([Arm("b", slow, always("identical"))], slow, beside="b")
    a, b = (drafter_figures(found, Drafter(name, fast.model, 1, 1)) for name in "ab")  # type: ignore[arg-type]
    assert a["plain_tokens_per_second"] == 2 * b["plain_tokens_per_second"]
    assert a["gain"]["best_fixed"] == pytest.approx(b["gain"]["best_fixed"])


def test_sampled_replies_share_a_seed_and_the_text_is_checked_greedily() -> None:
    engine, plain = scripted(accepted=2), lent_engine(lambda prompt, settings: plain_rounds(8))
    found = answers_of(
        [Arm("a", engine, always("diverged"))], plain, sampling=SamplingSettings(temperature=1.0, top_k=0)
    )
    seeds: dict[tuple[int, ...], set[int | None]] = {}
    for asked in (*plain.requests, *engine.requests):
        if asked.settings.sampling.temperature > 0:
            seeds.setdefault(asked.tokens, set()).add(asked.settings.sampling.seed)
    assert all(len(seeds[prompt.tokens]) == 1 for prompt in PROMPTS)
    judged = [each for each in found if each.judgement is not None]
    assert [each.judgement.kind for each in judged if each.judgement] == ["diverged"]
    figures = drafter_figures(found, Drafter("a", engine.model, 1, 1))  # type: ignore[arg-type]
    assert figures["verdict"] == "diverged"


def test_what_was_measured_before_a_crash_is_not_lost() -> None:
    def crash(number: int) -> None:
        if number > 8:
            raise EngineCrashed("gone")

    engine = scripted(accepted=2)
    engine.before_reply = crash
    found: list[Answer] = []
    plain = lent_engine(lambda prompt, settings: plain_rounds(8))
    arms = [Arm("a", engine, always("identical"))]
    with pytest.raises(EngineCrashed):
        for event in compare(plain, arms, PROMPTS, CompareSettings(64), render=lambda text: (1,)):
            found += [event] if isinstance(event, Answer) else []
    assert [each.how for each in found] == [COST] * 3
    assert drafter_figures(found, Drafter("a", engine.model, 1, 1))["verdict"] is None  # type: ignore[arg-type]


def test_a_prompt_that_is_too_long_is_left_out() -> None:
    engine, plain = scripted(accepted=2), lent_engine(lambda prompt, settings: plain_rounds(8))
    engine.context_tokens = plain.context_tokens = 5
    long = Prompt("long", "prose", "", tuple(range(9)))
    events = list(
        compare(
            plain,
            [Arm("a", engine, always("identical"))],
            (PROMPTS[0], long),
            CompareSettings(64),
            render=lambda text: (),
        )
    )
    assert any(isinstance(event, Notice) and "long" in event.text for event in events)
    assert {each.prompt.id for each in events if isinstance(each, Answer)} == {"p0"}


def test_rounds_without_a_whole_block_are_left_out() -> None:
    rounds = [*drafted_rounds(2, accepted=3), *drafted_rounds(1, accepted=0), *drafted_rounds(1, accepted=0, drafted=1)]
    length, error, count = accepted_length([Answer("a", FULL, 3, PROMPTS[0], reply(rounds))], BLOCK)
    assert (length, count) == (3.0, 3) and error == pytest.approx(1.0)


def test_the_paper_s_lengths_stand_beside_the_pairs_it_has_and_no_others() -> None:
    paper = replace(MODEL, name="Qwen3-8B", drafter_kind="dspark")
    assert paper_accepted_length(paper, "gsm8k") == 6.17 and paper_accepted_length(paper, "mt-bench") == 3.72
    assert paper_accepted_length(replace(paper, name="gemma-4-12B-it"), "HumanEval") == 5.64
    for other in ("Qwen3-8B-Other", "Qwen3.8-27B", "Qwen3-0.6B"):
        assert paper_accepted_length(replace(paper, name=other), "gsm8k") is None
    assert paper_accepted_length(replace(paper, drafter_kind="eagle3"), "gsm8k") is None
    assert paper_accepted_length(paper, "alpaca") is None


def test_bytes_of_a_block(tmp_path: Path) -> None:
    """Counted by hand from the writers' shapes, in float32."""
    pair = write_eagle3_pair(tmp_path)
    target, draft = read_gguf(pair.target), read_gguf(pair.draft)
    w = pair.weights
    fc, head = w["fc"].nbytes, w["head"].nbytes
    layer = sum(each.nbytes for name, each in w.items() if name not in ("fc", "head"))
    assert bytes_per_block(target, draft, "eagle3", 7) == fc + 7 * (layer + head)
    borrowed = write_eagle3_pair(tmp_path / "b", has_head=False)
    assert bytes_per_block(read_gguf(borrowed.target), read_gguf(borrowed.draft), "eagle3", 7) == fc + 7 * (
        layer + head
    )
    small = read_gguf(write_plain(tmp_path / "s.gguf"))
    body = sum(place.size_bytes for name, place in small.tensors.items() if name != "token_embd.weight")
    assert bytes_per_block(target, small, "small", 2) == 2 * body
    hybrid = read_gguf(write_hybrid(tmp_path / "h.gguf"))
    mtp = sum(place.size_bytes for name, place in hybrid.tensors.items() if name.startswith("blk.8."))
    assert bytes_per_block(hybrid, None, MTP, 4) == 4 * (mtp + hybrid.tensors["output.weight"].size_bytes)
    gemma, assistant = (read_gguf(path) for path in write_assistant_pair(tmp_path / "g"))
    whole = sum(place.size_bytes for place in assistant.tensors.values())
    assert bytes_per_block(gemma, assistant, "assistant", 4) == 4 * whole


def test_engines_are_together_where_all_of_them_fit(tmp_path: Path) -> None:
    target = write_hybrid(tmp_path / "hybrid.gguf")
    files = [PairFiles(target, None), PairFiles(target, None, MTP)]
    how = LoadSettings("", context_tokens=512)
    both = sum(draft_memory_bytes(each, 512) + draft_memory_bytes(PairFiles(target, None), 512) for each in files)
    assert both == draft_memory_bytes(files[1], 512) > 0
    assert fit_together(files, how, ask_free_memory=lambda: FreeMemory(2_000_000_000))
    assert not fit_together(files, how, ask_free_memory=lambda: FreeMemory(501_000_000))
    assert not fit_together([PairFiles(tmp_path / "gone.gguf", None)], how, ask_free_memory=lambda: FreeMemory(0))


def test_each_drafted_reply_is_judged_against_the_plain_one() -> None:
    seen: list[tuple[tuple[int, ...], Reply, Reply]] = []

    def judge(prompt: tuple[int, ...], plain: Reply, other: Reply) -> Judgement:
        seen.append((prompt, plain, other))
        return Judgement("identical")

    answers_of([Arm("a", scripted(accepted=1), judge)], lent_engine(lambda p, s: plain_rounds(8)))
    assert len(seen) == 3 * len(PROMPTS)
    assert all(plain.stats.verified == 0 for _, plain, _ in seen)
