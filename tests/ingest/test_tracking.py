"""The tracking door as an integrator meets it: what it takes, what it answers, and that 200 means stored."""

import base64
import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg import Connection
from starlette.testclient import TestClient

from cdp.db.engine import connect
from cdp.ingest.messages import LARGEST_BATCH_BYTES, LARGEST_MESSAGE_BYTES, MOST_MESSAGES
from cdp.ingest.sources import KeyRing, rotate_write_key
from tests.ingest.door import Sender, door, make_sender
from tests.live import client, serve

SUCCESS = {"success": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A client at the door, a sender, and the database behind."""

    http: TestClient
    sender: Sender
    database: Connection[Any]

    def post(self, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        options.setdefault("auth", self.sender.auth)
        if "content" not in options:
            options["json"] = body
        answer: httpx2.Response = self.http.post(path, **options)
        return answer

    def stored(self) -> list[Any]:
        return [body for (body,) in self.database.execute("SELECT body FROM inbox ORDER BY seq")]

    def count(self) -> int:
        return len(self.stored())


@contextmanager
def knocking(database_url: str, **options: Any) -> Iterator[Knock]:
    sender = make_sender(database_url, origins=["https://shop.example"])
    with TestClient(door(database_url, **options)) as http, connect(database_url, autocommit=True) as database:
        yield Knock(http=http, sender=sender, database=database)


@pytest.fixture
def knock(database_url: str) -> Iterator[Knock]:
    with knocking(database_url) as ready:
        yield ready


PAGE = {"type": "page", "anonymousId": "a1", "name": "Home", "messageId": "m1"}
MESSAGES: dict[str, dict[str, Any]] = {
    "identify": {"userId": "u1", "traits": {"email": "ana@example.org"}},
    "track": {"userId": "u1", "event": "Signed Up"},
    "page": {"anonymousId": "a1", "name": "Home"},
    "screen": {"anonymousId": "a1", "name": "Home"},
    "group": {"userId": "u1", "groupId": "g1", "traits": {"name": "Acme"}},
    "alias": {"userId": "u1", "previousId": "a1"},
}


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("short", [False, True])
def test_each_endpoint_stores_its_message_under_its_type(knock: Knock, kind: str, *, short: bool) -> None:
    answer = knock.post(f"/v1/{kind[0] if short else kind}", MESSAGES[kind])
    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    (stored,) = knock.stored()
    assert stored.pop("messageId").startswith("assigned-")
    assert stored == {**MESSAGES[kind], "type": kind}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b"])
def test_a_batch_stores_each_message_with_what_the_batch_says_for_all(knock: Knock, path: str) -> None:
    batch = {
        "batch": [
            {**PAGE, "context": {"locale": "es", "page": {"path": "/"}}},
            {"type": "track", "userId": "u1", "event": "Bought", "messageId": "m2"},
        ],
        "context": {"locale": "en", "app": {"name": "shop"}},
        "integrations": {"All": False},
        "sentAt": "2026-03-01T10:00:00Z",
    }
    assert knock.post(path, batch).json() == SUCCESS
    first, second = knock.stored()
    assert first["context"] == {"locale": "es", "app": {"name": "shop"}, "page": {"path": "/"}}
    assert second["context"] == {"locale": "en", "app": {"name": "shop"}}
    assert {one["sentAt"] for one in (first, second)} == {"2026-03-01T10:00:00Z"}
    assert second["integrations"] == {"All": False}


def test_a_message_is_stored_as_received_to_the_last_digit(knock: Knock) -> None:
    text = b'{"anonymousId":"a1","properties":{"price":12.300000000000000000001,"big":18446744073709551615},"messageId":"m1"}'
    assert knock.post("/v1/page", content=text).status_code == 200
    row = knock.database.execute("SELECT body::text FROM inbox").fetchone()
    assert row is not None
    assert '"price":12.300000000000000000001,"big":18446744073709551615' in row[0]


@pytest.mark.parametrize("way", ["basic", "bearer", "body"])
def test_three_ways_to_show_the_write_key(knock: Knock, way: str) -> None:
    key = knock.sender.write_key
    headers = {
        "basic": {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()},
        "bearer": {"authorization": f"Bearer {key}"},
        "body": {},
    }[way]
    body = {**PAGE, **({"writeKey": key} if way == "body" else {})}
    assert knock.post("/v1/page", body, headers=headers, auth=None).json() == SUCCESS
    batch = {"batch": [{**PAGE, "messageId": "m2"}], **({"writeKey": key} if way == "body" else {})}
    assert knock.post("/v1/batch", batch, headers=headers, auth=None).json() == SUCCESS
    assert key not in json.dumps(knock.stored())


@pytest.mark.parametrize("auth", [None, ("", ""), ("wrong", ""), ("wk_" + "x" * 32, "")])
def test_without_a_known_write_key_nothing_is_stored(knock: Knock, auth: tuple[str, str] | None) -> None:
    answer = knock.post("/v1/page", PAGE, auth=auth)
    assert answer.status_code == 401
    assert answer.json()["code"] in {"missing_write_key", "unknown_write_key"}
    assert set(answer.json()) == {"code", "message"}
    assert knock.count() == 0


def test_a_rotated_key_goes_on_for_its_overlap_and_then_ends(database_url: str) -> None:
    with knocking(database_url, keys=KeyRing(remembered_seconds=0)) as knock:
        with connect(database_url) as connection:
            new = rotate_write_key(connection, "web-shop", overlap=timedelta(hours=1))
        for number, auth in enumerate([knock.sender.auth, (new, "")]):
            assert knock.post("/v1/page", {**PAGE, "messageId": f"m{number}"}, auth=auth).status_code == 200
        knock.database.execute("UPDATE write_key SET expires_at = now() WHERE expires_at IS NOT NULL")
        assert knock.post("/v1/page", PAGE).status_code == 401
        assert knock.post("/v1/page", PAGE, auth=(new, "")).status_code == 200


def test_write_keys_are_stored_hashed(knock: Knock) -> None:
    found = knock.database.execute("SELECT write_key::text, source::text FROM write_key, source").fetchall()
    assert knock.sender.write_key not in str(found)


def test_the_same_message_twice_is_one_and_from_two_sources_two(knock: Knock, database_url: str) -> None:
    for _ in range(2):
        assert knock.post("/v1/page", PAGE).json() == SUCCESS
    assert knock.post("/v1/batch", {"batch": [PAGE, PAGE]}).json() == SUCCESS
    assert knock.count() == 1
    other = make_sender(database_url, "app")
    assert knock.post("/v1/page", PAGE, auth=other.auth).json() == SUCCESS
    assert knock.count() == 2


def test_a_retry_of_messages_without_ids_doubles_nothing_when_they_carry_a_time(knock: Knock) -> None:
    timed = {"type": "track", "userId": "u1", "event": "Bought", "timestamp": "2026-03-01T10:00:00Z"}
    for _ in range(2):
        assert knock.post("/v1/batch", {"batch": [timed, timed]}).json() == SUCCESS
    assert knock.count() == 2


def test_bad_messages_are_named_and_the_good_ones_stored(knock: Knock) -> None:
    batch = [
        PAGE,
        {"type": "page"},
        {"type": "dance", "userId": "u1"},
        "not a message",
        {"type": "track", "userId": "u1"},
        {"type": "identify", "userId": "u1", "traits": ["no", "object"]},
        {"type": "page", "userId": "u1", "messageId": "x" * 101},
        {"type": "page", "userId": "u1", "timestamp": "31 February"},
        {"type": "page", "userId": "u" * 256},
        {"type": "group", "userId": "u1"},
        {"type": "alias", "userId": "u1"},
        {"type": "page", "userId": "u1", "properties": {"text": "x" * LARGEST_MESSAGE_BYTES}},
        {**PAGE, "messageId": "m2"},
    ]
    for _ in range(2):
        answer = knock.post("/v1/batch", {"batch": batch})
        assert answer.status_code == 400
        body = answer.json()
        assert body["code"] == "messages_rejected"
        assert [(one["index"], one["code"]) for one in body["errors"]] == [
            (1, "missing_id"),
            (2, "unknown_type"),
            (3, "wrong_type"),
            (4, "missing_event"),
            (5, "wrong_type"),
            (6, "invalid_id"),
            (7, "invalid_timestamp"),
            (8, "invalid_id"),
            (9, "missing_id"),
            (10, "missing_id"),
            (11, "message_too_large"),
        ]
        assert all(one["message"].endswith(".") for one in body["errors"])
        assert [one["messageId"] for one in knock.stored()] == ["m1", "m2"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"[]", "malformed_json"),
        (b'"text"', "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"{}", "missing_batch"),
        (b'{"batch": {}}', "missing_batch"),
        (b'{"batch": null}', "missing_batch"),
    ],
)
def test_a_body_that_is_no_batch_is_refused(knock: Knock, content: bytes, code: str) -> None:
    answer = knock.post("/v1/batch", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert knock.count() == 0


def test_one_message_that_json_cannot_say_does_not_take_the_others_with_it(knock: Knock) -> None:
    """Python's json writes NaN and lone surrogates, so an SDK may well send them."""
    bad = [b'{"userId":"u1","type":"page","properties":{"a":NaN}}', b'{"userId":"\\ud800","type":"page"}']
    good = json.dumps(PAGE).encode()
    answer = knock.post("/v1/batch", content=b'{"batch":[' + b",".join([good, *bad]) + b"]}")
    assert answer.status_code == 400
    assert [one["index"] for one in answer.json()["errors"]] == [1, 2]
    assert [one["messageId"] for one in knock.stored()] == ["m1"]


def test_limits_of_size_and_number(knock: Knock) -> None:
    small = {"type": "page", "anonymousId": "a"}
    assert knock.post("/v1/batch", {"batch": [small] * MOST_MESSAGES}).status_code == 200
    stored = knock.count()
    assert stored == MOST_MESSAGES
    refused = knock.post("/v1/batch", {"batch": [small] * (MOST_MESSAGES + 1)})
    assert (refused.status_code, refused.json()["code"]) == (413, "too_many_messages")
    large = knock.post("/v1/batch", content=b'{"batch":[]' + b" " * LARGEST_BATCH_BYTES + b"}")
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    one = knock.post("/v1/page", {**PAGE, "properties": {"text": "x" * LARGEST_MESSAGE_BYTES}})
    assert (one.status_code, one.json()["code"]) == (413, "too_large")
    assert knock.count() == stored


def test_gzip_is_read_and_a_bomb_is_not(knock: Knock) -> None:
    headers = {"content-encoding": "gzip"}
    packed = gzip.compress(json.dumps({"batch": [PAGE]}).encode())
    assert knock.post("/v1/batch", content=packed, headers=headers).json() == SUCCESS
    bomb = gzip.compress(b'{"batch":[' + b" " * 50_000_000 + b"]}")
    assert knock.post("/v1/batch", content=bomb, headers=headers).status_code == 413
    for broken in (b"no gzip", packed[:-12], packed[:20]):
        answer = knock.post("/v1/batch", content=broken, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_encoding")
    assert knock.post("/v1/batch", {"batch": [PAGE]}, headers={"content-encoding": "br"}).status_code == 400
    assert knock.count() == 1


def test_pages_of_allowed_origins_may_post(knock: Knock) -> None:
    asked = knock.http.options(
        "/v1/t", headers={"origin": "https://any.example", "access-control-request-method": "POST"}
    )
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "https://any.example"
    allowed = knock.post("/v1/page", PAGE, headers={"origin": "https://shop.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    refused = knock.post("/v1/page", {**PAGE, "messageId": "m2"}, headers={"origin": "https://evil.example"})
    assert (refused.status_code, refused.json()["code"]) == (403, "origin_not_allowed")
    assert "access-control-allow-origin" not in refused.headers
    assert knock.count() == 1


def test_a_database_that_is_away_is_503_and_never_a_false_200(database_url: str) -> None:
    with knocking(database_url) as knock:
        assert knock.post("/v1/page", PAGE).status_code == 200
        name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
        admin_url = database_url.replace(f"/{name}", "/postgres")
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            answer = knock.post("/v1/page", {**PAGE, "messageId": "m2"})
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)


def test_more_requests_than_fit_are_told_to_come_back(database_url: str) -> None:
    with knocking(database_url, most_in_flight=0) as knock:
        answer = knock.post("/v1/page", PAGE)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
        assert int(answer.headers["retry-after"]) > 0
        assert knock.count() == 0


def test_under_a_rush_every_200_is_stored_and_every_other_told_to_come_back(database_url: str) -> None:
    sender = make_sender(database_url)
    with serve(door(database_url, most_in_flight=2)) as url:

        def send(number: int) -> int:
            with client(url) as http:
                batch = [{"type": "page", "userId": "u1", "messageId": f"m{number}-{n}"} for n in range(200)]
                answer = http.post("/v1/batch", json={"batch": batch}, auth=sender.auth)
                assert answer.status_code == 200 or "retry-after" in answer.headers
                return answer.status_code

        with ThreadPoolExecutor(16) as senders:
            statuses = list(senders.map(send, range(64)))
    assert set(statuses) <= {200, 429}
    with connect(database_url) as connection:
        stored = connection.execute("SELECT count(*) FROM inbox").fetchone()
    assert stored == (200 * statuses.count(200),)


def test_only_posts_are_taken(knock: Knock) -> None:
    assert knock.http.get("/v1/batch").status_code == 405
