"""When a delivery is tried again, and when it is given up."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.db.ids import time_ordered_id
from cdp.feed import Position, Recorded
from cdp.webhooks.payload import LARGEST_BODY_BYTES, body_of
from cdp.webhooks.policy import Outcome, Policy, settle

NOW = datetime(2026, 3, 1, tzinfo=UTC)
POLICY = Policy()
FAILED = Outcome(kind="refused", status=500, problem="Answered 500.")


def wait(outcome: Outcome, *, tries: int, luck: float = 0.5) -> float | str:
    settled = settle(POLICY, outcome, tries=tries, is_test=False, now=NOW, luck=luck)
    return (settled.next_attempt_at - NOW).total_seconds() if settled.state == "pending" else settled.state


def test_waits_grow_over_three_days_and_then_it_is_dead() -> None:
    waits = [wait(FAILED, tries=tries) for tries in range(1, 11)]
    assert waits == [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400, "dead"]


@given(tries=st.integers(1, 9), luck=st.floats(0, 1))
def test_a_wait_varies_by_a_fifth(tries: int, luck: float) -> None:
    seconds = wait(FAILED, tries=tries, luck=luck)
    assert isinstance(seconds, float)
    assert 0.8 <= seconds / POLICY.retry_seconds[tries - 1] <= 1.2


@pytest.mark.parametrize(
    ("status", "asked", "waited"), [(429, 3_600, 3_600), (503, 1, 5), (503, 10**9, 86_400), (500, 3_600, 5)]
)
def test_who_asks_for_time_gets_it_up_to_a_day(status: int, asked: float, waited: float) -> None:
    assert wait(Outcome(kind="refused", status=status, wait_seconds=asked), tries=1) == waited


def test_gone_and_tests_are_not_tried_again() -> None:
    assert wait(Outcome(kind="refused", status=410), tries=1) == "dead"
    assert settle(POLICY, FAILED, tries=1, is_test=True, now=NOW, luck=0.5).state == "dead"
    assert wait(Outcome(kind="delivered", status=204), tries=1) == "delivered"


def test_a_claim_outlives_the_longest_attempt() -> None:
    assert POLICY.lease_seconds > 2 * POLICY.timeout_seconds


def test_details_that_are_too_long_are_left_out() -> None:
    def body(details: str) -> str:
        customer = time_ordered_id()
        return body_of(Recorded(Position(1, 1), NOW, "order.placed", customer, customer, details))

    assert '"details":{"a":1}}' in body('{"a":1}')
    long = body('{"a":"' + "é" * LARGEST_BODY_BYTES + '"}')
    assert '"details":null}' in long
    assert len(long) < 400
