"""Clients have their turn one after the other, each with its requests in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.server.jobs.fair_queue import FairQueue, QueueFull


def filled(*arrivals: str) -> FairQueue[str]:
    """Each arrival is a client's letter and what it asks."""
    queue: FairQueue[str] = FairQueue(100)
    for arrival in arrivals:
        queue.put(arrival[0], arrival)
    return queue


def emptied(queue: FairQueue[str]) -> list[str]:
    return list(iter(queue.take, None))


def test_who_asks_for_much_does_not_keep_the_others_waiting_for_all_of_it() -> None:
    assert emptied(filled("a1", "a2", "a3", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_newcomer_waits_behind_one_request_of_each() -> None:
    queue = filled("a1", "a2", "a3", "b1", "b2")
    assert queue.take() == "a1"
    queue.put("c", "c1")
    assert emptied(queue) == ["b1", "a2", "c1", "b2", "a3"]


def test_there_is_an_end_to_waiting_and_room_again_afterwards() -> None:
    queue: FairQueue[str] = FairQueue(2)
    queue.put("a", "a1")
    queue.put("b", "b1")
    with pytest.raises(QueueFull):
        queue.put("c", "c1")
    assert queue.take() == "a1"
    queue.put("c", "c1")
    assert queue.clear() == ["b1", "c1"] and len(queue) == 0 and queue.take() is None


def test_whoever_leaves_is_forgotten() -> None:
    queue = filled("a1", "a2", "b1")
    assert queue.remove("a", "a2") and queue.remove("b", "b1") and not queue.remove("b", "b1")
    assert len(queue) == 1 and emptied(queue) == ["a1"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "take", "remove"]))))
def test_nothing_is_lost_and_nothing_comes_twice(steps: list[tuple[str, str]]) -> None:
    queue: FairQueue[int] = FairQueue(1000)
    waiting: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for number, (client, step) in enumerate(steps):
        if step == "put":
            queue.put(client, number)
            waiting[client].append(number)
        elif step == "remove" and waiting[client]:
            assert queue.remove(client, waiting[client].pop())
        elif step == "take":
            taken = queue.take()
            owner = next((name for name, items in waiting.items() if taken in items), None)
            assert (taken is None) == (not any(waiting.values()))
            if owner is not None:
                assert waiting[owner].pop(0) == taken, "a client's requests keep their order"
        assert len(queue) == sum(map(len, waiting.values()))
