"""Values bound as one: an array literal says what was given, whatever the text."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.rows import as_array

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@pytest.fixture(scope="module")
def database(shared_database_url: str) -> Iterator[Connection[Any]]:
    with connect(shared_database_url, autocommit=True) as connection:
        yield connection


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | TEXTS, max_size=8))
@example(["null", "NULL", None, "", "{}", ",", '"', "\\", '\\"', "\\\\n", "a\nb\\n", "\x1f\x7f", '{"a": "b\\nc"}', "𝕏"])
def test_texts_arrive_as_given(database: Connection[Any], texts: list[str | None]) -> None:
    assert database.execute("SELECT %s::text[]", (as_array(texts),)).fetchone() == (texts,)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("uuid", [UUID(int=7), None]),
        ("timestamptz", [datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)]),
        ("boolean", [True, None, False]),
        ("bigint", [2**63 - 1, -1, 0]),
        ("numeric", [Decimal("1.10"), Decimal("-12345678901234567890.123")]),
        ("float8", [1.5, 1e300]),
    ],
)
def test_values_of_every_kind_arrive_as_given(database: Connection[Any], kind: str, values: list[Any]) -> None:
    assert database.execute(f"SELECT %s::{kind}[]", (as_array(values),)).fetchone() == (values,)


def test_a_nul_is_refused(database: Connection[Any]) -> None:
    with pytest.raises(psycopg.DataError):
        database.execute("SELECT %s::text[]", (as_array(["a\x00b"]),))
