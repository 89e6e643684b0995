"""The change feed as an integrator reads it: complete, in order, once, from any cursor on, and while writers are at work."""

import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx2
import orjson
import psycopg
import pytest

from cdp.db.engine import connect
from cdp.feed import BEGINNING, Change, Position, append
from tests.feed.conftest import World, order, person

DAY_AFTER = "2026-03-02T10:00:00Z"


def get(world: World, **asked: object) -> httpx2.Response:
    return world.http.get(
        "/v1/changes", params={name: str(value) for name, value in asked.items()}, headers=bearer(world)
    )


def bearer(world: World) -> dict[str, str]:
    return {"authorization": f"Bearer {world.token()}"}


def read(world: World, **asked: object) -> list[dict[str, Any]]:
    answer = get(world, **asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [orjson.loads(line) for line in answer.text.splitlines()]


def end(world: World) -> str:
    """The cursor after everything."""
    return following(get(world, after="now"))


def following(answer: httpx2.Response) -> str:
    """The cursor of a page's link to the next."""
    address, relation = answer.headers["link"].split("; ")
    assert relation == 'rel="next"'
    return parse_qs(urlsplit(address.strip("<>")).query)["after"][0]


def kinds(lines: list[dict[str, Any]]) -> list[str]:
    return [line["kind"] for line in lines]


def ids_of(world: World) -> dict[str, str]:
    """Customer ids by the key of their profiles."""
    return {
        key: f"cus_{customer_id.hex}" for key, customer_id in world.rows("SELECT key_value, customer_id FROM profile")
    }


def test_each_change_is_told_once_and_says_whose_it_is(world: World) -> None:
    world.tell(person("ana", name="Ana", email="ana@example.org"))
    (created,) = read(world)
    ana = ids_of(world)["ana"]
    assert {name: created[name] for name in ("kind", "id", "customerId", "data")} == {
        "kind": "customer.created",
        "id": ana,
        "customerId": ana,
        "data": {"kind": "person", "namespaces": ["email", "user_id"]},
    }
    assert set(created) == {"cursor", "sequence", "at", "kind", "id", "customerId", "data"}
    assert created["at"].endswith("Z")
    world.tell(person("ana", name="Ana", email="ana@example.org"))  # the same again, another message
    world.tell({"type": "page", "userId": "ana", "timestamp": DAY_AFTER})  # seen again, and nothing else
    assert read(world, after=created["cursor"]) == []


def test_golden_values_identifiers_merges_and_their_undoing_are_told(world: World) -> None:
    world.tell(person("ana", name="Ana"))
    world.tell({"type": "page", "anonymousId": "a1"})
    ids = ids_of(world)
    after = end(world)
    world.tell({**person("ana", name="Ana Ruiz", phone="+34612345678"), "timestamp": DAY_AFTER})
    lines = read(world, after=after)
    assert [(line["kind"], line["id"], line["data"]) for line in lines] == [
        ("identifier.linked", ids["ana"], {"namespaces": ["phone"]}),
        ("customer.changed", ids["ana"], {}),
    ]
    world.tell({"type": "identify", "userId": "ana", "anonymousId": "a1", "timestamp": DAY_AFTER})
    lines = read(world, after=lines[-1]["cursor"])
    assert [(line["kind"], line["id"], line["data"]) for line in lines] == [
        ("customer.merged", ids["ana"], {"from": ids["a1"], "into": ids["ana"], "rule": "identifier"}),
        ("identifier.linked", ids["ana"], {"namespaces": ["anonymous_id"]}),
    ]
    # A late message: on the day before, somebody else had used the device.
    world.tell({"type": "identify", "userId": "u0", "anonymousId": "a1", "timestamp": "2026-03-01T12:00:00Z"})
    lines = read(world, after=lines[-1]["cursor"])
    assert [(line["kind"], line["id"]) for line in lines] == [
        ("customer.created", ids["a1"]),
        ("customer.unmerged", ids["ana"]),
        ("identifier.unlinked", ids["ana"]),
    ]
    assert lines[1]["data"] == {"from": ids["ana"], "into": ids["a1"], "rule": "identifier"}


def test_an_order_is_told_with_its_account_and_each_status(world: World) -> None:
    world.tell(order("o1", "ana"))
    ana = ids_of(world)["ana"]
    ((account, number),) = world.rows("SELECT account_id, order_id FROM sales_order")
    account, number = f"acc_{account.hex}", f"ord_{number.hex}"
    lines = read(world)
    assert [(line["kind"], line["id"], line["customerId"], line["data"]) for line in lines[1:]] == [
        ("account.created", account, ana, {}),
        ("order.placed", number, ana, {"accountId": account, "status": "placed"}),
    ]
    world.tell(
        order("o1", "ana", "Order Updated", total=7, products=[{"name": "Pen", "price": 7}]) | {"timestamp": DAY_AFTER}
    )
    world.tell(order("o1", "ana", "Order Cancelled") | {"timestamp": DAY_AFTER})
    lines = read(world, after=lines[-1]["cursor"])
    assert [(line["kind"], line["id"], line["data"]) for line in lines] == [
        ("order.changed", number, {"accountId": account}),
        ("order.status_changed", number, {"accountId": account, "from": "placed", "to": "cancelled"}),
    ]


def test_any_page_size_from_any_cursor_reads_each_change_once_in_order(world: World) -> None:
    for number in range(6):
        world.tell(*(person(f"u{number}-{each}", name="X") for each in range(3)))
    whole = read(world)
    assert len(whole) == 18
    # Of two transactions side by side the later by its place may have told first: numbers are in order of one thing only.
    places = [Position.read(line["cursor"]) for line in whole]
    assert places == sorted(set(places))
    for size in (1, 5, 18):
        walked, after = read(world, limit=size), None
        while True:
            after = walked[-1]["cursor"]
            page = read(world, limit=size, after=after)
            if not page:
                break
            walked += page
        assert walked == whole
    assert read(world, after=whole[10]["cursor"]) == whole[11:]


def test_a_page_links_to_the_next_also_when_it_is_empty(world: World) -> None:
    assert following(get(world, limit=5)) == Position(0, 0).cursor
    now = end(world)
    assert following(get(world, after=now)) == now
    world.tell(person("ana", name="Ana"))
    answer = get(world, after=now)
    assert following(answer) == orjson.loads(answer.text)["cursor"]


def _append(connection: psycopg.Connection[Any], name: str) -> None:
    append(connection, [Change("customer.changed", uuid4(), UUID(int=1), {"name": name})])


def test_who_read_up_to_a_cursor_has_missed_nothing_below_it(world: World) -> None:
    def names(after: str) -> list[str]:
        return [line["data"]["name"] for line in read(world, after=after)]

    after = end(world)
    with psycopg.connect(world.database_url) as slow, psycopg.connect(world.database_url) as quick:
        _append(slow, "began first")
        _append(quick, "committed first")
        quick.commit()
        assert names(after) == []  # handing it out now would put what began first below the reader's cursor
        reader_cursor = end(world)
        slow.commit()
        assert names(reader_cursor) == ["began first", "committed first"]
        # The other way round: what began later than a change was committed cannot hold it back for ever.
        after = end(world)
        _append(quick, "alone")
        quick.commit()
        assert names(after) == ["alone"]


def test_a_reader_among_many_writers_gets_each_change_exactly_once(world: World) -> None:
    after = end(world)
    seen: list[str] = []
    writers, each = 8, 30

    def write(writer: int) -> None:
        with connect(world.database_url, "cdp_app") as connection:
            for number in range(each):
                _append(connection, f"{writer}-{number}")
                if number % 3 == writer % 3:
                    time.sleep(0.002)
                connection.commit()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    headers = bearer(world)
    while len(seen) < writers * each and time.monotonic() < deadline:
        answer = world.http.get("/v1/changes", params={"after": after, "limit": 7, "wait": 1}, headers=headers)
        page = [orjson.loads(line) for line in answer.text.splitlines()]
        seen += [line["data"]["name"] for line in page]
        after = page[-1]["cursor"] if page else after
    for thread in threads:
        thread.join()
    assert len(seen) == writers * each
    for writer in range(writers):
        assert [name for name in seen if name.startswith(f"{writer}-")] == [
            f"{writer}-{number}" for number in range(each)
        ]


def test_what_is_rolled_back_was_never_told(world: World) -> None:
    after = end(world)
    with psycopg.connect(world.database_url) as connection:
        _append(connection, "undone")
        connection.rollback()
    assert read(world, after=after, wait=1) == []


def test_a_waiting_reader_is_answered_as_soon_as_something_changed(world: World) -> None:
    headers, after = bearer(world), end(world)
    latencies = []
    for _ in range(5):
        committed: list[float] = []

        def write(committed: list[float] = committed) -> None:
            time.sleep(0.3)
            with connect(world.database_url, "cdp_app") as connection:
                _append(connection, "news")
            committed.append(time.monotonic())

        writer = threading.Thread(target=write)
        writer.start()
        answer = world.http.get("/v1/changes", params={"after": after, "wait": 20}, headers=headers)
        answered = time.monotonic()
        writer.join()  # who may come to note the time only after the answer
        latencies.append(answered - committed[0])
        after = orjson.loads(answer.text)["cursor"]
    assert sorted(latencies)[2] < 0.2, latencies


def test_a_waiting_reader_is_answered_in_time_though_nothing_changed(world: World) -> None:
    after, began = end(world), time.monotonic()
    assert read(world, after=after, wait=1) == []
    assert 0.9 < time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"after": "nonsense"}, "cursor_invalid"),
        ({"after": ""}, "cursor_invalid"),
        ({"after": "AAAAAAAAAAEAAAAAAAAAAQAAAAA"}, "cursor_invalid"),
        ({"after": Position(2**62, 1).cursor}, "cursor_invalid"),  # of another database
        ({"after": "é"}, "cursor_invalid"),
        ({"limit": "0"}, "invalid_field"),
        ({"limit": "1001"}, "invalid_field"),
        ({"limit": "٣"}, "invalid_field"),
        ({"wait": "31"}, "invalid_field"),
        ({"wait": "-1"}, "invalid_field"),
    ],
)
def test_a_wrong_question_is_a_clear_400(world: World, asked: dict[str, str], code: str) -> None:
    answer = get(world, **asked)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_the_feed_has_a_scope_of_its_own(world: World) -> None:
    assert world.http.get("/v1/changes").status_code == 401
    headers = {"authorization": f"Bearer {world.token(world.narrow)}"}
    answer = world.http.get("/v1/changes", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_nothing_personal_is_in_the_feed(world: World) -> None:
    world.tell(person("ana-secret", name="Ana Secret", email="secret@example.org", phone="+34612345678"))
    world.tell(order("secret-order", "ana-secret"))
    text = get(world).text
    assert "order.placed" in text
    for personal in ("secret", "Secret", "612345678"):
        assert personal not in text


def test_the_feed_is_append_only(database_url: str) -> None:
    with connect(database_url, "cdp_app", autocommit=True) as connection:
        _append(connection, "kept")
        for statement in ("UPDATE change SET kind = 'x'", "DELETE FROM change", "TRUNCATE change"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_old_changes_are_forgotten_and_a_cursor_from_before_is_refused(world: World) -> None:
    before = following(get(world))
    with connect(world.database_url, "cdp_app") as connection:
        for name in ("old", "older", "young"):
            _append(connection, name)
            connection.commit()
    lines = read(world)
    world.rows("UPDATE change SET changed_at = now() - interval '3 days' WHERE data ->> 'name' <> 'young' RETURNING 1")
    with connect(world.database_url, "cdp_app", autocommit=True) as connection:
        assert connection.execute("SELECT prune_changes(3, 1), prune_changes(4, 9)").fetchone() == (1, 0)
        for cursor in (before, BEGINNING.cursor):
            answer = get(world, after=cursor)
            assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
        # Whoever had read just what was forgotten has missed nothing.
        assert kept(world, after=lines[0]["cursor"]) == ["older", "young"]
        assert connection.execute("SELECT prune_changes(2, 100)").fetchone() == (1,)
        answer = get(world, after=lines[0]["cursor"])
        assert (answer.status_code, answer.json()["code"]) == (410, "cursor_expired")
        assert kept(world, after=lines[1]["cursor"]) == ["young"] == kept(world)
        assert Position.read(following(get(world, after="now"))) > Position.read(lines[1]["cursor"])
        for days in ("0", "-1", "NULL"):
            with pytest.raises(psycopg.errors.InvalidParameterValue):
                connection.execute(f"SELECT prune_changes({days}, 1)".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE change_floor SET seq = 0")


def test_a_page_without_a_cursor_links_on_from_what_is_kept(world: World) -> None:
    with connect(world.database_url, "cdp_app") as connection:
        _append(connection, "old")
    world.rows("UPDATE change SET changed_at = now() - interval '3 days' RETURNING 1")
    assert world.rows("SELECT prune_changes(2, 100)") == [(1,)]
    empty = get(world)
    assert (empty.status_code, empty.text) == (200, "")
    assert kept(world, after=following(empty)) == []


def test_a_transaction_that_is_still_running_is_not_overtaken_by_the_forgetting(world: World) -> None:
    with psycopg.connect(world.database_url) as slow, connect(world.database_url, "cdp_app") as quick:
        _append(slow, "began first")
        slow.execute("UPDATE change SET changed_at = now() - interval '3 days'")
        _append(quick, "committed")
        quick.commit()
        world.rows("UPDATE change SET changed_at = now() - interval '3 days' RETURNING 1")
        assert world.rows("SELECT prune_changes(1, 100)") == [(0,)]
        slow.commit()
        assert world.rows("SELECT prune_changes(1, 100)") == [(2,)]


def kept(world: World, **asked: object) -> list[str]:
    return [line["data"]["name"] for line in read(world, **asked)]
