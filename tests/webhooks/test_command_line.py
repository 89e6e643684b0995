"""`cdp webhook` for people and programs, beside a real `cdp work`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cdp.cli.webhooks import webhook
from tests.webhooks.conftest import World
from tests.webhooks.receiver import Receiver

CDP = Path(sys.executable).with_name("cdp")


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    given = {
        "CDP_DATABASE_URL": world.database_url,
        "CDP_SECRET_KEY": "s" * 48,
        "CDP_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "COLUMNS": "300",
    }
    for name in [name for name in os.environ if name.startswith("CDP_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@contextmanager
def at_work(environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen([CDP, "work"], env=environment, stderr=subprocess.DEVNULL) as worker:
        try:
            yield
        finally:
            worker.terminate()
            assert worker.wait(30) == 0


def test_an_endpoint_s_life_from_the_terminal(world: World, receiver: Receiver, environment: dict[str, str]) -> None:
    def cdp(*arguments: str, status: int = 0) -> str:
        """What it prints; of a failure the message that `cdp.cli.main` prints after `cdp: `."""
        done = CliRunner().invoke(webhook, list(arguments))
        assert done.exit_code == status, done.exception
        return done.stdout if status == 0 else str(done.exception)

    made = json.loads(cdp("create", receiver.url, "--kind", "order.*", "--json"))
    endpoint = made["id"]
    assert "Nobody sent it within 0 s; does a worker run (cdp work)?" in cdp("test", endpoint, "--wait", "0", status=1)
    with at_work(environment):
        told = json.loads(cdp("test", endpoint, "--json"))
        assert (told["state"], told["status"]) == ("delivered", 204)
        receiver.received[0].verified(made["secret"])
        world.tell("order.placed")
        world.until(lambda: len(receiver.received) == 3)
        world.settled(delivered=3)
        assert "replayed: whd_" in cdp("replay", receiver.ids[-1])
        receiver.wait(4)
    assert receiver.ids[-1] == receiver.ids[-2]
    [shown] = json.loads(cdp("list", "--json"))
    assert (shown["id"], shown["url"], shown["kinds"], shown["state"]) == (
        endpoint,
        receiver.url,
        ["order.*"],
        "enabled",
    )
    shown = {one["id"]: (one["kind"], one["state"]) for one in json.loads(cdp("deliveries", endpoint, "--json"))}
    assert shown == {
        receiver.ids[0]: ("webhook.test", "delivered"),
        receiver.ids[1]: ("webhook.test", "delivered"),
        receiver.ids[2]: ("order.placed", "delivered"),
    }
    assert "order.placed" in cdp("deliveries", endpoint)
    assert json.loads(cdp("deliveries", endpoint, "--state", "dead", "--json")) == []
    assert json.loads(cdp("rotate-secret", endpoint, "--json"))["secret"] != made["secret"]
    cdp("update", endpoint, "--disable", "--all-kinds")
    assert "disabled" in cdp("list")
    assert cdp("replay", endpoint, "--since", "2026-01-01", status=1).startswith("The endpoint is disabled")
    cdp("delete", endpoint)
    assert cdp("delete", endpoint, status=1) == "There is no such endpoint."
    assert json.loads(cdp("list", "--json")) == []
    assert cdp("create", "http://10.0.0.8/", status=1).startswith("The URL must not lead into a private network")
    assert cdp("test", "nonsense", status=1).startswith("nonsense is no id such as whe_")
