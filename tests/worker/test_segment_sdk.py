"""Segment's own SDKs, for Python and Node, against a running server, changed in nothing but the host."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import segment.analytics

from tests.ingest.door import Sender, door, make_sender
from tests.live import Live, live
from tests.tooling.provision import NODE, node_modules
from tests.worker.story import check_story


@pytest.fixture
def sender(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return make_sender(database_url)


@pytest.fixture
def product(database_url: str, sender: Sender) -> Iterator[Live]:
    with live(door(database_url), database_url) as running:
        yield running


@contextmanager
def _sdk(product: Live, sender: Sender, **options: Any) -> Iterator[segment.analytics.Client]:
    """The SDK's client; leaving waits until all is delivered, and nothing may have gone wrong."""
    errors: list[Exception] = []
    client = segment.analytics.Client(
        write_key=sender.write_key, host=product.url, on_error=lambda error, _items: errors.append(error), **options
    )
    yield client
    if not options.get("sync_mode"):
        client.shutdown()
    assert errors == []


def _tell(client: segment.analytics.Client, *, backwards: bool = False) -> None:
    at = [datetime(2026, 3, 1, 10, minute, tzinfo=UTC) for minute in range(7)]
    calls = [
        lambda: client.page(anonymous_id="a1", name="Home", timestamp=at[0], message_id="s0"),
        lambda: client.identify(
            "u1", {"email": "ana@example.org", "name": "Ana"}, anonymous_id="a1", timestamp=at[1], message_id="s1"
        ),
        lambda: client.track(
            "u1", "Product Viewed", {"sku": "p1", "category": "Books"}, timestamp=at[2], message_id="s2"
        ),
        lambda: client.group("u1", "acme", {"name": "Acme"}, timestamp=at[3], message_id="s3"),
        lambda: client.screen("u1", name="Phone home", timestamp=at[4], message_id="s4"),
        lambda: client.page(anonymous_id="a2", name="Elsewhere", timestamp=at[5], message_id="s5"),
        lambda: client.alias("a2", "u1", timestamp=at[6], message_id="s6"),
    ]
    for call in reversed(calls) if backwards else calls:
        call()


@pytest.mark.parametrize("options", [{}, {"gzip": True}, {"sync_mode": True}, {"upload_size": 1, "thread": 3}])
@pytest.mark.parametrize("backwards", [False, True])
def test_all_six_calls_twice_over_make_one_graph(
    product: Live, sender: Sender, options: dict[str, Any], *, backwards: bool
) -> None:
    for _ in range(2):
        with _sdk(product, sender, **options) as client:
            _tell(client, backwards=backwards)
    product.settle()
    check_story(product.database_url)


def test_a_wrong_key_is_told_to_the_sdk(product: Live, sender: Sender) -> None:
    client = segment.analytics.Client(write_key="wrong", host=product.url, sync_mode=True, max_retries=1)
    with pytest.raises(Exception, match="unknown_write_key"):
        client.identify("u1")


def _node(product: Live, write_key: str, **story: Any) -> dict[str, Any]:
    """What Segment's Node SDK says went wrong, and which requests it made."""
    told = {"host": product.url, "writeKey": write_key, "times": 1, **story}
    environment = {**os.environ, "MODULES": str(node_modules()), "STORY": json.dumps(told), "NO_PROXY": "127.0.0.1"}
    script = Path(__file__).with_name("node_sdk.mjs")
    done = subprocess.run([NODE, script], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("options", [{}, {"gzip": True}, {"flushAt": 1}], ids=["as it is", "gzip", "one by one"])
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "out of order"])
def test_nodes_sdk_tells_the_same_twice_over(
    product: Live, sender: Sender, options: dict[str, Any], *, backwards: bool
) -> None:
    said = _node(product, sender.write_key, times=2, backwards=backwards, **options)
    assert said["errors"] == []
    assert len(said["requests"]) == (14 if "flushAt" in options else 2)
    assert all(path == "/v1/batch" for path, _ in said["requests"])
    product.settle()
    check_story(product.database_url)


def test_a_wrong_key_is_told_to_nodes_sdk(product: Live, sender: Sender) -> None:
    assert "401" in " ".join(_node(product, "wrong")["errors"])
