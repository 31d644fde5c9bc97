"""The user's settings: what there is to set, and the TOML file they are read from. settings_file.py changes it.

threads = 0              # 0: chosen for this machine
gpu_layers = "auto"      # or a number of layers; "auto" is as many as there is room for
draft_gpu_layers = "auto"  # the same for the draft; "auto" is all of it
cpu_experts = "auto"     # layers of a mixture of experts whose experts stay with the processor; "auto": as few as must
cache_type = "f16"       # of the KV cache; "q8_0" and "q4_0" take a half and a quarter of the memory
saved_states_mb = "auto" # memory for conversations put aside while another is answered; 0: none
context_tokens = 4096    # 0: as many as the model was trained with
speculation = true       # whether a conversation starts with it
draft_length = "auto"    # or a number of tokens
history = true           # whether conversations are kept on this machine
theme = "spark-dark"     # or "spark-light", or any theme of Textual's
animations = true        # false: nothing glides or blinks
live_figures = true      # whether the screen starts with the live figures beside the chat
model_folders = []       # where other programs keep GGUF files, such as ["~/models"]
preset = ""              # the preset that new chats start with; empty: none

[presets.writer]         # any number of them, chosen by `chat --preset writer`
system_prompt = "You write short stories."
temperature = 1.0        # and top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, max_tokens
thinking = false

[keys]                   # other keys, by the names that F2 lists
chat.reload = "f11,f12"
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converters.regular_file import read_regular
from sparkdesk.config import checks
from sparkdesk.config.checks import ALL_LAYERS, AUTO, CACHE_TYPES, MOST_CONTEXT_TOKENS, MOST_THREADS
from sparkdesk.errors import UsageError

_MOST_BYTES = 1 << 20  # of the file
_MOST_SAID = 80  # of a wrong value, in a message


@dataclass(frozen=True, slots=True)
class Preset:
    """What a chat may start with. None is what the model's makers recommend, or SparkDesk's default."""

    system_prompt: str = ""
    thinking: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds where the command line says nothing."""

    threads: int = 0
    gpu_layers: int = ALL_LAYERS
    context_tokens: int = 4096
    speculation: bool = True
    draft_length: int | None = None
    """None is the engine's own choice."""
    theme: str = ""
    """Empty is the screen's own choice."""
    animations: bool = True
    live_figures: bool = True
    model_folders: tuple[str, ...] = ()
    """Where to look for models beside our own folder, the hub's cache and LM Studio's."""
    history: bool = True
    """Whether conversations are kept."""
    draft_gpu_layers: int = ALL_LAYERS
    cpu_experts: int = ALL_LAYERS
    """Of how many of the first layers; -1 is as few as must be."""
    cache_type: str = CACHE_TYPES[0]
    saved_states_mb: int | None = None
    """None is the engine's own choice."""
    preset: str = ""
    """Of new chats, by its name; empty is none."""
    presets: Mapping[str, Preset] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys of the screen by action, "f11,f12" by "chat.reload"; which actions there are, the screen knows."""


def read_settings(path: Path) -> Settings:
    """The settings in `path`; a missing file means the defaults. Raises UsageError naming the first thing wrong."""
    return settings_from(read_values(path), path)


def read_values(path: Path) -> dict[str, Any]:
    """What the file says, unchecked; nothing where there is none."""
    return parsed(read_text(path), path)


def read_text(path: Path) -> str:
    """With its own line ends; empty where there is no file."""
    try:
        return read_regular(path, _MOST_BYTES).decode("utf-8-sig")  # some editors begin with a byte order mark
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: it is not UTF-8.", "Mend the file or delete it.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from error


def parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", "Mend the file or delete it.") from error
    except (ValueError, RecursionError) as error:  # a number of ten thousand digits; tables in tables without an end
        reason = "is nested too deep, or has too large a number"
        raise UsageError(f"{path} {reason}.", "Mend the file or delete it.") from error


def settings_from(given: Mapping[str, Any], path: Path) -> Settings:
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _BY_NAME:
            raise UsageError(f"{path}: {_shortened(name)} is not a setting.", f"Known are {', '.join(_BY_NAME)}.")
        setting = _BY_NAME[name]
        try:
            values[name] = setting.check(value)
        except ValueError:
            raise UsageError(f"{path}: {name} is {_shortened(value)}, but must be {setting.wanted}.") from None
    return Settings(**values)


def _shortened(value: object) -> str:
    said = repr(value)
    return said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}…"


_PRESET: Mapping[str, Callable[[object], Any]] = {
    "system_prompt": checks.text,
    "thinking": checks.switch,
    "temperature": checks.not_negative,
    "top_k": checks.tokens,
    "top_p": checks.share,
    "min_p": checks.share,
    "repeat_penalty": checks.not_negative,
    "presence_penalty": checks.number,
    "frequency_penalty": checks.number,
    "max_tokens": checks.tokens,
}


def _presets(value: object) -> dict[str, Preset]:
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise ValueError
    return {name: _preset(given) for name, given in value.items()}


def _preset(given: Mapping[str, object]) -> Preset:
    if not given.keys() <= _PRESET.keys():
        raise ValueError
    return Preset(**{name: _PRESET[name](each) for name, each in given.items()})


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the file."""

    name: str
    title: str
    """What people call it."""
    meaning: str
    wanted: str
    """What is allowed."""
    check: Callable[[object], Any]
    """What the program makes of a value of the file; ValueError when it cannot be."""
    usual: object
    """As the file would say it."""
    effect: str = ""
    """When a change applies, where that is not at once."""


_RELOAD = "after reload"
_NEXT_START = "after the next start"

SETTINGS = (
    Setting(
        "threads",
        "Threads",
        "CPU threads; 0: as many as are fastest, up to the physical cores.",
        f"a whole number up to {MOST_THREADS:,}; 0 is automatic",
        checks.threads,
        0,
        _RELOAD,
    ),
    Setting(
        "gpu_layers",
        "Target layers on the GPU",
        "How many layers of the target run on the GPU; auto: as many as fit.",
        '"auto" or a whole number of layers',
        checks.layers,
        AUTO,
        _RELOAD,
    ),
    Setting(
        "draft_gpu_layers",
        "Draft layers on the GPU",
        "How many layers of the draft run on the GPU; auto: all of them.",
        '"auto" or a whole number of layers',
        checks.layers,
        AUTO,
        _RELOAD,
    ),
    Setting(
        "cpu_experts",
        "Experts on the CPU",
        "Of how many layers of a mixture of experts the experts stay with the CPU; auto: as few as must.",
        '"auto" or a whole number of layers',
        checks.layers,
        AUTO,
        _RELOAD,
    ),
    Setting(
        "cache_type",
        "Type of the KV cache",
        "q8_0 takes half the memory of f16, q4_0 a quarter, and both lose some precision.",
        f"one of {', '.join(CACHE_TYPES)}",
        checks.cache_type,
        CACHE_TYPES[0],
        _RELOAD,
    ),
    Setting(
        "saved_states_mb",
        "Saved conversations, MB",
        "Memory for the KV caches of earlier conversations; auto: depends on what is free.",
        '"auto" or a whole number of megabytes; 0 is none',
        checks.megabytes,
        AUTO,
        _RELOAD,
    ),
    Setting(
        "context_tokens",
        "Context length",
        "Tokens that prompt and reply share; 0: as many as the model was trained with.",
        f"a whole number of tokens up to {MOST_CONTEXT_TOKENS:,}; 0 is the model's own",
        checks.tokens,
        4096,
        _RELOAD,
    ),
    Setting(
        "speculation",
        "Speculation",
        "Whether a chat starts with speculation on.",
        "true or false",
        checks.switch,
        True,
        _NEXT_START,
    ),
    Setting(
        "draft_length",
        "Draft length",
        "Tokens to draft per round; auto: chosen round by round, and parked where drafting loses.",
        '"auto" or a whole number of 1 or more',
        checks.draft_length,
        AUTO,
        _NEXT_START,
    ),
    Setting(
        "history",
        "Keep conversations",
        "Whether conversations are kept on this machine.",
        "true or false",
        checks.switch,
        True,
        _NEXT_START,
    ),
    Setting("theme", "Theme", "The colours of the screen.", "the name of a theme", checks.word, "spark-dark"),
    Setting(
        "animations",
        "Animations",
        "Whether the screen animates and the cursor blinks.",
        "true or false",
        checks.switch,
        True,
    ),
    Setting(
        "live_figures",
        "Live figures",
        "Whether live figures are shown beside the chat.",
        "true or false",
        checks.switch,
        True,
    ),
    Setting(
        "model_folders",
        "Model folders",
        "Where other programs keep GGUF files.",
        'a list of folders such as ["~/models"]',
        checks.folders,
        [],
        "when models are listed next",
    ),
    Setting(
        "preset",
        "Preset of new chats",
        "The preset that new chats start with.",
        "the name of a preset",
        checks.text,
        "",
        _NEXT_START,
    ),
    Setting(
        "presets",
        "Presets",
        "System prompts and sampling by name.",
        f"tables such as [presets.writer] with any of {', '.join(_PRESET)}",
        _presets,
        {},
        _NEXT_START,
    ),
    Setting("keys", "Keys", "Keys of the screen.", 'a table such as chat.reload = "f12"', checks.flat_keys, {}),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}
