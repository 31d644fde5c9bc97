"""Free memory, on the card and beside it, as the fit wants it."""

from collections.abc import Sequence

from sparkdesk.doctor.facts import DeviceFact, probe_llama
from sparkdesk.fit import FreeMemory
from sparkdesk.machine import hardware
from sparkdesk.machine.hardware import GraphicsCard, Memory

_SAME_SHARE = 0.05


def free_memory(main_gpu: int = -1) -> FreeMemory:
    """llama.cpp is asked about its devices, in a process of its own, only where there is a card at all.

    `main_gpu`: the one card, of several, that is used; -1 for all of them.
    """
    cards = hardware.find_graphics_cards()
    devices = probe_llama().devices if cards else ()
    return room_of(hardware.read_memory(), devices, cards, main_gpu=main_gpu)


def room_of(
    memory: Memory, devices: Sequence[DeviceFact], cards: Sequence[GraphicsCard], *, main_gpu: int = -1
) -> FreeMemory:
    used = [device for device in devices if "gpu" in device.kind]
    if 0 <= main_gpu < len(used):
        used = [used[main_gpu]]
    if not used:
        return FreeMemory(memory.available_bytes)
    if any(_shares(device, memory, cards) for device in used):
        # What the driver calls free leaves out what the system would give back, and may be nothing at all.
        free = memory.available_bytes or max(device.free_bytes for device in used)
        return FreeMemory(free, free, is_shared=True)
    return FreeMemory(memory.available_bytes, sum(device.free_bytes for device in used))


def _shares(device: DeviceFact, memory: Memory, cards: Sequence[GraphicsCard]) -> bool:
    """A DGX Spark's card is told apart by its size where ggml does not call it integrated."""
    if device.kind == "integrated gpu" or any(card.vendor == "Apple" for card in cards):
        return True
    return bool(memory.total_bytes) and abs(device.total_bytes / memory.total_bytes - 1) < _SAME_SHARE
