"""The fit against what llama.cpp really allocates, on a small pair; bench/memory.py does it on many."""

from pathlib import Path

import pytest

from converters.convert import convert_draft, convert_target
from sparkdesk.bench.lab.memory import measure, predicted_bytes
from sparkdesk.bench.lab.memory_probe import summed
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.llama.allocations import Allocation
from tests.converters.gemma4_checkpoints import make_gemma4_pair


@pytest.mark.native
@pytest.mark.parametrize("has_draft", [False, True])
@pytest.mark.parametrize("context_tokens", [512, 2048])
def test_what_was_predicted_is_allocated(synthetic_pair: SyntheticPair, context_tokens: int, has_draft: bool) -> None:
    draft = synthetic_pair.draft if has_draft else None
    measured = measure(synthetic_pair.target, draft, context_tokens)
    assert measured.resident_bytes > measured.cache_bytes > 0
    assert predicted_bytes(synthetic_pair.target, draft, context_tokens) == pytest.approx(measured.total_bytes, rel=0.1)


@pytest.mark.native
def test_quantized_weights_are_counted_as_they_are(quantized_pair: SyntheticPair) -> None:
    measured = measure(quantized_pair.target, quantized_pair.draft, 1024)
    assert predicted_bytes(quantized_pair.target, quantized_pair.draft, 1024) == pytest.approx(
        measured.total_bytes, rel=0.1
    )


@pytest.mark.native
def test_sliding_windows_have_a_mask_of_their_own(tmp_path: Path) -> None:
    make_gemma4_pair(tmp_path)
    target, draft = tmp_path / "t.gguf", tmp_path / "d.gguf"
    for _ in convert_target(tmp_path / "target", target, output_type="F16"):
        pass
    for _ in convert_draft(tmp_path / "draft", draft, target=tmp_path / "target", output_type="F16"):
        pass
    assert predicted_bytes(target, draft, 4096) == pytest.approx(measure(target, draft, 4096).total_bytes, rel=0.05)


def test_buffers_that_were_replaced_do_not_count() -> None:
    compute = [Allocation("compute", "CPU", size) for size in (10, 20, 30, 40)]
    weights = [Allocation("model", "CPU_Mapped", 100), Allocation("model", "CPU_REPACK", 50)]
    found = summed([*weights, *compute, Allocation("KV", "CPU", 7)], has_draft=True)
    assert (found.weights_bytes, found.cache_bytes, found.compute_bytes) == (100, 7, 70)
