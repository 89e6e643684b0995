"""The second wall alone: what the database lets the portal's role see and do, whatever the application asks."""

import asyncio
import random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import AsyncConnection, Connection, errors

from cdp.access.viewer import ENTER, Member, Role, entry
from cdp.db.engine import connect, open_pool
from tests.access.world import NORD, SUED, World

CANARY = "canary-of-"
# Tables whose rows belong to an account; filled below with canaries for both, from the catalogue rather than from a
# list.
OF_AN_ACCOUNT = """
    SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attname = 'account_id'
      AND has_any_column_privilege('cdp_portal', pg_class.oid, 'SELECT')
"""
WORTH = {
    "text": "%(canary)s",
    "uuid": "%(id)s",
    "numeric": "12",
    "int4": "1",
    "int8": "1",
    "date": "'2026-01-31'",
    "timestamptz": "now()",
    "bool": "false",
    "jsonb": "'{}'",
    "bytea": "sha256(convert_to(%(canary)s::text, 'UTF8'))",
    "_text": "'{}'",
    "_uuid": "'{}'",
}


@pytest.fixture
def filled(world: World) -> World:
    """The world with a row of each account in every table of accounts that the portal can read; checks are off
    meanwhile.
    """
    with psycopg.connect(world.url) as connection:
        for number, account_id in world.accounts.items():
            for (table,) in connection.execute(OF_AN_ACCOUNT).fetchall():
                if table not in {"account", "membership"}:
                    _plant(connection, table, number, account_id)
    return world


def _plant(connection: Connection[Any], table: str, number: str, account_id: UUID) -> None:
    checks = connection.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'c'", [table]
    ).fetchall()
    for (name,) in checks:
        connection.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'.encode())
    columns = connection.execute(
        """SELECT attname, typname FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''""",
        [table],
    ).fetchall()
    names = ", ".join(name for name, _ in columns)
    values = ", ".join("%(account)s" if name == "account_id" else WORTH[kind] for name, kind in columns)
    given = {"canary": f"{CANARY}{number}", "id": uuid4(), "account": account_id}
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})".encode(), given)


def as_member(
    connection: Connection[Any], member_id: UUID | None, account_id: UUID | None, role: Role = Role.VIEWER
) -> None:
    viewer = Member(member_id=member_id or uuid4(), account_id=account_id or uuid4(), role=role)
    connection.execute(ENTER, entry(viewer))


def everything(connection: Connection[Any]) -> dict[str, str]:
    """All the portal's role can read at this moment, table by table."""
    readable = connection.execute("""
        SELECT relname, (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
            WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
              AND has_column_privilege('cdp_portal', attrelid, attnum, 'SELECT'))
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'p')
          AND relname <> 'alembic_version' AND has_any_column_privilege('cdp_portal', oid, 'SELECT')
    """).fetchall()
    return {
        table: str(connection.execute(f"SELECT json_agg(r) FROM (SELECT {columns} FROM {table}) r".encode()).fetchone())
        for table, columns in readable
    }


@pytest.mark.parametrize(("name", "own", "other"), [("bodo", NORD, SUED), ("cleo", SUED, NORD), ("fina", NORD, SUED)])
def test_a_member_reads_rows_of_their_account_only_in_every_table(
    filled: World, name: str, own: str, other: str
) -> None:
    with connect(filled.url, "cdp_portal") as connection:
        as_member(connection, filled.members[name], filled.accounts[own])
        seen = everything(connection)
    ledger = {"ledger_entry", "allocation", "dispute"}
    for table, rows in seen.items():
        assert f"{CANARY}{other}" not in rows, table
        if (table, name) != ("membership", "fina"):  # fina's other membership is her own
            assert str(filled.accounts[other]) not in rows, table
        if "order" in table or "shipment" in table or (table in ledger and name != "bodo"):
            assert str(filled.accounts[own]) in rows, table
        if table in ledger and name == "bodo":
            assert rows == "(None,)", table  # a buyer sees no balances
    assert "Holder of " + own in seen["customer"]


@pytest.mark.parametrize(
    ("name", "number"),
    [("bodo", SUED), ("vera", NORD), (None, NORD), ("bodo", None), (None, None)],
)
def test_without_a_membership_there_is_nothing(filled: World, name: str | None, number: str | None) -> None:
    with connect(filled.url, "cdp_portal") as connection:
        member_id = filled.members[name] if name else None
        as_member(connection, member_id, filled.accounts[number] if number else None, Role.CLIENT_ADMIN)
        assert set(everything(connection).values()) == {"(None,)"}
        assert connection.execute("SELECT * FROM current_accounts()").fetchall() == []


@pytest.mark.parametrize("taken", ["DELETE FROM membership", "UPDATE member SET disabled_at = now()"])
def test_who_no_longer_belongs_enters_no_transaction(filled: World, taken: str) -> None:
    with connect(filled.url, "cdp_portal", autocommit=True) as connection:
        with connection.transaction():
            as_member(connection, filled.members["fina"], filled.accounts[NORD])
            assert str(filled.accounts[NORD]) in everything(connection)["ledger_entry"]
        filled.execute(f"{taken} WHERE member_id = %s", filled.members["fina"])
        with connection.transaction():
            as_member(connection, filled.members["fina"], filled.accounts[NORD])
            assert set(everything(connection).values()) == {"(None,)"}


def test_who_is_refused_entry_has_left_where_they_were(filled: World) -> None:
    with connect(filled.url, "cdp_portal") as connection:
        as_member(connection, filled.members["bodo"], filled.accounts[NORD])
        as_member(connection, filled.members["bodo"], filled.accounts[SUED])
        assert set(everything(connection).values()) == {"(None,)"}
        names = ["member_id", "view_id", "account_id", "member_role"]
        told = connection.execute(
            "SELECT array_agg(current_setting('cdp.' || name)) FROM unnest(%s::text[]) AS name", [names]
        )
        assert told.fetchone() == (["", "", "", ""],)


def test_the_switcher_is_told_the_members_own_accounts(world: World) -> None:
    with connect(world.url, "cdp_portal") as connection:
        as_member(connection, world.members["fina"], world.accounts[NORD])
        rows = connection.execute("SELECT number, role FROM current_accounts()").fetchall()
    assert rows == [(NORD, "finance"), (SUED, "finance")]


def test_settings_end_with_their_transaction(filled: World) -> None:
    with connect(filled.url, "cdp_portal", autocommit=True) as connection:
        with connection.transaction():
            as_member(connection, filled.members["fina"], filled.accounts[NORD])
            assert everything(connection)["account"] != "(None,)"
        assert set(everything(connection).values()) == {"(None,)"}


def test_a_table_planted_in_the_temporary_schema_opens_no_wall(filled: World) -> None:
    with connect(filled.url, "cdp_portal") as connection:
        connection.execute("CREATE TEMP TABLE membership (account_id uuid, member_id uuid, role text)")
        intruder = filled.members["bodo"]
        connection.execute("INSERT INTO membership VALUES (%s, %s, 'client_admin')", [filled.accounts[SUED], intruder])
        as_member(connection, intruder, filled.accounts[SUED])
        assert connection.execute("SELECT current_account()").fetchone() == (None,)
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (0,)


FORBIDDEN = [
    "SELECT 1 FROM login_session",
    "SELECT 1 FROM pending_login",
    "SELECT 1 FROM idp_user",
    "SELECT 1 FROM signing_key",
    "SELECT 1 FROM oauth_client",
    "SELECT 1 FROM refresh_token",
    "SELECT 1 FROM authorization_code",
    "SELECT invite_hash FROM invite",
    "SELECT invited_by FROM invite",
    "SELECT 1 FROM idp_session",
    "SELECT 1 FROM password_reset",
    "SELECT 1 FROM authenticator",
    "SELECT 1 FROM passkey",
    "SELECT 1 FROM recovery_code",
    "SELECT 1 FROM used_once",
    "SELECT 1 FROM logout_notice",
    "SELECT idp_end_sessions(new_id(), NULL, NULL)",
    "SELECT take_once('x', now())",
    "SELECT issuer FROM member",
    "SELECT subject FROM staff",
    "SELECT email FROM customer",
    "UPDATE membership SET role = 'client_admin'",
    "DELETE FROM sales_order",
    "INSERT INTO audit_record (event, outcome, actor) VALUES ('x', 'done', 'x')",
    "TRUNCATE account",
    "SET ROLE cdp_app",
    "SET ROLE cdp_owner",
    "ALTER TABLE account DISABLE ROW LEVEL SECURITY",
    "CREATE FUNCTION public.current_member() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "CREATE TABLE public.loot (a int)",
]


def test_the_portal_may_not(world: World, subtests: pytest.Subtests) -> None:
    url = world.url.replace("postgres@", "cdp_portal@")  # signed in as the portal, as its process is
    for statement in FORBIDDEN:
        with (
            subtests.test(statement=statement),
            psycopg.connect(url) as connection,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


def test_every_function_that_runs_as_its_owner_fixes_its_search_path(world: World) -> None:
    loose = world.execute("""
        SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND (proconfig IS NULL OR NOT 'search_path=public, pg_temp' = ANY (proconfig))
    """)
    assert loose == []
    callable_by_all = world.execute("""
        SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))
    """)
    assert callable_by_all == []


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_record SET reason = 'x'", "DELETE FROM audit_record", "TRUNCATE audit_record"]
)
@pytest.mark.parametrize("role", ["cdp_app", "cdp_owner"])
def test_the_audit_record_only_grows(world: World, statement: str, role: Any) -> None:
    with connect(world.url) as connection:
        connection.execute("INSERT INTO audit_record (event, outcome, actor) VALUES ('x', 'done', 'x')")
    with connect(world.url, role) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement.encode())


async def test_two_hundred_interleaved_requests_on_two_connections_leak_nothing(filled: World) -> None:
    """Members of two accounts in turn, some failing in the middle, some cancelled: each sees their own account or
    nothing.
    """
    chance = random.Random(7)
    outcomes: list[str] = []

    async def ask(connection: AsyncConnection[Any], name: str, number: str, fate: str) -> None:
        viewer = Member(member_id=filled.members[name], account_id=filled.accounts[number], role=Role.FINANCE)
        async with connection.transaction():
            await connection.execute(ENTER, entry(viewer))
            await asyncio.sleep(chance.random() / 500)
            if fate == "fails":
                await connection.execute("SELECT 1 / 0")
            if fate == "hangs":
                await connection.execute("SELECT pg_sleep(30)")
            cursor = await connection.execute("SELECT DISTINCT account_id FROM sales_order")
            assert await cursor.fetchall() == [(filled.accounts[number],)]

    async def request(index: int) -> None:
        name, number = (("bodo", NORD), ("cleo", SUED))[index % 2]
        fate = chance.choice(["answers", "answers", "answers", "fails", "hangs"])
        async with pool.connection() as connection:
            before = await (await connection.execute("SELECT count(*) FROM sales_order")).fetchone()
            assert before == (0,)  # nothing is left of whoever had the connection before
            try:
                async with asyncio.timeout(0.05 if fate == "hangs" else 10):
                    await ask(connection, name, number, fate)
            except (errors.DivisionByZero, TimeoutError):
                pass
            outcomes.append(fate)

    async with open_pool(filled.url, "cdp_portal", min_size=2, max_size=2, autocommit=True) as pool:
        pool.timeout = 60
        await asyncio.gather(*(request(index) for index in range(200)))
    assert len(outcomes) == 200
    assert set(outcomes) == {"answers", "fails", "hangs"}
