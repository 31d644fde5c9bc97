"""Large bodies have their turn: all together never take more than they may."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.server.web.body import MOST_BODY_BYTES, BodyMemory, Room, most_body_bytes


def test_a_body_may_be_as_large_as_the_context_could_hold() -> None:
    assert most_body_bytes(2048) == 1_000_000
    assert most_body_bytes(100_000) == 6_400_000
    assert most_body_bytes(10_000_000) == MOST_BODY_BYTES


@given(st.lists(st.tuples(st.integers(1, 10), st.sampled_from(["keep", "give back", "leave"])), max_size=30))
async def test_no_more_is_given_than_there_is(steps: list[tuple[int, str]]) -> None:
    """And whoever leaves the line, or leaves twice, changes nothing for the others."""
    memory, held = BodyMemory(10), 0

    async def one(size: int, what: str) -> None:
        nonlocal held
        room = await memory.take(size)
        held += size
        assert held <= 10
        try:
            await asyncio.sleep(0)
        finally:
            held -= size
            room.give_back()
        if what == "give back":
            room.give_back()

    tasks = [asyncio.create_task(one(size, what)) for size, what in steps]
    await asyncio.sleep(0)
    for task, (_, what) in zip(tasks, steps, strict=True):
        if what == "leave":
            task.cancel()
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(memory.take(10), 1)  # everything has been given back


async def test_they_have_their_turn_in_order() -> None:
    memory, order = BodyMemory(10), []
    first = await memory.take(6)

    async def one(name: str, size: int) -> Room:
        room = await memory.take(size)
        order.append(name)
        return room

    tasks = [asyncio.create_task(one("large", 8)), asyncio.create_task(one("small", 1))]
    await asyncio.sleep(0)
    assert order == []
    first.give_back()
    await asyncio.gather(*tasks)
    assert order == ["large", "small"]
