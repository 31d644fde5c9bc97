"""Random requests for a number of minutes: `python -m tests.server.fuzz_requests --minutes 5`.

Every round has a seed of its own. Seeds that found something are kept in fuzz_seeds.txt and tried first ever after.
"""

import argparse
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from sparkdesk.engine.settings import GenerationSettings
from tests.engine.json_schema.test_compiler import SCHEMAS
from tests.server.requests.test_bad_requests import FIELDS, ITEMS, JSON, MESSAGES, NEAR, PATHS
from tests.server.served import Served, served, server_engine

SEEDS = Path(__file__).with_name("fuzz_seeds.txt")
EXAMPLES = 150
SLOWEST_S = 2.0
"""A small request beside any other."""
_TYPES = ("invalid_request_error", "not_found_error", "request_too_large")
_SMALL = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
_GBNF = st.text("ab|*+?(){}[]\"'\\:=root x123,\n", max_size=60).map(lambda text: f"root ::= {text}")
_TEXTS = st.builds(lambda part, times: part * times, st.text(max_size=8), st.sampled_from([1, 10, 1000, 60_000]))
_FORMS = st.one_of(
    st.builds(lambda schema: {"response_format": {"type": "json_object", "schema": schema}}, SCHEMAS),
    st.builds(
        lambda schema: {"response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": schema}}},
        SCHEMAS | JSON,
    ),
    st.builds(lambda grammar: {"grammar": grammar}, _GBNF),
    st.just({}),
)
_BODIES = st.builds(
    lambda messages, items, text, fields, form: {
        "messages": messages or [{"role": "user", "content": text}],
        "prompt": text or "Hi",
        "input": items or text or "Hi",
        "max_tokens": 9,
        **fields,
        **form,
    },
    MESSAGES,
    ITEMS,
    _TEXTS,
    st.dictionaries(st.sampled_from(FIELDS), NEAR | JSON, max_size=4),
    _FORMS,
)


class Fault(AssertionError):
    """What should not have been answered."""


class Fuzz:
    def __init__(self, server: Served, client: httpx.Client) -> None:
        self._server, self._client = server, client
        self.statuses: Counter[int] = Counter()
        self.slowest_s = 0.0

    def round(self, number: int) -> None:
        """Raises Fault, or what the client raises where nothing is answered."""

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(PATHS, _BODIES)
        def requests(path: str, body: dict[str, Any]) -> None:
            self._check(self._client.post(path, content=json.dumps(body)))

        @seed(number)
        @settings(max_examples=EXAMPLES // 5, deadline=None, database=None, phases=[Phase.generate])
        @given(PATHS, st.binary(max_size=300))
        def bytes_of_any_kind(path: str, body: bytes) -> None:
            self._check(self._client.post(path, content=body))

        requests()
        bytes_of_any_kind()
        self._check_health()

    def _check(self, response: httpx.Response) -> None:
        self.statuses[response.status_code] += 1
        self.slowest_s = max(self.slowest_s, response.elapsed.total_seconds())
        if response.status_code not in (200, 400, 404, 413):
            raise Fault(f"{response.status_code}: {response.text[:300]}")
        if response.status_code != 200:
            error = response.json()["error"]
            if error["type"] not in _TYPES or not error["message"].endswith((".", "!")):
                raise Fault(str(error))

    def _check_health(self) -> None:
        began = time.monotonic()
        response = self._client.post("/v1/chat/completions", json=_SMALL)
        took_s = time.monotonic() - began
        if response.status_code != 200 or took_s > SLOWEST_S:
            raise Fault(f"a small request afterwards: {response.status_code} after {took_s:.1f} s")
        strange = [line for line in self._server.log if "should not have happened" in line]
        if strange:
            raise Fault(strange[0])
        self._server.log.clear()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round; the next ones count on")
    options = parser.parse_args()
    kept = [int(line) for line in SEEDS.read_text().split()] if SEEDS.exists() else []
    found = []
    with (
        served(server_engine(_say, round_tokens=10)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        fuzz = Fuzz(server, client)
        deadline, rounds = time.monotonic() + 60 * options.minutes, 0
        while time.monotonic() < deadline:
            number = kept[rounds] if rounds < len(kept) else options.seed + rounds
            rounds += 1
            try:
                fuzz.round(number)
            except (Fault, httpx.HTTPError) as error:
                found.append(number)
                print(f"seed {number}: {type(error).__name__}: {error}", file=sys.stderr)
    new = [number for number in found if number not in kept]
    if new:
        SEEDS.write_text("".join(f"{number}\n" for number in (*kept, *new)))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    counts = ", ".join(f"{count} x {status}" for status, count in sorted(fuzz.statuses.items()))
    print(f"{rounds} rounds, {counts}; slowest {fuzz.slowest_s:.2f} s, {peak_mb} MB at most; {len(found)} faults")
    return bool(found)


def _say(prompt: str, settings: GenerationSettings) -> str:
    return "Hello."


if __name__ == "__main__":
    raise SystemExit(main())
