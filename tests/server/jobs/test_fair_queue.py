"""Clients have their turn one after the other, each with its requests in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkdesk.server.jobs.fair_queue import Client, FairQueue, QueueFull


def filled(*arrivals: str) -> FairQueue[str]:
    """Each arrival is a client's letter and what it asks."""
    queue: FairQueue[str] = FairQueue(100)
    for arrival in arrivals:
        queue.put(Client(arrival[0]), arrival)
    return queue


def emptied(queue: FairQueue[str]) -> list[str]:
    return list(iter(queue.take, None))


def test_who_asks_for_much_does_not_keep_the_others_waiting_for_all_of_it() -> None:
    assert emptied(filled("a1", "a2", "a3", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_newcomer_waits_behind_one_request_of_each() -> None:
    queue = filled("a1", "a2", "a3", "b1", "b2")
    assert queue.take() == "a1"
    queue.put(Client("c"), "c1")
    assert emptied(queue) == ["b1", "c1", "a2", "b2", "a3"]


@pytest.mark.parametrize("big", [Client("a"), *(Client("host", f"{port}") for port in range(2))])
def test_a_small_request_passes_thirty_large_ones(big: Client) -> None:
    queue: FairQueue[str] = FairQueue(100)
    for number in range(30):
        queue.put(big if big.line != "1" else Client("host", f"{number}"), f"large {number}", 100.0)
    assert queue.take() == "large 0"
    queue.put(Client("host", "new") if big.group == "host" else Client("b"), "small", 1.0)
    assert queue.take() == "small"


def test_a_large_request_is_not_passed_for_ever() -> None:
    queue: FairQueue[str] = FairQueue(100)
    queue.put(Client("host", "large"), "large", 10.0)
    taken = []
    for number in range(30):
        queue.put(Client("host", f"{number}"), "small", 1.0)
        taken.append(queue.take())
    assert taken.index("large") <= 25


def test_what_took_longer_than_expected_is_paid_for() -> None:
    queue = filled("a1", "a2", "a3", "b1", "b2", "b3")
    assert queue.take() == "a1"
    queue.charge(Client("a"), 5.0)
    assert [queue.take() for _ in range(4)] == ["b1", "b2", "b3", "a2"]


def test_there_is_an_end_to_waiting_and_room_again_afterwards() -> None:
    queue: FairQueue[str] = FairQueue(2)
    queue.put(Client("a"), "a1")
    queue.put(Client("b"), "b1")
    with pytest.raises(QueueFull):
        queue.put(Client("c"), "c1")
    assert queue.take() == "a1"
    queue.put(Client("c"), "c1")
    assert queue.clear() == ["b1", "c1"] and len(queue) == 0 and queue.take() is None


def test_whoever_leaves_is_forgotten() -> None:
    queue = filled("a1", "a2", "b1")
    assert queue.remove(Client("a"), "a2") and queue.remove(Client("b"), "b1") and not queue.remove(Client("b"), "b1")
    assert len(queue) == 1 and emptied(queue) == ["a1"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "take", "remove"]))))
def test_nothing_is_lost_and_nothing_comes_twice(steps: list[tuple[str, str]]) -> None:
    queue: FairQueue[int] = FairQueue(1000)
    waiting: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for number, (client, step) in enumerate(steps):
        if step == "put":
            queue.put(Client(client), number)
            waiting[client].append(number)
        elif step == "remove" and waiting[client]:
            assert queue.remove(Client(client), waiting[client].pop())
        elif step == "take":
            taken = queue.take()
            owner = next((name for name, items in waiting.items() if taken in items), None)
            assert (taken is None) == (not any(waiting.values()))
            if owner is not None:
                assert waiting[owner].pop(0) == taken, "a client's requests keep their order"
        assert len(queue) == sum(map(len, waiting.values()))
