"""Holding speculation back: growing intervals, and probes that cost no more than their share."""

from sparkdesk.engine.scheduling.parking import PROBE_SHARE, Parking

PLAIN_MS = 10.0


def plain_rounds(parking: Parking, count: int) -> None:
    for _ in range(count):
        parking.pass_round(1, PLAIN_MS, plain_ms=PLAIN_MS, is_probe=False)


def rounds_until_due(parking: Parking) -> int:
    count = 0
    while not parking.is_due:
        plain_rounds(parking, 1)
        count += 1
    return count


def test_intervals_grow_while_probes_disappoint_and_shrink_after_success() -> None:
    parking, found = Parking(), []
    for _ in range(16):
        parking.park()
        found.append(rounds_until_due(parking))
    assert found[0] <= 8 and found == sorted(found) and 64 < found[-1] <= 96
    parking.unpark()
    parking.settle()
    parking.park()
    assert rounds_until_due(parking) == found[0]


def test_a_short_return_does_not_bring_short_intervals_back() -> None:
    parking = Parking()
    for _ in range(6):
        parking.park()
    interval = rounds_until_due(parking)
    parking.unpark()
    parking.park()
    assert rounds_until_due(parking) >= interval


def test_hopeless_probes_lose_no_more_than_their_share_of_the_time() -> None:
    parking, lost_ms, whole_ms, loss_ms = Parking(), 0.0, 0.0, 15.0
    parking.park()
    while whole_ms < 60_000:
        is_probe = parking.is_due and parking.affords(loss_ms)
        elapsed_ms = PLAIN_MS + loss_ms * is_probe
        parking.pass_round(1, elapsed_ms, plain_ms=PLAIN_MS, is_probe=is_probe)
        whole_ms, lost_ms = whole_ms + elapsed_ms, lost_ms + loss_ms * is_probe
        if is_probe:
            parking.park()
    assert 0 < lost_ms <= PROBE_SHARE * whole_ms + 4 * PLAIN_MS


def test_another_text_may_be_looked_at_at_once() -> None:
    parking = Parking()
    for _ in range(9):
        parking.park()
    plain_rounds(parking, 1)
    assert not parking.is_due
    parking.begin_reply(prefill_ms=200.0)
    assert parking.is_due
