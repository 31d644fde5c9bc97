"""How vLLM, SGLang and llama-server are told to serve a target with its DSpark draft.

Sources, read in November 2026: vLLM's speculative-config (method "dspark", vllm-project/vllm#46995), SGLang's server
arguments (DSPARK, since 0.5.16), llama.cpp's docs/speculative.md (draft-dspark, ggml-org/llama.cpp#25173).
"""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

VLLM, SGLANG, LLAMA_SERVER = "vllm", "sglang", "llama-server"


@dataclass(frozen=True, slots=True)
class Deployment:
    """A pair, and where and how it is to be served."""

    target: str
    """A GGUF file for llama-server; a repository on the hub, or a checkpoint's folder, for the others."""
    draft: str
    block_size: int
    """Most tokens the draft proposes in one pass."""
    draft_length: int = 0
    """Tokens to draft in a round; 0 leaves it to what suits the engine."""
    context_tokens: int = 0
    """0 is the engine's own choice."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 is the engine's own choice."""
    is_gemma: bool = False

    @property
    def address(self) -> tuple[str, ...]:
        return ("--host", self.host, *(("--port", str(self.port)) if self.port else ()))

    @property
    def length(self) -> int:
        return self.draft_length or self.block_size


@dataclass(frozen=True, slots=True)
class Command:
    arguments: tuple[str, ...]
    notes: tuple[str, ...]
    """What the user should know, one sentence each."""

    @property
    def line(self) -> str:
        """To be pasted into a shell."""
        return shlex.join(self.arguments)


def vllm(pair: Deployment) -> Command:
    speculation = {
        "method": "dspark",
        "model": pair.draft,
        "num_speculative_tokens": pair.length,
        "draft_sample_method": "probabilistic",
    }
    arguments = [
        *("vllm", "serve", pair.target),
        *("--speculative-config", json.dumps(speculation, separators=(",", ":"))),
        *pair.address,
    ]
    if pair.context_tokens:
        arguments += ["--max-model-len", str(pair.context_tokens)]
    notes = (
        "vLLM takes the original checkpoints, not GGUF files, and downloads them; it needs a release with DSpark.",
        '"draft_sample_method":"probabilistic" is speculative sampling proper; else drafts are greedy, and fewer are '
        "accepted with a temperature.",
    )
    return Command(tuple(arguments), notes)


def sglang(pair: Deployment) -> Command:
    arguments = [
        *("python3", "-m", "sglang.launch_server", "--model-path", pair.target),
        *("--speculative-algorithm", "DSPARK", "--speculative-draft-model-path", pair.draft),
        *("--speculative-dspark-block-size", str(pair.length)),
        *pair.address,
    ]
    if pair.context_tokens:
        arguments += ["--context-length", str(pair.context_tokens)]
    notes = [
        "SGLang takes the original checkpoints, not GGUF files, and downloads them itself; it needs 0.5.16 or newer.",
        "It chooses how much of each block to verify by the draft's confidence.",
    ]
    if pair.is_gemma:
        notes.append("Its documentation names no Gemma 4 draft: where it refuses this one, vLLM takes it.")
    return Command(tuple(arguments), tuple(notes))


def llama_server(pair: Deployment) -> Command:
    arguments = [
        *("llama-server", "--model", pair.target, "--spec-draft-model", pair.draft),
        *("--spec-type", "draft-dspark", "--spec-draft-n-max", str(pair.length)),
        *pair.address,
    ]
    if pair.context_tokens:
        arguments += ["--ctx-size", str(pair.context_tokens)]
    notes = [
        "The same options work with `llama serve`. Without --port, recent releases listen on port 9931.",
        "llama-server drafts a fixed length: `sparkdesk bench curve` shows which one pays on a machine "
        "(--draft-length here).",
        "It accepts a draft only where the sampled token is the draft's likeliest: with a temperature it gains less.",
    ]
    if pair.is_gemma:
        notes.append(
            "It does not cap a Gemma draft's logits as the draft was trained, so it accepts fewer of its tokens."
        )
    return Command(tuple(arguments), tuple(notes))


ENGINES: dict[str, Callable[[Deployment], Command]] = {VLLM: vllm, SGLANG: sglang, LLAMA_SERVER: llama_server}
