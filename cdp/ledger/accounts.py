"""Accounts: commercial accounts as sources tell them, and the consumer's account that comes with the first order.

An account belongs to exactly one customer, its holder, through the profile that the source named (`profile_id`); its
number is unique in the company. When a source names another holder, the account moves there with all its orders and
entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg import Connection

from cdp.feed import append
from cdp.ledger import queries
from cdp.ledger.telling import account_changes

AccountTier = Literal["standard", "key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """What a source says about an account: the whole record, so that what it leaves out becomes unknown.

    `customer_id` is where `profile_id` (the holder as the source knows it) belongs now. `credit_limit` is in
    `currency`. Of a bank account the last four characters are kept, enough to recognise it by.
    """

    source_id: UUID
    number: str
    version: int = 0
    customer_id: UUID
    profile_id: UUID
    name: str
    tier: AccountTier = "standard"
    currency: str
    legal_name: str | None = None
    tax_id: str | None = None
    credit_limit: Decimal | None = None
    payment_terms_days: int | None = None
    manager_staff_id: UUID | None = None
    opened_on: date | None = None
    billing_address: str | None = None
    delivery_address: str | None = None
    bank_name: str | None = None
    bank_account_ending: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerAccount:
    """The account a consumer would get: held through `profile_id`, in the currency of the first order."""

    profile_id: UUID
    customer_id: UUID
    currency: str
    name: str
    source_id: UUID


def record_accounts(connection: Connection[Any], accounts: Sequence[AccountRecord]) -> Mapping[str, UUID]:
    """Record a batch of accounts and return every account's id by number; a lower version changes nothing.

    The caller holds the customers' lock and commits. A changed holder moves the account.
    """
    if not accounts:
        return {}
    newest: dict[str, AccountRecord] = {}
    for account in accounts:
        held = newest.get(account.number)
        if held is None or account.version >= held.version:
            newest[account.number] = account
    queries.claim_account_keys(connection, newest.values())
    keys = queries.account_keys(connection, newest, lock=True)
    stored = queries.accounts_at(connection, list(keys.values()))
    newer = [
        (keys[number][0], account)
        for number, account in newest.items()
        if number not in stored or account.version >= stored[number].version
    ]
    queries.move_accounts(
        connection, [(account_id, keys[account.number][1], account.customer_id) for account_id, account in newer]
    )
    append(connection, account_changes(queries.put_accounts(connection, newer)))
    return {number: account_id for number, (account_id, _) in keys.items()}


def ensure_consumer_accounts(connection: Connection[Any], wanted: Sequence[ConsumerAccount]) -> Mapping[UUID, UUID]:
    """The account of each customer wanted, by customer id: the oldest in the wanted currency, else the oldest; else a
    new one.

    New ones are numbered `C-1000001` and on. The caller holds the customers' lock and commits.
    """
    first: dict[UUID, ConsumerAccount] = {}
    for one in wanted:
        first.setdefault(one.customer_id, one)
    held = queries.accounts_of_customers(connection, first.values())
    missing = [one for customer_id, one in first.items() if customer_id not in held]
    if not missing:
        return held
    # Two transactions may open the same customer's first account at once; the second waits here and then finds it.
    queries.hold_account_opening(connection, [one.customer_id for one in missing])
    held |= queries.accounts_of_customers(connection, missing)
    missing = [one for one in missing if one.customer_id not in held]
    numbers = queries.next_consumer_numbers(connection, len(missing))
    opened = [
        AccountRecord(
            source_id=one.source_id,
            number=number,
            customer_id=one.customer_id,
            profile_id=one.profile_id,
            name=one.name,
            currency=one.currency,
        )
        for number, one in zip(numbers, missing, strict=True)
    ]
    ids = record_accounts(connection, opened)
    return held | {account.customer_id: ids[account.number] for account in opened}
