"""Renders made-up templates that mean harm: `python -m tests.chat_format.fuzz_templates [--seconds N] [--seed N]`.

A finding is a template that hangs, raises anything but ChatTemplateError, or makes a process large. KEPT_SEEDS are run
by test_template_bounds.py.
"""

import argparse
import sys
import time

from sparkdesk.chat_format.chat_template import ChatTemplate, ChatTemplateError
from tests.chat_format.hostile_templates import made_up

KEPT_SEEDS = (1, 7, 23, 42, 99, 512, 1013, 4711)
MOST_SECONDS, MOST_BYTES = 20.0, 1_500_000_000
MESSAGES = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]


def render(source: str) -> str:
    """What came of it in one word: "text", or the error's sentence."""
    try:
        ChatTemplate(source, model="Hostile", bos_piece="<s>").render(MESSAGES)
    except ChatTemplateError as error:
        assert "Hostile" in error.message and "\n" not in error.message and len(error.message) < 1000
        return error.message
    return "text"


def largest_child_bytes() -> int:
    """Of all processes that were started and have ended, and of this one."""
    import resource

    kinds = (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
    return 1024 * max(resource.getrusage(kind).ru_maxrss for kind in kinds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    options = parser.parse_args()
    begun, seed, slowest, outcomes = time.monotonic(), options.seed, 0.0, dict[str, int]()
    while time.monotonic() - begun < options.seconds:
        started = time.monotonic()
        outcome = render(made_up(seed))
        took_s = time.monotonic() - started
        slowest = max(slowest, took_s)
        outcomes[outcome[:70]] = outcomes.get(outcome[:70], 0) + 1
        if took_s > MOST_SECONDS or largest_child_bytes() > MOST_BYTES:
            print(f"seed {seed}: {took_s:.1f} s, {largest_child_bytes() / 1e9:.2f} GB\n{made_up(seed)}")
            return 1
        seed += 1
    for outcome, count in sorted(outcomes.items(), key=lambda pair: -pair[1])[:12]:
        print(f"{count:6}  {outcome}")
    largest_mb = largest_child_bytes() / 1e6
    print(f"{seed - options.seed} templates, slowest {slowest:.1f} s, largest process {largest_mb:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
