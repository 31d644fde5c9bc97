"""The only gate to llama.cpp: owns every pointer, and speaks numpy and Python numbers to the rest of the engine."""

from sparkdesk.engine.llama.context import Context
from sparkdesk.engine.llama.devices import Device, devices
from sparkdesk.engine.llama.grammar import Grammar
from sparkdesk.engine.llama.library import TESTED_VERSION, missing_symbols, supports_gpu, system_info
from sparkdesk.engine.llama.model import Model

__all__ = [
    "TESTED_VERSION",
    "Context",
    "Device",
    "Grammar",
    "Model",
    "devices",
    "missing_symbols",
    "supports_gpu",
    "system_info",
]
