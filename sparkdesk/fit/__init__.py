"""What fits into memory: pure arithmetic over sizes from GGUF headers, or from the hub before a download."""

from sparkdesk.fit.config_size import is_draft_config, size_from_config, weights_in_config
from sparkdesk.fit.header_size import mtp_size, size_from_header
from sparkdesk.fit.model_size import ModelSize
from sparkdesk.fit.need import Layout, Need, Part, need_of
from sparkdesk.fit.plan import Plan, best_quantization, largest_context, largest_loadable_context, plan_load
from sparkdesk.fit.room import FreeMemory, Room, Wanted, fits_in

__all__ = [
    "FreeMemory",
    "Layout",
    "ModelSize",
    "Need",
    "Part",
    "Plan",
    "Room",
    "Wanted",
    "best_quantization",
    "fits_in",
    "is_draft_config",
    "largest_context",
    "largest_loadable_context",
    "mtp_size",
    "need_of",
    "plan_load",
    "size_from_config",
    "size_from_header",
    "weights_in_config",
]
