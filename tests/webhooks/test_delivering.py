"""Webhooks as a receiver sees them: signed, each at least once, tried again while they fail, and never lost."""

import random
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.feed import Change, append
from cdp.webhooks.endpoints import Made
from tests.webhooks.conftest import QUICK, World
from tests.webhooks.receiver import Received, Receiver, Reply, receiving


def always(status: int, **given: object) -> Reply:
    return Reply(status=status, **given)  # type: ignore[arg-type] # a test's shorthand


def test_a_change_arrives_signed_and_says_what_the_feed_says(world: World, receiver: Receiver) -> None:
    made = world.endpoint(receiver.url)
    (order,) = world.tell("order.status_changed", data={"from": "placed", "to": "shipped"})
    with world.delivering():
        (got,) = receiver.wait(1)
        world.settled(delivered=1)
    told = got.verified(made.secret)
    ((sequence, at),) = world.rows("SELECT seq, changed_at FROM change")
    cursor = told["data"].pop("cursor")
    assert len(cursor) == 27
    assert told == {
        "type": "order.status_changed",
        "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "id": format_id("ord", order),
            "customerId": "cus_00000000000000000000000000000007",
            "sequence": sequence,
            "details": {"from": "placed", "to": "shipped"},
        },
    }
    assert got.id.startswith("whd_")
    assert got.headers["content-type"] == "application/json"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 30
    with pytest.raises(WebhookVerificationError):
        got.verified(world.endpoint(receiver.url).secret)
    changed = Received(path=got.path, headers=got.headers, body=got.body.replace(b"shipped", b"returned"))
    with pytest.raises(WebhookVerificationError):
        changed.verified(made.secret)


def test_an_endpoint_gets_the_kinds_it_wants_from_its_making_on(world: World, receiver: Receiver) -> None:
    world.tell("order.placed")
    world.endpoint(f"{receiver.url}/some", "order.placed", "customer.*")
    world.endpoint(f"{receiver.url}/all")
    world.tell("order.placed", "order.changed", "customer.merged", "identifier.linked", "account.changed")
    with world.delivering():
        world.settled(delivered=7)
    kinds = {
        path: sorted(one.told["type"] for one in receiver.received if one.path == path)
        for path in {one.path for one in receiver.received}
    }
    assert kinds == {
        "/hooks/some": ["customer.merged", "order.placed"],
        "/hooks/all": ["account.changed", "customer.merged", "identifier.linked", "order.changed", "order.placed"],
    }


def test_a_failing_receiver_is_tried_again_with_the_same_message_until_it_takes_it(
    world: World, receiver: Receiver
) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: always(500, body=b"out of order") if len(receiver.received) < 3 else Reply()
    world.tell("order.placed")
    with world.delivering():
        world.settled(delivered=1)
    first, *others = receiver.received
    assert len(others) == 2
    assert {(one.id, one.body) for one in others} == {(first.id, first.body)}
    attempts = world.rows("SELECT attempt, outcome, status, excerpt, problem FROM webhook_attempt ORDER BY attempt")
    assert attempts == [
        (1, "refused", 500, "out of order", "Answered 500."),
        (2, "refused", 500, "out of order", "Answered 500."),
        (3, "delivered", 204, "", None),
    ]


def test_what_is_never_taken_is_a_dead_letter_that_holds_up_nobody(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    world.tell("order.placed", "order.changed")
    receiver.behave = lambda got: always(422) if got.told["type"] == "order.placed" else Reply()
    with world.delivering():
        world.settled(delivered=1, dead=1)
    assert len(receiver.received) == 1 + QUICK.most_tries
    assert world.rows("SELECT last_status, last_problem, attempts FROM webhook_delivery WHERE state = 'dead'") == [
        (422, "Answered 422.", QUICK.most_tries)
    ]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(world: World, receiver: Receiver, status: int) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: always(status, headers={"location": f"http://127.0.0.1:{receiver.port}/elsewhere"})
    world.tell("order.placed")
    with world.delivering(replace(QUICK, retry_seconds=())):
        world.settled(dead=1)
    assert [one.path for one in receiver.received] == ["/hooks"]
    assert world.rows("SELECT outcome, status FROM webhook_attempt") == [("redirected", status)]


def test_gone_disables_the_endpoint_and_what_waits_for_it_dies(world: World, receiver: Receiver) -> None:
    made = world.endpoint(receiver.url)
    receiver.behave = lambda _: always(410)
    world.tell(*["order.placed"] * 30)
    with world.delivering(replace(QUICK, most_each=1)):
        world.settled(dead=30)
        world.tell("order.placed")
        world.manage(lambda desk: desk.test(made.endpoint_id, now=datetime.now(UTC)))
        receiver.wait(2)
    assert len(receiver.received) == 2
    assert world.rows("SELECT state, disabled_reason FROM webhook_endpoint") == [("disabled", "gone")]
    assert world.states() == {"dead": 31}  # the test; the change that came afterwards was for nobody


def test_a_slow_receiver_is_not_waited_for_and_holds_up_no_other(world: World, receiver: Receiver) -> None:
    world.endpoint(f"{receiver.url}/slow")
    world.endpoint(f"{receiver.url}/quick")
    receiver.behave = lambda got: Reply(seconds=3) if got.path.endswith("/slow") else Reply()
    world.tell(*["order.placed"] * 20)
    began = time.monotonic()
    with world.delivering(replace(QUICK, retry_seconds=(60,))):
        world.until(lambda: world.states().get("delivered") == 20)
        assert time.monotonic() - began < 3
        world.until(lambda: world.rows("SELECT count(*) FROM webhook_attempt WHERE outcome = 'timed_out'") != [(0,)])
    assert world.rows("SELECT DISTINCT problem FROM webhook_attempt WHERE outcome = 'timed_out'") == [
        ("No answer within 1 s.",)
    ]


def test_a_receiver_that_is_down_gets_all_of_it_once_it_is_up(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    world.endpoint(f"http://127.0.0.1:{port}/hooks")
    world.tell(*["order.placed"] * 10)
    policy = replace(
        QUICK, retry_seconds=(0.2,) * 100, rest_after_failures=5, rest_seconds=0.1, longest_rest_seconds=0.3
    )
    with world.delivering(policy):
        world.until(lambda: world.rows("SELECT failures FROM webhook_endpoint") > [(6,)])
        ((failing_since, resting_until),) = world.rows("SELECT failing_since, resting_until FROM webhook_endpoint")
        assert failing_since < resting_until
        with receiving(port=port) as receiver:
            world.settled(delivered=10)
            assert len(set(receiver.ids)) == 10
    assert world.rows("SELECT failures, failing_since, resting_until FROM webhook_endpoint") == [(0, None, None)]
    assert world.rows("SELECT DISTINCT problem FROM webhook_attempt WHERE outcome = 'unreachable'") == [
        ("Nobody answers at its address, or its name is not known.",)
    ]


def test_while_it_keeps_failing_a_receiver_is_asked_one_at_a_time_and_ever_more_rarely(
    world: World, receiver: Receiver
) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: always(503)
    world.tell(*["order.placed"] * 50)
    policy = replace(
        QUICK, retry_seconds=(0.01,) * 1000, rest_after_failures=8, rest_seconds=0.2, longest_rest_seconds=60
    )
    with world.delivering(policy):
        receiver.wait(8)
        time.sleep(1.5)
    # What was under way when the eighth failed, then after 0.2, 0.4, 0.8 s one by one; without rest it would have been hundreds.
    assert 9 <= len(receiver.received) <= 22


def test_one_that_fails_for_long_is_disabled(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: always(500)
    world.tell(*["order.placed"] * 3)
    with world.delivering(replace(QUICK, retry_seconds=(0.1,) * 1000, disable_after_seconds=0.5)):
        world.settled(dead=3)
    assert world.rows("SELECT state, disabled_reason, disabled_at - failing_since > '0.5 s' FROM webhook_endpoint") == [
        ("disabled", "failing", True)
    ]


def test_a_receiver_that_flaps_gets_everything_and_stays_enabled(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    chance = random.Random(7)
    receiver.behave = lambda _: always(500) if chance.random() < 0.5 else Reply()
    world.tell(*["order.placed"] * 60)
    policy = replace(
        QUICK, retry_seconds=(0.02,) * 100, rest_after_failures=5, rest_seconds=0.02, longest_rest_seconds=0.1
    )
    with world.delivering(policy):
        world.settled(delivered=60)
    assert len(set(receiver.ids)) == 60
    assert world.rows("SELECT state FROM webhook_endpoint") == [("enabled",)]


def test_a_receiver_that_asks_for_time_gets_it(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: always(429, headers={"retry-after": "2"}) if len(receiver.received) == 1 else Reply()
    world.tell("order.placed")
    began = time.monotonic()
    with world.delivering():
        world.settled(delivered=1)
    assert 2 <= time.monotonic() - began < 8


def test_two_workers_share_the_work_and_double_nothing(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: Reply(seconds=0.01)
    with world.delivering(workers=2):
        for _ in range(4):
            world.tell(*["order.placed"] * 100)
        world.settled(delivered=400)
    assert len(receiver.received) == len(set(receiver.ids)) == 400
    assert receiver.most_at_once > QUICK.most_each  # both were at it


PROGRAM = """
import sys, threading
from pathlib import Path
from cdp.settings import Settings
from cdp.webhooks.delivering import run_deliveries
from tests.webhooks.conftest import QUICK
settings = Settings(database_url=sys.argv[1], data_dir=Path(sys.argv[2]), secret_key="s" * 48, webhook_networks="127.0.0.0/8")
run_deliveries(settings, threading.Event(), policy=QUICK)
"""


def test_a_worker_killed_while_it_delivers_loses_nothing(world: World, receiver: Receiver, tmp_path: Path) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: Reply(seconds=0.3)
    world.tell(*["order.placed"] * 40)
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, world.database_url, str(tmp_path)], cwd=root) as killed:
        receiver.wait(12)
        killed.kill()
    assert 0 < world.states()["pending"] <= 40
    assert world.rows("SELECT count(*) FROM webhook_delivery WHERE claimed_at IS NOT NULL") != [(0,)]
    with world.delivering():
        world.settled(delivered=40)
    assert len(set(receiver.ids)) == 40
    interrupted = world.rows("SELECT count(*) FROM webhook_attempt WHERE outcome = 'interrupted'")
    assert (len(receiver.ids) - 40,) >= (1,)
    assert interrupted > [(0,)]


def test_a_worker_told_to_stop_finishes_what_it_sends(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    receiver.behave = lambda _: Reply(seconds=0.5)
    world.tell(*["order.placed"] * 20)
    with world.delivering():
        receiver.wait(1)
    assert world.rows("SELECT count(*) FROM webhook_delivery WHERE claimed_at IS NOT NULL") == [(0,)]
    assert world.states()["delivered"] == len(receiver.received)


def test_what_is_rolled_back_is_not_sent_and_a_slow_writer_is_waited_for(world: World, receiver: Receiver) -> None:
    made = world.endpoint(receiver.url)
    assert isinstance(made, Made)
    with world.delivering(), connect(world.database_url) as slow:
        append(slow, [Change("order.placed", made.endpoint_id, made.endpoint_id, {"name": "began first"})])
        world.tell("order.changed")
        time.sleep(0.5)
        assert receiver.received == []
        slow.commit()
        receiver.wait(2)
        append(slow, [Change("order.placed", made.endpoint_id, made.endpoint_id, {"name": "undone"})])
        slow.rollback()
        world.tell("order.changed")
        receiver.wait(3)
    assert sorted(one.told["type"] for one in receiver.received) == ["order.changed", "order.changed", "order.placed"]


def test_old_deliveries_are_forgotten_with_their_attempts(world: World, receiver: Receiver) -> None:
    world.endpoint(receiver.url)
    world.tell("order.placed", "order.changed")
    with world.delivering():
        world.settled(delivered=2)
        old = datetime.now(UTC) - timedelta(days=31)
        with_old = "UPDATE webhook_delivery SET ended_at = %s WHERE kind = 'order.placed' RETURNING 1"
        assert world.rows(with_old, old) == [(1,)]
        world.settled(delivered=1)
    assert world.rows("SELECT count(*) FROM webhook_attempt") == [(1,)]
