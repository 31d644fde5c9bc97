"""What fits into memory: pure arithmetic over sizes from GGUF headers, or from the hub before a download."""

from sparkdesk.fit.config_size import is_draft_config, size_from_config, weights_in_config
from sparkdesk.fit.model_size import ModelSize, mtp_size, size_from_header
from sparkdesk.fit.need import Need, Part, need_of
from sparkdesk.fit.plan import FreeMemory, Plan, best_quantization, largest_context, largest_loadable_context, plan_load

__all__ = [
    "FreeMemory",
    "ModelSize",
    "Need",
    "Part",
    "Plan",
    "best_quantization",
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
