"""How far a conversion has come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConversionProgress:
    stage: str
    """`convert` or `quantize`."""

    done: int
    total: int
    unit: str
    """What `done` and `total` count: `bytes` or `tensors`."""

    detail: str
    """The tensor being worked on."""

    notice: str = ""
    """With the first step: what of the checkpoint does not come along, in words for the user."""
