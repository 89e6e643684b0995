"""One business twice: with everybody in it, and as if one account were alone. Whoever sees only their own can't tell them apart.

In `crowded` every row that isn't the account's has the canary in each of its texts, words of JSON and files; in `alone` those
rows don't exist. What belongs to an account is read from the catalogue (`account_id`, `customer_id`), so a new table joins by
itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import Connection, sql

from tests.databases import Databases
from tests.graph.business import found, uuid_of

CANARY: Final = "CANARY"
OWN, OTHER, ABSENT = 10, 20, 998
IN_BASE64: Final = ("Q0FOQVJZ", "NBTkFSW", "DQU5BUl")
"""What of the canary stands in base64 text that holds it, by where it begins."""

# What is everybody's, and keys that look-ups need as they are.
KEPT_TABLES: Final = {"alembic_version", "source", "membership", "contact_topic"}
KEPT_COLUMNS: Final = {
    ("account_key", "number"),
    ("identifier", "value"),
    ("customer_identifier", "value"),
    ("source", "name"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is one account's: its id, its holder and the holder's contacts, its people and the staff it may know."""

    account: str
    customers: list[str]
    members: list[str]
    staff: list[str]


OWNED: Final = Own(
    account=uuid_of("0004", OWN),
    customers=[uuid_of("0001", OWN + number) for number in range(3)],
    members=[uuid_of("0008", number) for number in range(1, 5)],
    staff=["00000000-0000-7000-8000-00000000b001"],
)
"""What is account OWN's in the made-up business of tests/graph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """URLs (as superuser) of both."""

    crowded: str
    alone: str


@contextmanager
def both(databases: Databases, *, prepare: Callable[[str], None] | None = None, own: Own = OWNED) -> Iterator[Worlds]:
    """The made-up business of tests/graph, around account OWN; `prepare` adds to it, given the URL, before anything else."""
    with databases.copy() as crowded:
        found(crowded)
        if prepare is not None:
            prepare(crowded)
        with psycopg.connect(crowded) as connection:
            for table in ("issued_statement_file", "case_file"):
                connection.execute(
                    sql.SQL("UPDATE {} SET content = 'a file' WHERE content = 'CANARY'").format(sql.Identifier(table))
                )
            plant(connection, own)
        with databases.copy(crowded) as alone:
            with psycopg.connect(alone) as connection:
                empty(connection, own)
            yield Worlds(crowded=crowded, alone=alone)


def foreign_to(table: str, columns: set[str]) -> str | None:
    """The rows of a table that aren't the account's, as a condition; None for a table that stays as it is."""
    if table in KEPT_TABLES or table.startswith("procrastinate"):
        return None
    if "account_id" in columns:
        return "account_id IS DISTINCT FROM %(account)s"
    if "customer_id" in columns:
        return "customer_id <> ALL (%(customers)s::uuid[])"
    if "member_id" in columns:
        return "member_id <> ALL (%(members)s::uuid[])"
    if "staff_id" in columns:
        return "staff_id <> ALL (%(staff)s::uuid[])"
    return "true"


Foreign = Callable[[str, set[str]], str | None]


def plant(connection: Connection[Any], own: Own, *, foreign_to: Foreign = foreign_to) -> dict[str, int]:
    """Put the canary into every text, JSON and file of every row that is foreign; how many rows of each table.

    Columns that a constraint holds to a list of words stay as they are: they identify nobody.
    """
    connection.execute("SET session_replication_role = replica")  # append-only tables too
    planted: dict[str, int] = {}
    for table, columns in _columns(connection).items():
        foreign = foreign_to(table, set(columns))
        if foreign is None:
            continue
        for column, kind in columns.items():
            if (value := _WITH_CANARY.get(kind)) is None or (table, column) in KEPT_COLUMNS:
                continue
            name = sql.Identifier(column)
            statement = sql.SQL("UPDATE {} SET {} = {} WHERE {} IS NOT NULL AND ({})").format(
                sql.Identifier(table), name, sql.SQL(value).format(name), name, sql.SQL(foreign)
            )
            try:
                with connection.transaction():
                    changed = connection.execute(statement, _given(own)).rowcount
            except (psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation):
                continue
            planted[table] = max(planted.get(table, 0), changed)
    return planted


def empty(connection: Connection[Any], own: Own, *, foreign_to: Foreign = foreign_to) -> None:
    """Delete every row that is foreign."""
    connection.execute("SET session_replication_role = replica")
    for table, columns in _columns(connection).items():
        foreign = foreign_to(table, set(columns))
        if foreign is not None:
            statement = sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(table), sql.SQL(foreign))
            connection.execute(statement, _given(own))
    connection.execute(
        "DELETE FROM membership WHERE account_id <> %(account)s OR member_id <> ALL (%(members)s::uuid[])", _given(own)
    )


def contents(url: str, *, foreign_only: bool = False, but: frozenset[str] = frozenset()) -> dict[str, str]:
    """A digest of every table's rows, or of the rows that aren't the account's, to see whether anything changed."""
    statement = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t WHERE {}"
    found = {}
    with psycopg.connect(url) as connection:
        for table, columns in _columns(connection).items():
            condition = foreign_to(table, set(columns)) if foreign_only else "true"
            if condition is not None and table not in but:
                asked = sql.SQL(statement).format(sql.Identifier(table), sql.SQL(condition))
                found[table] = str(connection.execute(asked, _given(OWNED)).fetchone())
    return found


def tells(answer: bytes | str) -> bool:
    """Whether the canary is in an answer, as it is or in base64."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return any(form in text for form in (CANARY, *IN_BASE64))


_WITH_CANARY: Final = {
    "text": "'CANARY-' || {}",
    "bytea": "convert_to('CANARY-', 'UTF8') || {}",
    "jsonb": r"""regexp_replace({}::text, '(^|[:\[,] ?)"([^"]*)"(?!:)', '\1"CANARY-\2"', 'g')::jsonb""",
    "_text": "ARRAY['CANARY'] || {}",
}


def _columns(connection: Connection[Any]) -> dict[str, dict[str, str]]:
    rows = connection.execute("""
        SELECT table_name, column_name, udt_name FROM information_schema.columns
        JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND is_generated = 'NEVER'
        ORDER BY table_name, ordinal_position
    """).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def _given(own: Own) -> dict[str, Any]:
    return {"account": own.account, "customers": own.customers, "members": own.members, "staff": own.staff}
