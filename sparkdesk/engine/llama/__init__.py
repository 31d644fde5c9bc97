"""The only gate to llama.cpp: owns every pointer, and speaks numpy and Python numbers to the rest of the engine."""

from sparkdesk.engine.llama.context import CACHE_TYPES, F16, Context
from sparkdesk.engine.llama.devices import Device, devices, graphics_cards
from sparkdesk.engine.llama.grammar import Grammar
from sparkdesk.engine.llama.graph_norm import KEYS, QUERIES, GraphNorm
from sparkdesk.engine.llama.library import TESTED_VERSION, missing_symbols, supports_gpu, system_info
from sparkdesk.engine.llama.model import Model
from sparkdesk.engine.llama.placing import Cards

__all__ = [
    "CACHE_TYPES",
    "F16",
    "KEYS",
    "QUERIES",
    "TESTED_VERSION",
    "Cards",
    "Context",
    "Device",
    "Grammar",
    "GraphNorm",
    "Model",
    "devices",
    "graphics_cards",
    "missing_symbols",
    "supports_gpu",
    "system_info",
]
