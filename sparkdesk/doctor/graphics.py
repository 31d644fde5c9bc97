"""Does llama.cpp use the graphics card that is in the machine? The commonest silent failure is that it does not."""

from sparkdesk.doctor.check import OK, WARN, Check
from sparkdesk.doctor.facts import Facts
from sparkdesk.doctor.install import graphics_install

_DRIVERS = {
    "NVIDIA": "Check that the driver works: nvidia-smi. In a container, start it with --gpus all.",
    "AMD": "Check that the driver works: rocminfo. Your user must be in the groups render and video.",
    "Apple": "Check that the terminal is not an emulated one: `uname -m` must say arm64.",
}


def graphics(facts: Facts) -> Check:
    if not facts.cards:
        return Check("graphics", OK, "no graphics card found; models run on the processor")
    cards = ", ".join(card.name for card in facts.cards)
    vendor = facts.cards[0].vendor
    if not facts.llama.supports_gpu:
        fix = graphics_install(vendor, facts.processor.architecture, facts.toolkits, facts.llama.tested_version)
        return Check("graphics", WARN, f"{cards} is here, but llama.cpp was built for the processor only", fix)
    used = [device for device in facts.llama.devices if "gpu" in device.kind]
    if not used:
        text = f"llama.cpp was built for GPUs, but finds none; the machine has {cards}"
        return Check("graphics", WARN, text, _DRIVERS[vendor])
    if len(used) < len(facts.cards):
        text = f"llama.cpp uses {len(used)} of {len(facts.cards)} cards: {cards}"
        return Check("graphics", WARN, text, "Check CUDA_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES.")
    shared = ", which shares the system's memory" if any(device.kind == "integrated gpu" for device in used) else ""
    return Check("graphics", OK, f"llama.cpp uses {cards}{shared}")
