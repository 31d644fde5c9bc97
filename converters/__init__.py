"""Hugging Face checkpoints into GGUF files for llama.cpp. Importing this loads neither gguf nor llama_cpp."""

from converters.convert import convert_draft, convert_target
from converters.errors import ConversionError
from converters.output_types import OUTPUT_TYPES
from converters.progress import ConversionProgress

__all__ = ["OUTPUT_TYPES", "ConversionError", "ConversionProgress", "convert_draft", "convert_target"]
