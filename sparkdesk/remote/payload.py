"""A conversation as the body of a /v1/chat/completions request. Pure."""

from collections.abc import Sequence
from typing import Any

from sparkdesk.chat.messages import Message, in_turns, with_attachments
from sparkdesk.chat.settings import ChatSettings
from sparkdesk.chat_format.reasoning import split_reply
from sparkdesk.remote.dialect import LLAMA_CPP, SGLANG, SPARKDESK, VLLM, ServedModel


def chat_payload(
    model: ServedModel, messages: Sequence[Message], settings: ChatSettings, *, begun: str = ""
) -> dict[str, Any]:
    """Only what this server understands: a strict one refuses what it does not know."""
    sampling = settings.sampling
    payload: dict[str, Any] = {
        "model": model.name,
        "messages": _turns(messages, settings, begun),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    if sampling.seed is not None:
        payload["seed"] = sampling.seed
    if settings.max_tokens:
        payload["max_tokens"] = settings.max_tokens
    if model.knows_more_sampling:
        payload |= {"top_k": sampling.top_k or _no_limit(model), "min_p": sampling.min_p}
        payload[_repeat_penalty(model)] = sampling.repeat_penalty
        payload["chat_template_kwargs"] = {"enable_thinking": settings.is_thinking}
    if model.server == LLAMA_CPP:
        payload["cache_prompt"] = True
    if model.server in (LLAMA_CPP, SPARKDESK):
        payload["timings_per_token"] = True
    if model.server == SPARKDESK:
        payload["speculative"] = settings.speculation.is_enabled
        payload["draft_length"] = settings.speculation.draft_length or "auto"
    if begun and model.server in (VLLM, SGLANG, SPARKDESK):
        payload |= {"continue_final_message": True, "add_generation_prompt": False}
    return payload


def _turns(messages: Sequence[Message], settings: ChatSettings, begun: str) -> list[dict[str, str]]:
    turns = [{"role": "system", "content": settings.system_prompt}] if settings.system_prompt else []
    for message in in_turns([with_attachments(message) for message in messages]):
        content = split_reply(message.content).answer if message.role == "assistant" else message.content
        turns.append({"role": message.role, "content": content})
    if begun:
        turns.append({"role": "assistant", "content": begun})
    return turns


def _no_limit(model: ServedModel) -> int:
    """How a server says that top-k is off."""
    return -1 if model.server in (VLLM, SGLANG) else 0


def _repeat_penalty(model: ServedModel) -> str:
    return "repetition_penalty" if model.server in (VLLM, SGLANG) else "repeat_penalty"
