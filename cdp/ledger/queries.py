"""The ledger's effects: set-wise statements of accounts, orders and their moves between customers.

Every function takes a connection and works inside the caller's transaction. Look-ups by key and reads by customer are
separate statements (distribution rule 3 of the design): never joined.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_rows, fields_of
from cdp.db.statements import load_statements
from cdp.feed import append
from cdp.ledger import moves
from cdp.ledger.telling import PutAccount, PutOrder, RelinedOrder, SettledOrder, moved_account_changes

if TYPE_CHECKING:
    from cdp.ledger.accounts import AccountRecord, ConsumerAccount
    from cdp.ledger.orders import OrderLine, OrderRecord

STATEMENTS: Final = load_statements("cdp.ledger")

EVENTS_ONLY: Final = -1
"""Version of an order of which only events are known: any full record is newer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHome:
    """Where a record lives: its id, the customer it belongs to by now, and the version it is at."""

    record_id: UUID
    customer_id: UUID
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHome:
    """An account found by its number: its id, holder, the profile it is held through, currency and version."""

    number: str
    account_id: UUID
    customer_id: UUID
    profile_id: UUID
    currency: str
    version: int


def rehome(connection: Connection[Any], moves: Sequence[tuple[UUID, UUID, UUID]]) -> None:
    """Follow profiles to other customers: `(profile_id, old_customer_id, new_customer_id)` each.

    Accounts held through a profile move with everything in them; orders that a profile placed keep naming its person.
    """
    if not moves:
        return
    profiles, old, new = (list(column) for column in zip(*moves, strict=True))
    given = {"profile_ids": profiles, "old_customer_ids": old, "new_customer_ids": new}
    connection.execute(STATEMENTS["move_order_contacts"], given)
    move_accounts(connection, connection.execute(STATEMENTS["accounts_of_profiles"], given).fetchall())


def move_accounts(connection: Connection[Any], accounts: Sequence[tuple[UUID, UUID, UUID]]) -> None:
    """Move accounts and all that is theirs, and tell: `(account_id, old_customer_id, new_customer_id)` each."""
    accounts = [move for move in accounts if move[1] != move[2]]
    if not accounts:
        return
    ids, old, new = (list(column) for column in zip(*accounts, strict=True))
    given = {"account_ids": ids, "old_customer_ids": old, "new_customer_ids": new}
    for table in moves.of_an_account():
        connection.execute(moves.move_rows(table), given)
    for key in moves.KEYS:
        connection.execute(moves.move_keys(key), given)
    connection.execute(moves.MOVE_ACCOUNT_KEYS, given)
    append(connection, moved_account_changes(accounts))


def claim_account_keys(connection: Connection[Any], accounts: Iterable["AccountRecord"]) -> None:
    """Give every number not heard of before an account id."""
    rows = [{"number": account.number, "customer_id": account.customer_id} for account in accounts]
    connection.execute(STATEMENTS["claim_account_keys"], {"accounts": as_rows(rows)})


def account_keys(
    connection: Connection[Any], numbers: Collection[str], *, lock: bool = False
) -> dict[str, tuple[UUID, UUID]]:
    """`(account_id, customer_id)` by number; unknown numbers are absent. `lock` until the transaction ends."""
    statement = STATEMENTS["lock_account_keys" if lock else "account_keys"]
    found = connection.execute(statement, {"numbers": list(numbers)})
    return {number: (account_id, customer_id) for number, account_id, customer_id in found}


def find_accounts(connection: Connection[Any], numbers: Collection[str]) -> dict[str, AccountHome]:
    """Where the accounts of these numbers live; unknown numbers are absent."""
    return accounts_at(connection, list(account_keys(connection, numbers).values()))


def accounts_at(connection: Connection[Any], pairs: Sequence[tuple[UUID, UUID]]) -> dict[str, AccountHome]:
    """Accounts, by number, of `(account_id, customer_id)` pairs."""
    given = {"account_ids": [pair[0] for pair in pairs], "customer_ids": [pair[1] for pair in pairs]}
    return {
        number: AccountHome(
            number=number,
            account_id=account_id,
            customer_id=customer_id,
            profile_id=profile_id,
            currency=currency,
            version=version,
        )
        for number, account_id, customer_id, profile_id, currency, version in connection.execute(
            STATEMENTS["accounts_at"], given
        )
    }


def put_accounts(connection: Connection[Any], accounts: Sequence[tuple[UUID, "AccountRecord"]]) -> list[PutAccount]:
    """Store `(account_id, account)` as told, at the customer the account names; which are new or other than before."""
    rows = [fields_of(account) | {"account_id": account_id} for account_id, account in accounts]
    return [PutAccount(*row) for row in connection.execute(STATEMENTS["put_accounts"], {"accounts": as_rows(rows)})]


def accounts_of_customers(connection: Connection[Any], wanted: Iterable["ConsumerAccount"]) -> dict[UUID, UUID]:
    """One account of each customer that has any: the oldest in the wanted currency, else the oldest."""
    rows = [{"customer_id": one.customer_id, "currency": one.currency} for one in wanted]
    return dict(connection.execute(STATEMENTS["accounts_of_customers"], {"wanted": as_rows(rows)}).fetchall())


def hold_account_opening(connection: Connection[Any], customer_ids: Sequence[UUID]) -> None:
    """Take turns with other transactions that open accounts for these customers."""
    connection.execute(STATEMENTS["hold_account_opening"], {"customer_ids": list(customer_ids)})


def next_consumer_numbers(connection: Connection[Any], count: int) -> list[str]:
    """`count` new numbers for consumers' accounts."""
    return [number for (number,) in connection.execute(STATEMENTS["next_consumer_numbers"], {"count": count})]


def claim_order_keys(
    connection: Connection[Any], orders: Collection["OrderRecord"]
) -> dict[tuple[UUID, str], RecordHome]:
    """Where each order lives, new ones included, locked until the transaction ends."""
    rows = as_rows(
        {"source_id": order.source_id, "external_id": order.external_id, "customer_id": order.customer_id}
        for order in orders
    )
    connection.execute(STATEMENTS["claim_order_keys"], {"orders": rows})
    return _homes(connection.execute(STATEMENTS["lock_order_keys"], {"orders": rows}).fetchall())


def find_orders(connection: Connection[Any], keys: Collection[tuple[UUID, str]]) -> dict[tuple[UUID, str], RecordHome]:
    """Where the orders `(source_id, external_id)` live; unknown ones are absent."""
    rows = as_rows({"source_id": source_id, "external_id": external_id} for source_id, external_id in keys)
    return _homes(connection.execute(STATEMENTS["order_homes"], {"records": rows}).fetchall())


def put_orders(connection: Connection[Any], rows: Sequence[Mapping[str, Any]]) -> list[PutOrder]:
    """Store the content of orders where it is new or newer, and remember the version; which are other than before.

    A promised day that changes is told as an event of the order.
    """
    given = {"orders": as_rows(rows)}
    connection.execute(STATEMENTS["note_changed_promises"], given)
    put = [PutOrder(*row) for row in connection.execute(STATEMENTS["put_orders"], given)]
    connection.execute(STATEMENTS["advance_order_keys"], given)
    return put


def replace_order_lines(
    connection: Connection[Any], orders: Sequence[tuple[Mapping[str, Any], Sequence["OrderLine"]]]
) -> set[RelinedOrder]:
    """Make the lines of each order exactly those given; `orders` are (order row, lines). Whose are other than before."""
    if not orders:
        return set()
    lines = as_rows(
        fields_of(line) | {"customer_id": row["customer_id"], "order_id": row["order_id"]}
        for row, order_lines in orders
        for line in order_lines
    )
    dropped = connection.execute(
        STATEMENTS["drop_order_lines"],
        {
            "customer_ids": [row["customer_id"] for row, _ in orders],
            "order_ids": [row["order_id"] for row, _ in orders],
            "lines": lines,
        },
    )
    put = connection.execute(STATEMENTS["put_order_lines"], {"lines": lines})
    return {RelinedOrder(*row) for row in [*dropped, *put]}


def put_order_events(connection: Connection[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Append events not told before."""
    if rows:
        connection.execute(STATEMENTS["put_order_events"], {"events": as_rows(rows)})


def settle_orders(connection: Connection[Any], orders: Collection[tuple[UUID, UUID]]) -> list[SettledOrder]:
    """Bring status and refunded amount of `(customer_id, order_id)` in line with all that is known; whose changed."""
    if not orders:
        return []
    given = {"customer_ids": [one[0] for one in orders], "order_ids": [one[1] for one in orders]}
    return [SettledOrder(*row) for row in connection.execute(STATEMENTS["settle_orders"], given)]


def _homes(rows: Iterable[tuple[UUID, str, UUID, UUID, int]]) -> dict[tuple[UUID, str], RecordHome]:
    return {
        (source_id, external_id): RecordHome(record_id=record_id, customer_id=customer_id, version=version)
        for source_id, external_id, record_id, customer_id, version in rows
    }
