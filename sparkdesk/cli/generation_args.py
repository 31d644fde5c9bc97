"""The arguments about loading, sampling and speculation, and the settings they and the settings file amount to."""

from argparse import ArgumentParser, Namespace

from sparkdesk.chat.settings import ChatSettings
from sparkdesk.cli import values
from sparkdesk.config.paths import user_paths
from sparkdesk.config.settings import ALL_LAYERS, AUTO, MOST_CONTEXT_TOKENS, MOST_THREADS, Settings, read_settings
from sparkdesk.engine.settings import AUTOMATIC, LoadSettings, SamplingSettings, SpeculationSettings


def add_loading(parser: ArgumentParser) -> None:
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
    group.add_argument(
        "--threads",
        type=values.whole_number(least=0, most=MOST_THREADS),
        metavar="N",
        help="0: the fastest number up to the physical cores",
    )
    group.add_argument(
        "--gpu-layers", type=values.gpu_layers, metavar="auto|N", help="target layers on the GPU; auto: all that fit"
    )


def add_sampling(parser: ArgumentParser) -> None:
    usual = SamplingSettings()
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "--temperature",
        type=values.real_number(),
        default=usual.temperature,
        metavar="X",
        help=f"0 is greedy; default {usual.temperature}",
    )
    group.add_argument(
        "--top-k",
        type=values.whole_number(least=0),
        default=usual.top_k,
        metavar="N",
        help=f"0 is off; default {usual.top_k}",
    )
    group.add_argument(
        "--top-p",
        type=values.real_number(most=1),
        default=usual.top_p,
        metavar="X",
        help=f"1 is off; default {usual.top_p}",
    )
    group.add_argument(
        "--min-p",
        type=values.real_number(most=1),
        default=usual.min_p,
        metavar="X",
        help=f"0 is off; default {usual.min_p:g}",
    )
    group.add_argument(
        "--seed",
        type=values.whole_number(least=0),
        metavar="N",
        help="the same seed, the same reply, with a fixed draft length or --no-spec",
    )


def add_speculation(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("speculation")
    group.add_argument(
        "--draft-length", type=values.draft_length, default=..., metavar="auto|K", help="tokens to draft in a round"
    )
    group.add_argument("--no-spec", action="store_true", help="decode plainly, with the draft at hand")


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
        saved_states_bytes=AUTOMATIC if settings.saved_states_mb is None else settings.saved_states_mb * 1_000_000,
    )


def instead_of_settings(options: Namespace) -> dict[str, object]:
    """What the command line says in the place of the settings file, as the file would say it."""
    said: dict[str, object] = {
        "context_tokens": getattr(options, "ctx", None),
        "threads": getattr(options, "threads", None),
        "gpu_layers": getattr(options, "gpu_layers", None),
        "speculation": False if getattr(options, "no_spec", False) else None,
    }
    given = {name: AUTO if value == ALL_LAYERS else value for name, value in said.items() if value is not None}
    length = getattr(options, "draft_length", ...)
    return given if length is ... else {**given, "draft_length": AUTO if length is None else length}


def chat_settings(options: Namespace, settings: Settings) -> ChatSettings:
    """Of the command that was given; those without the arguments in question get the usual values."""
    return ChatSettings(
        sampling=_sampling(options) if hasattr(options, "temperature") else SamplingSettings(),
        speculation=_speculation(options, settings),
        max_tokens=getattr(options, "max_tokens", 0),
        is_raw=getattr(options, "raw", False),
        ignores_end=getattr(options, "ignore_eos", False),
    )


def _sampling(options: Namespace) -> SamplingSettings:
    return SamplingSettings(
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        seed=options.seed,
    )


def _speculation(options: Namespace, settings: Settings) -> SpeculationSettings:
    # None is a choice here ("auto"), so what was not said at all is an ellipsis.
    said = getattr(options, "draft_length", ...)
    return SpeculationSettings(
        is_enabled=settings.speculation and not getattr(options, "no_spec", False),
        draft_length=settings.draft_length if said is ... else said,
    )


def _given(options: Namespace, name: str, otherwise: int) -> int:
    value = getattr(options, name, None)
    return otherwise if value is None else int(value)
