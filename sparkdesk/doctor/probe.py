"""Asks llama.cpp what it was built with and finds: `python -m sparkdesk.doctor.probe` prints one JSON object.

A process of its own, because loading a wrong build can end the process that does it.
"""

import json
from dataclasses import asdict


def main() -> None:
    from sparkdesk.engine import llama

    found = {
        "tested_version": llama.TESTED_VERSION,
        "supports_gpu": llama.supports_gpu(),
        "missing_symbols": llama.missing_symbols(),
        "devices": [asdict(device) for device in llama.devices()],
        "system_info": llama.system_info(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
