"""A target whose graph gives out no layer inputs answers by itself; a draft beside it is refused in words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.names import text
from converters.plan import FilePlan, PlannedTensor
from converters.safetensors import StoredTensor
from converters.writer import write_gguf
from sparkdesk.bench.synthetic import plans, weights
from sparkdesk.bench.synthetic.pair import SyntheticPair
from sparkdesk.engine.settings import GenerationSettings, LoadSettings
from sparkdesk.runner.client import EngineClient
from sparkdesk.runner.protocol import Finished, Loading
from tests.conftest import TINY_SHAPE

pytestmark = pytest.mark.native


def write_qwen2(path: Path) -> Path:
    """The synthetic target as a Qwen2: no norms of queries and keys, but biases."""
    random = np.random.default_rng(TINY_SHAPE.seed)
    plan = plans.target_plan(TINY_SHAPE, weights.make_chain(TINY_SHAPE, random), random=random)
    entries = [replace(each, key=each.key.replace("qwen3.", "qwen2.")) for each in plan.entries]
    kept = [each for each in plan.tensors if "_norm" not in each.name.replace("attn_norm", "").replace("ffn_norm", "")]
    kept += [each for each in plan.tensors if each.name == "output_norm.weight"]
    biases = [_bias(layer, name) for layer in range(TINY_SHAPE.layers) for name in ("q", "k", "v")]
    list(write_gguf(FilePlan("qwen2", (*entries, text("general.basename", "tiny")), (*kept, *biases)), path))
    return path


def _bias(layer: int, name: str) -> PlannedTensor:
    heads = TINY_SHAPE.heads if name == "q" else TINY_SHAPE.kv_heads
    full_name = f"blk.{layer}.attn_{name}.bias"
    values = np.zeros(heads * TINY_SHAPE.head_dim, np.float32)
    return PlannedTensor(full_name, StoredTensor(full_name, "F32", values), "F32")


def test_a_draft_on_a_qwen2_is_refused_and_the_target_answers(tmp_path: Path, synthetic_pair: SyntheticPair) -> None:
    """It ended the process (SIGABRT), and only the retry without a draft saved the load."""
    target = write_qwen2(tmp_path / "qwen2.gguf")
    settings = LoadSettings(str(target), str(synthetic_pair.draft), context_tokens=256, threads=1)
    with EngineClient() as client:
        notices = [each.stage for each in client.load(settings) if isinstance(each, Loading) and " " in each.stage]
        assert notices == [], "nothing crashed and was tried again"
        assert client.model is not None
        assert "qwen2.gguf" in client.model.draft_problem and "layer inputs" in client.model.draft_problem
        *_, last = client.generate(synthetic_pair.prompt_tokens, GenerationSettings(max_tokens=4))
        assert isinstance(last, Finished) and last.stats.generated == 4
