"""Effects of the ledger's append-only half and of shipments: entries, allocations, disputes, each set-wise.

As `cdp.ledger.queries`: inside the caller's transaction, keys looked up in one statement and records read in the next.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from cdp.db.rows import as_rows
from cdp.db.statements import load_statements
from cdp.ledger.queries import RecordHome
from cdp.ledger.stored import AllocatedEntry, StoredAllocation, StoredEntry
from cdp.ledger.telling import PutShipment

if TYPE_CHECKING:
    from cdp.ledger.allocations import DisputeRecord
    from cdp.ledger.shipments import ShipmentRecord

Key = tuple[UUID, str]
Homes = dict[Key, RecordHome]

STATEMENTS: Final = load_statements("cdp.ledger", "entries.sql")


def claim_entry_keys(connection: Connection[Any], asked: Mapping[Key, UUID], named: Iterable[Key]) -> Homes:
    """Homes of the entries `asked` (key → customer), new ones included, and of known entries `named`; all locked."""
    connection.execute(STATEMENTS["claim_entry_keys"], {"records": _claims(asked)})
    return _homes(connection, "lock_entry_keys", [*asked, *named])


def release_entry_keys(connection: Connection[Any], keys: Collection[Key]) -> None:
    """Forget keys whose entries were refused."""
    if keys:
        connection.execute(STATEMENTS["release_entry_keys"], {"records": _keys(keys)})


def entries_at(connection: Connection[Any], homes: Homes) -> dict[Key, StoredEntry]:
    """The entries that are stored, of those that have a home."""
    rows = _read(connection, "entries_at", homes, "entry_ids")
    found = {row["entry_id"]: StoredEntry(**row) for row in rows}
    return {key: found[home.record_id] for key, home in homes.items() if home.record_id in found}


def append_entries(connection: Connection[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append entries that were judged."""
    if rows:
        connection.execute(STATEMENTS["append_entries"], {"entries": as_rows(rows)})


def allocated_entries(connection: Connection[Any], keys: Collection[Key]) -> dict[Key, AllocatedEntry]:
    """Entries as allocations see them, their keys locked; unknown ones are absent."""
    homes = _homes(connection, "lock_entry_keys", keys)
    found = {
        row["entry_id"]: AllocatedEntry(**row) for row in _read(connection, "allocated_entries", homes, "entry_ids")
    }
    return {key: found[home.record_id] for key, home in homes.items() if home.record_id in found}


def find_allocations(connection: Connection[Any], keys: Collection[Key]) -> dict[Key, StoredAllocation]:
    """The allocations that are stored; unknown ones are absent."""
    homes = _homes(connection, "allocation_keys", keys)
    found = {
        row.pop("allocation_id"): StoredAllocation(**row)
        for row in _read(connection, "allocations_at", homes, "allocation_ids")
    }
    return {key: found[home.record_id] for key, home in homes.items() if home.record_id in found}


def append_allocations(connection: Connection[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append allocations that were judged. Raises UniqueViolation when another transaction told one meanwhile."""
    if not rows:
        return
    made = connection.execute(STATEMENTS["append_allocation_keys"], {"allocations": as_rows(rows)})
    ids = {(source_id, external_id): record_id for source_id, external_id, record_id in made}
    given = as_rows(row | {"allocation_id": ids[row["source_id"], row["external_id"]]} for row in map(dict, rows))
    connection.execute(STATEMENTS["append_allocations"], {"allocations": given})


def put_disputes(connection: Connection[Any], disputes: Sequence[tuple["DisputeRecord", AllocatedEntry]]) -> None:
    """Store disputes as told last; `disputes` are (dispute, disputed entry)."""
    if not disputes:
        return
    told = {(one.source_id, one.external_id): (one, entry) for one, entry in disputes}
    claims = _claims({key: entry.customer_id for key, (_, entry) in told.items()})
    connection.execute(STATEMENTS["claim_dispute_keys"], {"records": claims})
    homes = _homes(connection, "lock_dispute_keys", told)
    rows = as_rows(
        {
            "customer_id": homes[key].customer_id,
            "dispute_id": homes[key].record_id,
            "account_id": entry.account_id,
            "entry_id": entry.entry_id,
            "reason": one.reason,
            "opened_on": one.opened_on,
            "closed_on": one.closed_on,
        }
        for key, (one, entry) in told.items()
    )
    connection.execute(STATEMENTS["put_disputes"], {"disputes": rows})


def claim_shipment_keys(connection: Connection[Any], asked: Mapping[Key, UUID]) -> Homes:
    """Homes of the shipments `asked` (key → customer), new ones included, locked."""
    connection.execute(STATEMENTS["claim_shipment_keys"], {"records": _claims(asked)})
    return _homes(connection, "lock_shipment_keys", asked)


def orders_of_shipments(connection: Connection[Any], homes: Homes) -> dict[Key, UUID]:
    """The order of each shipment that is stored."""
    found = {
        row["shipment_id"]: row["order_id"] for row in _read(connection, "orders_of_shipments", homes, "shipment_ids")
    }
    return {key: found[home.record_id] for key, home in homes.items() if home.record_id in found}


def put_shipments(
    connection: Connection[Any], shipments: Sequence[tuple[RecordHome, "ShipmentRecord"]]
) -> list[PutShipment]:
    """Store shipments and make their lines exactly those given; which shipments are new or other than before."""
    if not shipments:
        return []
    homes = [{"customer_id": home.customer_id, "shipment_id": home.record_id} for home, _ in shipments]
    rows = as_rows(asdict(one) | home for home, (_, one) in zip(homes, shipments, strict=True))
    lines = as_rows(asdict(line) | home for home, (_, one) in zip(homes, shipments, strict=True) for line in one.lines)
    put = [PutShipment(*row) for row in connection.execute(STATEMENTS["put_shipments"], {"shipments": rows})]
    connection.execute(STATEMENTS["advance_shipment_keys"], {"shipments": rows})
    given = {name: [home[name[:-1]] for home in homes] for name in ("customer_ids", "shipment_ids")}
    connection.execute(STATEMENTS["drop_shipment_lines"], given | {"lines": lines})
    connection.execute(STATEMENTS["put_shipment_lines"], {"lines": lines})
    return put


def _homes(connection: Connection[Any], statement: str, keys: Collection[Key]) -> Homes:
    return {
        (source_id, external_id): RecordHome(record_id=record_id, customer_id=customer_id, version=version)
        for source_id, external_id, record_id, customer_id, version in connection.execute(
            STATEMENTS[statement], {"records": _keys(keys)}
        )
    }


def _read(connection: Connection[Any], statement: str, homes: Homes, ids: str) -> list[dict[str, Any]]:
    given = {
        "customer_ids": [home.customer_id for home in homes.values()],
        ids: [home.record_id for home in homes.values()],
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(STATEMENTS[statement], given).fetchall()


def _keys(keys: Iterable[Key]) -> str:
    return as_rows({"source_id": source_id, "external_id": external_id} for source_id, external_id in keys)


def _claims(asked: Mapping[Key, UUID]) -> str:
    return as_rows(
        {"source_id": source_id, "external_id": external_id, "customer_id": customer_id}
        for (source_id, external_id), customer_id in asked.items()
    )
