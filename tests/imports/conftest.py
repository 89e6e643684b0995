"""An ERP whose records are imported through the real pipeline into a real database."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.ingest.importing import ImportCount, find_source, import_kind, import_records, read
from cdp.ingest.record_lines import Rejection
from cdp.ingest.sources import create_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Erp:
    """A source and a connection to import its records through."""

    connection: Connection[Any]
    name: str

    def deliver(self, kind: str, text: str) -> tuple[ImportCount, list[Rejection]]:
        """Import `text`, CSV or NDJSON by its look, in blocks as small as a slow network's."""
        data = text.encode()
        rejections: list[Rejection] = []
        known = import_kind(kind)
        records = read(
            known, "ndjson" if text.startswith("{") else "csv", (data[at : at + 7] for at in range(0, len(data), 7))
        )
        source = find_source(self.connection, self.name)
        count = import_records(
            self.connection, source, known, records, lambda chunk, _: rejections.extend(chunk.rejections)
        )
        return count, rejections

    def accept(self, kind: str, text: str) -> int:
        """Import `text`, of which nothing may be refused; how many records."""
        count, rejections = self.deliver(kind, text)
        assert rejections == []
        return count.accepted

    def refuse(self, kind: str, text: str) -> list[tuple[int, str, str]]:
        """Line, field and code of what was refused of `text`."""
        return [(one.line, one.field, one.code) for one in self.deliver(kind, text)[1]]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return self.connection.execute(query).fetchall()


@pytest.fixture
def erp(shared_database_url: str) -> Iterator[Erp]:
    # Everything happens inside one transaction that is rolled back, the pipeline's own becoming savepoints of it.
    with (
        connect(shared_database_url, "cdp_app", autocommit=True) as connection,
        connection.transaction(force_rollback=True),
    ):
        create_source(connection, "erp", channel="erp", identifier_namespace="erp_id", default_region="GB")
        yield Erp(connection=connection, name="erp")


@pytest.fixture
def erp_with_accounts(erp: Erp) -> Erp:
    """With an organisation, its buyer, and two accounts."""
    erp.accept(
        "customers",
        "external_id,kind,name,email,organisation\nO1,organisation,Acme Ltd,,\nP1,person,Ann Buyer,ann@acme.test,O1\n",
    )
    erp.accept("accounts", "number,customer,name,currency,tier\nK-1,O1,Acme,EUR,key\nK-2,O1,Acme US,USD,\n")
    return erp
