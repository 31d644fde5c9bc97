"""Which server it is, as far as its list of models tells, and what it understands beyond OpenAI's API. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SPARKDESK, LLAMA_CPP, VLLM, SGLANG, OTHER = "SparkDesk", "llama-server", "vLLM", "SGLang", "OpenAI-compatible"
_MOST_MODELS, _MOST_COUNT, _LONGEST_NAME = 1000, 1 << 50, 300
_OWNERS = {"sparkdesk": SPARKDESK, "llamacpp": LLAMA_CPP, "vllm": VLLM, "sglang": SGLANG}


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model of a server."""

    name: str
    server: str
    """One of the five above."""
    context_tokens: int = 0
    """0 where the server does not say."""
    parameter_count: int = 0
    architecture: str = ""
    draft_name: str = ""
    """Only our own server tells of its draft before it has replied."""
    block_size: int = 0

    @property
    def title(self) -> str:
        """For people: llama-server calls a model by the path of its file."""
        return self.name.rpartition("/")[2].removesuffix(".gguf") if self.name.endswith(".gguf") else self.name

    @property
    def knows_more_sampling(self) -> bool:
        """top_k, min_p and repeat penalties; whether to think, by way of the chat template."""
        return self.server != OTHER

    @property
    def can_switch(self) -> bool:
        """Whether speculation can be switched from here."""
        return self.server == SPARKDESK and bool(self.draft_name)

    @property
    def can_go_on(self) -> bool:
        """Whether it continues a reply that was begun."""
        return self.server in (SPARKDESK, LLAMA_CPP, VLLM, SGLANG)


def served_models(listed: Mapping[str, Any]) -> list[ServedModel]:
    """Of /v1/models. Raises KeyError, TypeError or AttributeError where it is no such list."""
    return [_served_model(each) for each in listed["data"][:_MOST_MODELS]]


def _served_model(said: Mapping[str, Any]) -> ServedModel:
    server = _OWNERS.get(str(said.get("owned_by", "")).lower(), OTHER)
    meta = said.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    return ServedModel(
        name=_text(said["id"]),
        server=server,
        context_tokens=_count(said.get("max_model_len") or meta.get("context_tokens") or meta.get("n_ctx")),
        parameter_count=_count(meta.get("parameters") or meta.get("n_params")),
        architecture=_text(meta.get("architecture") or ""),
        draft_name=_text(meta.get("draft") or ""),
        block_size=_count(meta.get("draft_block_size")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST_COUNT else 0


def _text(value: object) -> str:
    """What can be kept and sent back: of a length that names have, and no halves of characters."""
    return str(value)[:_LONGEST_NAME].encode("utf-8", "replace").decode("utf-8")
