"""What an operator sees of webhooks: figures, the doctor, and a worker that is a whole one."""

import asyncio
import threading
from datetime import UTC, datetime

import psycopg
from prometheus_client.parser import text_string_to_metric_families

from cdp.doctor import examine_database
from cdp.health import Health
from cdp.webhooks.endpoints import Made
from cdp.worker import run_all
from tests.webhooks.conftest import World
from tests.webhooks.receiver import Receiver, Reply


def figures(world: World) -> dict[str, float]:
    health = Health(lambda: world.database_url)
    text = asyncio.run(health._database_figures()).decode()
    found = {one.name: one.samples[0].value for one in text_string_to_metric_families(text)}
    return {name: value for name, value in found.items() if "webhook" in name}


def examined(world: World) -> tuple[str, str]:
    with psycopg.connect(world.database_url, autocommit=True) as connection:
        [found] = [one for one in examine_database(connection, is_production=False) if one.check == "webhooks"]
    return found.state, found.told


def test_nothing_to_tell_is_told(world: World) -> None:
    assert figures(world) == {"cdp_webhook_behind_seconds": 0, "cdp_webhook_endpoints_failing": 0}
    assert examined(world) == ("ok", "every endpoint takes what it gets")


def test_what_waits_though_no_worker_runs_is_measured(world: World, receiver: Receiver) -> None:
    world.tell("order.placed")
    world.endpoint(receiver.url)
    assert figures(world)["cdp_webhook_behind_seconds"] == 0  # that was before
    world.tell("order.placed")
    world.rows("UPDATE change SET changed_at = now() - interval '90 s' RETURNING 1")
    assert 90 <= figures(world)["cdp_webhook_behind_seconds"] < 120


def test_endpoints_that_fail_are_counted_and_named(world: World, receiver: Receiver) -> None:
    receiver.behave = lambda _: Reply(status=500)
    world.endpoint(receiver.url)
    world.tell("order.placed")
    with world.delivering():
        world.settled(dead=1)
    assert figures(world)["cdp_webhook_endpoints_failing"] == 1
    assert examined(world) == ("warn", "1 failing, 0 disabled because they did, 1 with dead letters")
    receiver.behave = lambda _: Reply(status=410)
    world.tell("order.placed")
    with world.delivering():
        world.settled(dead=2)
    assert figures(world)["cdp_webhook_endpoints_failing"] == 1
    assert examined(world) == ("warn", "0 failing, 1 disabled because they did, 1 with dead letters")


def test_a_worker_delivers_beside_stitching(world: World, receiver: Receiver) -> None:
    made = world.endpoint(receiver.url)
    assert isinstance(made, Made)
    stop = threading.Event()
    worker = threading.Thread(target=run_all, args=(world.settings, stop), daemon=True)
    worker.start()
    world.manage(lambda desk: desk.test(made.endpoint_id, now=datetime.now(UTC)))
    receiver.wait(1)
    stop.set()
    worker.join(20)
    assert not worker.is_alive()
