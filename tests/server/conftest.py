"""A served script, and a client of each kind."""

from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI

from tests.scripted_engine import ScriptedEngine
from tests.server.served import Served, served, server_engine


@pytest.fixture
def engine() -> ScriptedEngine:
    return server_engine("Hello, world.")


@pytest.fixture
def server(engine: ScriptedEngine) -> Iterator[Served]:
    with served(engine) as server:
        yield server


@pytest.fixture
def http(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


@pytest.fixture
def openai(server: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=30, max_retries=0) as client:
        yield client
