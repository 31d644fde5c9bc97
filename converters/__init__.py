"""Hugging Face checkpoints into GGUF files for llama.cpp. Importing this loads nothing: not even numpy."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converters.convert import convert_draft, convert_target
    from converters.errors import ConversionError
    from converters.output_types import OUTPUT_TYPES
    from converters.progress import ConversionProgress

_HOMES = {
    "convert_draft": "convert",
    "convert_target": "convert",
    "ConversionError": "errors",
    "OUTPUT_TYPES": "output_types",
    "ConversionProgress": "progress",
}
__all__ = ["OUTPUT_TYPES", "ConversionError", "ConversionProgress", "convert_draft", "convert_target"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
