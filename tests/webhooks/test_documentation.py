"""`docs/webhooks.md` tells the truth: its receivers receive, its tables are the code's, its examples are as what is sent."""

import importlib
import inspect
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import orjson
import pytest

from cdp.feed.kinds import KINDS, prefix_of
from cdp.schema.mutations import managing_webhooks
from cdp.webhooks import endpoints, policy, sending
from cdp.webhooks.endpoints import MOST_ENDPOINTS, MOST_LIVE_SECRETS
from cdp.webhooks.payload import LARGEST_BODY_BYTES
from tests.tooling.provision import NODE, node_modules
from tests.webhooks.conftest import World

DOCUMENT = (Path(__file__).parents[2] / "docs/webhooks.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


@contextmanager
def documented_receiver(language: str, folder: Path, secret: str) -> Iterator[tuple[str, Path]]:
    """The document's own program on a port of its own, and the file that it prints to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    if language == "python":
        program, command = folder / "receiver.py", [sys.executable]
    else:
        program, command = folder / "receiver.mjs", [str(NODE)]
        (folder / "node_modules").symlink_to(node_modules())
    program.write_text(block(language), encoding="utf-8")
    environment = {**os.environ, "PORT": str(port), "WEBHOOK_SECRET": secret}
    told = folder / "told"
    with told.open("w") as output, subprocess.Popen([*command, program], env=environment, stdout=output) as process:
        try:
            url = f"http://127.0.0.1:{port}/"
            deadline = time.monotonic() + 20
            while True:
                try:
                    assert httpx2.post(url, content="{}", trust_env=False).status_code == 400  # unsigned
                    break
                except httpx2.ConnectError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield url, told
        finally:
            process.terminate()


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_a_documented_receiver_takes_what_is_ours_once_and_refuses_the_rest(
    world: World, tmp_path: Path, language: str
) -> None:
    with socket.socket() as nowhere:
        nowhere.bind(("127.0.0.1", 0))
        made = world.endpoint(f"http://127.0.0.1:{nowhere.getsockname()[1]}/")
    with documented_receiver(language, tmp_path, made.secret) as (url, told), world.delivering():
        world.manage(lambda desk: desk.update(made.endpoint_id, url=url))
        world.tell("order.placed", data={"name": "Gruñó"})
        world.settled(delivered=1)
        ((delivery_id,),) = world.rows("SELECT delivery_id FROM webhook_delivery")
        world.manage(lambda desk: desk.replay_delivery(delivery_id))
        world.until(lambda: world.rows("SELECT attempts, state FROM webhook_delivery") == [(2, "delivered")])
        other = world.endpoint(url)  # signed with a secret that the receiver doesn't know
        world.manage(lambda desk: desk.update(other.endpoint_id, kinds=["account.*"]))
        world.tell("account.created")
        world.settled(delivered=2, dead=1)
        lines = told.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == ["order.placed", "account.created"]
    assert "Gruñó" in lines[0]


def test_the_examples_are_one_of_each_kind_in_the_shape_that_is_sent() -> None:
    examples = [orjson.loads(line) for line in block("json").splitlines()]
    assert len(examples) == len(KINDS)
    assert {one["type"] for one in examples} == KINDS
    for one in examples:
        assert list(one) == ["type", "timestamp", "data"]
        assert list(one["data"]) == ["id", "customerId", "sequence", "details"]
        assert re.fullmatch(rf"{prefix_of(one['type'])}_[0-9a-f]{{32}}", one["data"]["id"])
    whole = orjson.loads(block("http").splitlines()[-1])
    assert list(whole["data"]) == ["id", "customerId", "sequence", "cursor", "details"]


def test_the_waits_are_the_codes() -> None:
    units = {"second": 1, "minute": 60, "hour": 3600}
    told = re.findall(r"^\| (\d+) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    found = re.findall(r"(\d+) (second|minute|hour)s?", " ".join(wait for _, wait in told))
    assert told[0] == ("1", "at once")
    assert tuple(int(number) * units[unit] for number, unit in found) == policy.Policy().retry_seconds
    assert len(told) == policy.Policy().most_tries == 10


def test_the_limits_are_the_codes() -> None:
    patience = policy.Policy()
    for told in (
        f"A body has {LARGEST_BODY_BYTES:,} bytes at most",
        f"complete after {patience.timeout_seconds} seconds",
        f"first {sending.LONGEST_EXCERPT_CHARACTERS:,} characters",
        f"after {patience.rest_seconds} seconds, 10, 20 … at most {patience.longest_rest_seconds // 60} minutes",
        "up to a fifth shorter or longer",
        f"There are {MOST_ENDPOINTS}.",
        "five\nsecrets sign at once",
        f"0 to {endpoints.LONGEST_OVERLAP_HOURS} hours",
        f"For {endpoints.USUAL_OVERLAP_HOURS} hours (`--overlap-hours`)",
    ):
        assert told in DOCUMENT, told
    assert (patience.jitter, MOST_LIVE_SECRETS, patience.rest_after_failures) == (0.2, 5, 5)
    assert patience.disable_after_seconds == 5 * 86_400


def test_every_code_is_documented() -> None:
    replaying = importlib.import_module(
        "cdp.schema.mutations.webhook_replay"
    )  # the package has its function by that name
    rooms = [endpoints, managing_webhooks, replaying]
    codes = {code for one in rooms for code in re.findall(r'code="([a-z_]+)"', inspect.getsource(one))}
    table = DOCUMENT.partition("| code | means |\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+)`", "".join(row.split(" | ")[0] for row in table.splitlines()))) == codes
