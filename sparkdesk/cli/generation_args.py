"""The arguments about loading, sampling and speculation, and the settings they and the settings file amount to."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace, _ActionsContainer
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli import values
from sparkdesk.config.checks import ALL_LAYERS, AUTO, CACHE_TYPES, MOST_CONTEXT_TOKENS, MOST_THREADS
from sparkdesk.config.paths import user_paths
from sparkdesk.config.settings import Preset, Settings, read_settings
from sparkdesk.engine.settings import AUTOMATIC, LoadSettings, SamplingSettings, SpeculationSettings
from sparkdesk.errors import UsageError
from sparkdesk.local_path import expanded

if TYPE_CHECKING:
    from sparkdesk.chat.messages import Attachment

Value = TypeVar("Value")
_HOW_TO_PRESET = "A table [presets.NAME] in that file makes one."


def add_loading(parser: ArgumentParser, *, has_threads: bool = True) -> None:
    """Without `has_threads`, the command has an argument of its own for them."""
    group = parser.add_argument_group("loading")
    group.add_argument(
        "--ctx",
        type=values.whole_number(least=0, most=MOST_CONTEXT_TOKENS),
        metavar="N",
        help="context tokens; 0: as many as the model was trained with",
    )
    group.add_argument(
        "--force-ctx", action="store_true", help="--ctx as it is, beyond what was trained or seems to fit"
    )
    if has_threads:
        group.add_argument(
            "--threads",
            type=values.whole_number(least=0, most=MOST_THREADS),
            metavar="N",
            help="0: the fastest number up to the physical cores",
        )
    group.add_argument(
        "--gpu-layers", type=values.gpu_layers, metavar="auto|N", help="target layers on the GPU; auto: all that fit"
    )
    group.add_argument(
        "--cpu-experts",
        type=values.gpu_layers,
        metavar="auto|N",
        help="of a mixture of experts: layers whose experts stay with the CPU; auto: as few as must",
    )
    group.add_argument(
        "--cache-type", choices=CACHE_TYPES, help="type of the target's KV cache; default: f16, the exact one"
    )
    group.add_argument(
        "-ts",
        "--tensor-split",
        type=values.shares,
        default=(),
        metavar="A,B",
        help="shares of the target for several GPUs; default: by their free memory",
    )
    group.add_argument(
        "--main-gpu", type=values.whole_number(least=0, most=63), metavar="N", help="the only GPU to use, of several"
    )


def add_draft(group: _ActionsContainer, *, without: str = "") -> None:
    """What drafts; `without` says what happens without either."""
    group.add_argument(
        "--draft",
        metavar="FILE",
        help="its draft (GGUF): DSpark, DFlash, EAGLE-3, Gemma 4 assistant or a small model" + without,
    )
    group.add_argument(
        "--drafter",
        metavar="mtp|context|NAME",
        help="instead: the model's own MTP layer, prompt lookup alone, or a draft on this disk",
    )


def add_sampling(parser: ArgumentParser) -> None:
    """Without defaults: what is not given is the preset's, or as the model's makers recommend."""
    usual = SamplingSettings()
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "--temperature", type=values.real_number(), metavar="X", help=f"0 is greedy; default {usual.temperature}"
    )
    group.add_argument(
        "--top-k", type=values.whole_number(least=0), metavar="N", help=f"0 is off; default {usual.top_k}"
    )
    group.add_argument("--top-p", type=values.real_number(most=1), metavar="X", help=f"1 is off; default {usual.top_p}")
    group.add_argument(
        "--min-p", type=values.real_number(most=1), metavar="X", help=f"0 is off; default {usual.min_p:g}"
    )
    group.add_argument(
        "--seed",
        type=values.whole_number(least=0),
        metavar="N",
        help="the same seed gives the same reply, with a fixed draft length or --no-spec",
    )


def add_continue(parser: _ActionsContainer) -> None:
    begun = parser.add_mutually_exclusive_group()
    begun.add_argument("--new", action="store_true", help="start a new chat; this is the default")
    begun.add_argument("--continue", dest="continues", action="store_true", help="continue the last chat")


def add_conversation(parser: ArgumentParser) -> None:
    """What a chat starts with."""
    group = parser.add_argument_group("conversation")
    begun = group.add_mutually_exclusive_group()
    begun.add_argument("--new", action="store_true", help="start a new chat; this is the default")
    begun.add_argument("--continue", dest="continues", action="store_true", help="continue the last chat")
    group.add_argument(
        "--preset", metavar="NAME", help="system prompt and sampling of this preset of the settings file"
    )
    group.add_argument("--system", metavar="TEXT", help="system prompt")
    group.add_argument(
        "--file", action="append", type=Path, default=[], metavar="FILE", help="attach a text file; repeatable"
    )
    group.add_argument(
        "--thinking", action=BooleanOptionalAction, help="let the model think before it answers; default: off"
    )


def add_speculation(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("speculation")
    group.add_argument(
        "--draft-length", type=values.draft_length, default=..., metavar="auto|K", help="tokens to draft per round"
    )
    group.add_argument("--no-spec", action="store_true", help="plain decoding; the draft stays loaded")


def settings_file() -> Settings:
    return read_settings(user_paths().settings_file)


def loading(options: Namespace, settings: Settings) -> LoadSettings:
    """All but the paths: what the command line says, else the settings file."""
    return LoadSettings(
        target_path="",
        context_tokens=_given(options, "ctx", settings.context_tokens),
        is_context_asked=getattr(options, "ctx", None) is not None
        or settings.context_tokens != Settings().context_tokens,
        insists_on_context=getattr(options, "force_ctx", False),
        threads=_given(options, "threads", settings.threads),
        gpu_layers=_given(options, "gpu_layers", settings.gpu_layers),
        draft_gpu_layers=settings.draft_gpu_layers,
        cpu_experts=_given(options, "cpu_experts", settings.cpu_experts),
        cache_type=_given(options, "cache_type", settings.cache_type),
        tensor_split=getattr(options, "tensor_split", ()),
        main_gpu=_given(options, "main_gpu", AUTOMATIC),
        saved_states_bytes=AUTOMATIC if settings.saved_states_mb is None else settings.saved_states_mb * 1_000_000,
    )


def instead_of_settings(options: Namespace) -> dict[str, object]:
    """What the command line says in the place of the settings file, as the file would say it."""
    said: dict[str, object] = {
        "context_tokens": getattr(options, "ctx", None),
        "threads": getattr(options, "threads", None),
        "gpu_layers": getattr(options, "gpu_layers", None),
        "cpu_experts": getattr(options, "cpu_experts", None),
        "cache_type": getattr(options, "cache_type", None),
        "speculation": False if getattr(options, "no_spec", False) else None,
    }
    given = {name: AUTO if value == ALL_LAYERS else value for name, value in said.items() if value is not None}
    length = getattr(options, "draft_length", ...)
    return given if length is ... else {**given, "draft_length": AUTO if length is None else length}


def chat_settings(options: Namespace, settings: Settings) -> ChatSettings:
    """Of the command that was given: its arguments, else the preset's values, else the defaults.

    Raises UsageError for a preset that does not exist.
    """
    preset = _preset(getattr(options, "preset", None), settings)
    return ChatSettings(
        system_prompt=_said(options, "system", preset.system_prompt),
        sampling=_sampling(options, preset),
        speculation=_speculation(options, settings),
        max_tokens=_said(options, "max_tokens", preset.max_tokens or 0),
        is_raw=getattr(options, "raw", False),
        is_thinking=_said(options, "thinking", bool(preset.thinking)),
        ignores_end=getattr(options, "ignore_eos", False),
    )


def attachments(options: Namespace) -> "tuple[Attachment, ...]":
    """The files given by --file. Raises UsageError."""
    from sparkdesk.ui.chat.attachments import read_attachment

    return tuple(read_attachment(expanded(path)) for path in getattr(options, "file", ()))


def _preset(given: str | None, settings: Settings) -> Preset:
    name = settings.preset if given is None else given
    if name and name not in settings.presets:
        known = f"There are {', '.join(settings.presets)}." if settings.presets else "There are none yet."
        raise UsageError(f"There is no preset {name!r} in {user_paths().settings_file}.", f"{known} {_HOW_TO_PRESET}")
    return settings.presets.get(name, Preset())


def _sampling(options: Namespace, preset: Preset) -> SamplingSettings:
    names = [each.name for each in fields(SamplingSettings)]
    chosen = {name: _said(options, name, getattr(preset, name, None)) for name in names}
    return replace(SamplingSettings(), **{name: value for name, value in chosen.items() if value is not None})


def _said(options: Namespace, name: str, otherwise: Value) -> Value:
    value: Value | None = getattr(options, name, None)
    return otherwise if value is None else value


def _speculation(options: Namespace, settings: Settings) -> SpeculationSettings:
    # None is a choice here ("auto"), so what was not said at all is an ellipsis.
    said = getattr(options, "draft_length", ...)
    return SpeculationSettings(
        is_enabled=settings.speculation and not getattr(options, "no_spec", False),
        draft_length=settings.draft_length if said is ... else said,
    )


def _given(options: Namespace, name: str, otherwise: Value) -> Value:
    value: Value | None = getattr(options, name, None)
    return otherwise if value is None else value
