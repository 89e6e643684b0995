"""Whatever is thrown at the door: never a 5xx, and what is accepted is stored, and then done or failed, exactly."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from starlette.testclient import TestClient

from cdp.db.engine import connect
from cdp.ingest.stitching import stitch
from tests.ingest.door import Sender, door, make_sender

World = tuple[TestClient, Sender, Connection[Any]]

KEYS = ["type", "userId", "anonymousId", "groupId", "previousId", "messageId", "event", "name", "category", "timestamp"]
KEYS += ["originalTimestamp", "sentAt", "traits", "properties", "context", "integrations", "email", "phone", "order_id"]
KEYS += ["currency", "total", "products", "price", "quantity", "externalIds", "id", "location", "duration", "topic"]
WORDS = [
    "identify",
    "track",
    "page",
    "screen",
    "group",
    "alias",
    "Order Completed",
    "Order Refunded",
    "u1",
    "a1",
    "EUR",
]
WORDS += ["2026-03-01T10:00:00Z", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00", "null", "\x00", "a\x00b"]
WORDS += [
    "\ud800",
    "\udfff",
    "𝕏",
    "ana@example.org",
    "x" * 300,
    "1e400",
    "-0",
    "NaN",
    "𐀀\u202e",
    "'; DROP TABLE inbox; --",
]
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=20),
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=12,
)
messages = st.one_of(
    values,
    st.fixed_dictionaries(
        {"type": st.sampled_from(WORDS[:6])},
        optional={
            key: leaves | values
            if key not in {"userId", "anonymousId", "event", "groupId", "previousId"}
            else st.sampled_from(["u1", "a1", "Order Completed", "Order Updated", 7, *WORDS])
            for key in KEYS[1:17]
        },
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("track"),
            "userId": st.sampled_from(["u1", "u2"]),
            "event": st.sampled_from(["Order Completed", "Order Updated", "Order Refunded", "Order Cancelled"]),
            "properties": st.dictionaries(st.sampled_from(KEYS[18:24]), leaves | st.lists(values, max_size=2)),
        }
    ),
)


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[World]:
    sender = make_sender(shared_database_url)
    with (
        TestClient(door(shared_database_url)) as http,
        connect(shared_database_url, autocommit=True) as database,
    ):
        yield http, sender, database


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(messages, min_size=1, max_size=8), st.none() | values)
def test_accepted_is_stored_and_then_done_or_failed(world: World, batch: list[Any], context: Any) -> None:
    http, sender, database = world
    before = _count(database, "inbox")
    content = json.dumps({"batch": batch, "context": context}).encode("utf-8", "surrogatepass")
    answer = http.post("/v1/batch", content=content, auth=sender.auth)
    assert answer.status_code in {200, 400, 413}, answer.text
    if answer.status_code == 200:
        assert answer.json() == {"success": True}
    stored = _count(database, "inbox") - before
    rejected = answer.json().get("errors", []) if answer.status_code == 400 else []
    if answer.status_code == 200 or rejected:
        # Messages with an id or a time of their own may be duplicates, of an earlier example or of one another.
        fresh = len(batch) - len(rejected)
        own = ("messageId", "timestamp", "originalTimestamp")
        perhaps_told = sum(1 for one in batch if isinstance(one, dict) and any(one.get(key) is not None for key in own))
        assert fresh - perhaps_told <= stored <= fresh
    stitch(database)
    assert _count(database, "waiting_message") == 0
    internal = database.execute(
        "SELECT code, error FROM failed_message WHERE code IN ('internal', 'database')"
    ).fetchall()
    assert internal == [], "every failure of a message has a name"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_bytes_that_are_no_json_are_refused(world: World, content: bytes) -> None:
    http, sender, _ = world
    for path in ("/v1/batch", "/v1/track"):
        answer = http.post(path, content=content, auth=sender.auth)
        assert answer.status_code == 400
        assert set(answer.json()) >= {"code", "message"}


@pytest.mark.parametrize("depth", [10, 63, 64, 65, 1_000, 15_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded(world: World, depth: int, opening: str, closing: str) -> None:
    http, sender, database = world
    nested = opening * depth + "1" + closing * depth
    content = f'{{"userId":"u1","properties":{{"x":{nested}}}}}'.encode()[:32_768]
    answer = http.post("/v1/page", content=content, auth=sender.auth)
    assert answer.status_code == (200 if depth <= 62 else 413 if len(content) > 32_768 else 400)
    stitch(database)
    assert _count(database, "failed_message WHERE code IN ('internal', 'database')") == 0


def _count(database: Connection[Any], table: str) -> int:
    row = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])
