"""The audit record in the database: nobody changes it, refusals don't fill it, and it is forgotten by its owner alone."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

from cdp.access.audit import (
    NOBODY,
    OPERATOR,
    Actor,
    AuditWriter,
    TooRecent,
    forget_records,
    read_records,
    record,
    view_as,
)
from cdp.access.people import create_client
from cdp.access.viewer import Scope
from cdp.db.engine import connect, open_pool
from cdp.errors import Unavailable
from tests.access.world import ISSUER, NORD, Stage, World


def test_no_role_of_the_programs_changes_a_record(world: World) -> None:
    """Nor does the owner, whom no program signs in as, but by `audit_forget`."""
    world.execute("INSERT INTO audit_record (event, outcome, actor) VALUES ('e', 'done', 'a')")
    before = world.execute("SELECT * FROM audit_record")
    changes = ("UPDATE audit_record SET actor = 'x'", "DELETE FROM audit_record", "TRUNCATE audit_record")
    for role, setting in (("cdp_app", "yes"), ("cdp_portal", "yes"), ("cdp_owner", "")):
        for statement in changes:
            with psycopg.connect(world.url) as connection:
                connection.execute(f"SET ROLE {role}".encode())
                connection.execute("SELECT set_config('cdp.audit_forgets', %s, true)", [setting])
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
    assert world.execute("SELECT * FROM audit_record") == before


def test_the_owner_forgets_what_is_old_and_that_is_on_record(world: World) -> None:
    long_ago, cut = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    for at in (long_ago, datetime.now(UTC)):
        world.execute("INSERT INTO audit_record (recorded_at, event, outcome, actor) VALUES (%s, 'e', 'done', 'a')", at)
    with connect(world.url, "cdp_owner") as connection, pytest.raises(TooRecent):
        forget_records(connection, datetime.now(UTC) - timedelta(days=89))
    with connect(world.url, "cdp_app") as connection, pytest.raises(errors.InsufficientPrivilege):
        forget_records(connection, cut)
    with connect(world.url, "cdp_owner") as connection:
        assert forget_records(connection, cut) == 1
    left = world.execute("SELECT event, actor, details ->> 'records' FROM audit_record ORDER BY event")
    assert left == [("audit_forgotten", "owner", "1"), ("e", "a", None)]


def test_the_same_refusal_makes_one_record_a_minute_and_counts_the_others(world: World) -> None:
    refusal = NOBODY.was_refused("api", "token_invalid", "/graphql")
    with connect(world.url) as connection:
        for _ in range(50):
            record(connection, refusal)
        record(connection, Actor(actor="somebody").was_refused("api", "token_invalid", "/graphql"))
        record(connection, *[OPERATOR.did("done") for _ in range(3)])
    assert world.execute("SELECT actor, count(*) FROM audit_record GROUP BY 1 ORDER BY 1") == [
        ("command line", 3), ("somebody", 1), ("unknown", 1),
    ]  # fmt: skip
    world.execute("UPDATE audit_refusal SET minute = minute - interval '1 minute'")
    with connect(world.url) as connection:
        record(connection, refusal)
    rows = world.execute("SELECT details FROM audit_record WHERE actor = 'unknown' ORDER BY recorded_at")
    assert rows == [({},), ({"unrecorded": 49},)]


def test_what_was_only_counted_is_recorded_once_it_has_stopped(world: World) -> None:
    with connect(world.url) as connection:
        record(connection, *[NOBODY.was_refused("api", "token_invalid")] * 5)
        assert connection.execute("SELECT audit_settle()").fetchone() == (0,)
    world.execute("UPDATE audit_refusal SET minute = minute - interval '11 minutes'")
    with connect(world.url) as connection:
        assert connection.execute("SELECT audit_settle()").fetchone() == (1,)
    rows = world.execute("SELECT details -> 'unrecorded' FROM audit_record ORDER BY recorded_at")
    assert rows == [(None,), (4,)]


def test_refused_sign_ins_do_not_fill_the_record(world: World) -> None:
    """A thousand guesses at sessions and people nobody knows, through the portal's own door."""
    with connect(world.url, "cdp_portal", autocommit=True) as connection:
        for number in range(100):
            connection.execute("SELECT portal_note_refusal('login_unknown')")
            values = [b"x", f"{number}".encode(), ISSUER, "nobody", None, None, datetime.now(UTC), "Firefox"]
            places = ", ".join(["%s"] * len(values))
            connection.execute(f"SELECT portal_open_session({places})".encode(), values)
    found = world.execute("SELECT reason, count(*) FROM audit_record GROUP BY 1 ORDER BY 1")
    assert [reason for reason, _ in found] == ["login_unknown", "no_such_member"]
    assert all(count <= 2 for _, count in found), "one a minute, and the clock may have turned"


async def test_refused_token_requests_are_on_record_with_a_client_that_there_is(stage: Stage) -> None:
    async with stage.browser() as browser:
        for client_id in (stage.world.tool.client_id, "nobody\x00", "nobody"):
            answer = await browser.post(
                f"{ISSUER}/token", auth=(client_id, "wrong"), data={"grant_type": "client_credentials"}
            )
            assert answer.status_code == 401
    rows = stage.world.execute("SELECT actor, client_id, reason FROM audit_record WHERE event = 'token' ORDER BY 1")
    tool = stage.world.tool.client_id
    assert set(rows) == {(tool, tool, "invalid_client"), ("unknown", None, "invalid_client")}


async def test_the_writer_loses_nothing_while_the_database_is_away_and_reads_stop_when_too_much_waits(
    world: World,
) -> None:
    async with open_pool(world.url, "cdp_app") as pool:
        writer = AuditWriter(lambda: pool)
        writer.read([OPERATOR.did("read", f"cus_{number}") for number in range(9_999)])
        writer.require_room()
        for _ in range(500):
            writer.refused(NOBODY.was_refused("api", "token_invalid"))
        world.execute("ALTER TABLE audit_record RENAME TO away")
        with pytest.raises(psycopg.Error):
            await writer.write()
        writer.read([OPERATOR.did("read", "cus_last")])
        with pytest.raises(Unavailable):
            writer.require_room()
        world.execute("ALTER TABLE away RENAME TO audit_record")
        await writer.write()
        writer.require_room()
    assert world.execute("SELECT count(*) FROM audit_record WHERE event = 'read'") == [(10_000,)]
    assert world.execute("SELECT details FROM audit_record WHERE event = 'api'") == [({"unrecorded": 499},)]


async def test_adding_to_the_record_costs_a_read_microseconds(world: World) -> None:
    """The batch is written elsewhere; what a read pays is an append."""
    async with open_pool(world.url, "cdp_app") as pool:
        writer = AuditWriter(lambda: pool)
        started = asyncio.get_running_loop().time()
        for _ in range(1_000):
            writer.require_room()
            writer.read([OPERATOR.did("read", "cus_1")])
        assert asyncio.get_running_loop().time() - started < 0.2


def test_looking_as_a_client_is_on_record_under_their_account(world: World) -> None:
    entry = view_as(Actor(actor="sam"), account_id=world.accounts[NORD], reason="they asked on the phone", minutes=30)
    with connect(world.url) as connection:
        record(connection, entry)
        rows = read_records(connection, event="view_as", number=NORD, most=10)
    assert [(row[3], row[5], row[8]) for row in rows] == [
        ("sam", world.accounts[NORD], {"reason": "they asked on the phone", "minutes": 30})
    ]


def test_making_a_client_by_hand_tells_no_secret_to_the_record(world: World) -> None:
    with connect(world.url) as connection:
        made = create_client(connection, name="x", scopes=[Scope.GRAPH_READ])
    text = str(world.execute("SELECT * FROM audit_record"))
    assert made.client_secret is not None
    assert made.client_secret not in text
