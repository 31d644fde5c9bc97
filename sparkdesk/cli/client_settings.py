"""What programs must be told to use `sparkdesk serve`, in the form each of them reads. Pure."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass

_ANY_KEY = "none"
"""Programs insist on one, also where the server does not."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    address: str
    """With scheme and port, without a path."""
    name: str
    key_variable: str = ""
    """The environment variable that has the key; empty where the server asks for none."""

    @property
    def openai_url(self) -> str:
        return f"{self.address}/v1"

    @property
    def shell_key(self) -> str:
        return f'"${self.key_variable}"' if self.key_variable else _ANY_KEY


def _claude_code(served: ServedModel) -> str:
    name = shlex.quote(served.name)
    models = ("MODEL", "DEFAULT_OPUS_MODEL", "DEFAULT_SONNET_MODEL", "DEFAULT_HAIKU_MODEL", "SMALL_FAST_MODEL")
    return "\n".join(
        (
            f"export ANTHROPIC_BASE_URL={shlex.quote(served.address)}",
            f"export ANTHROPIC_AUTH_TOKEN={served.shell_key}",
            *(f"export ANTHROPIC_{each}={name}" for each in models),
            f"export CLAUDE_CODE_SUBAGENT_MODEL={name}",
            "export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
            "# This header changes with every request, and would make the whole prompt new each time:",
            "export CLAUDE_CODE_ATTRIBUTION_HEADER=0",
            "claude",
        )
    )


def _codex(served: ServedModel) -> str:
    key = [f"env_key = {json.dumps(served.key_variable)}"] if served.key_variable else []
    return "\n".join(
        (
            "# ~/.codex/config.toml",
            f"model = {json.dumps(served.name)}",
            'model_provider = "sparkdesk"',
            "",
            "[model_providers.sparkdesk]",
            'name = "SparkDesk"',
            f"base_url = {json.dumps(served.openai_url)}",
            'wire_api = "responses"',
            *key,
        )
    )


def _aider(served: ServedModel) -> str:
    return "\n".join(
        (
            f"export OPENAI_API_BASE={shlex.quote(served.openai_url)}",
            f"export OPENAI_API_KEY={served.shell_key}",
            f"aider --model {shlex.quote(f'openai/{served.name}')}",
        )
    )


def _open_webui(served: ServedModel) -> str:
    return "\n".join(
        (
            f"export OPENAI_API_BASE_URL={shlex.quote(served.openai_url)}",
            f"export OPENAI_API_KEY={served.shell_key}",
            "export ENABLE_OLLAMA_API=False",
            "open-webui serve --port 3000",
        )
    )


def _continue(served: ServedModel) -> str:
    name = json.dumps(served.name)
    key = f"${{{{ secrets.{served.key_variable} }}}}" if served.key_variable else _ANY_KEY
    return "\n".join(
        (
            "# ~/.continue/config.yaml",
            "name: SparkDesk",
            "version: 0.0.1",
            "schema: v1",
            "models:",
            f"  - name: {name}",
            "    provider: openai",
            f"    model: {name}",
            f"    apiBase: {json.dumps(served.openai_url)}",
            f"    apiKey: {key}",
            "    roles: [chat, edit, apply]",
            "    capabilities: [tool_use]",
        )
    )


PROGRAMS: dict[str, Callable[[ServedModel], str]] = {
    "claude-code": _claude_code,
    "codex": _codex,
    "aider": _aider,
    "open-webui": _open_webui,
    "continue": _continue,
}
