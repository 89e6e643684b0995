"""Customers, accounts and contacts: from typed records to claims, accounts and interactions.

Each function is set-wise over a chunk and works inside the caller's transaction; what a record names and isn't there refuses it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_rows
from cdp.events.interactions import InteractionRecord, record_interactions
from cdp.identify import Attached, ClaimDraft, ProfileKey, apply_claims
from cdp.identify.identifier import ACCOUNT_NUMBER, EMAIL, PHONE, USER_ID, VAT
from cdp.ingest.record_decoding import ReadRecord
from cdp.ingest.record_lines import Rejection
from cdp.ingest.record_source import NO_CUSTOMER, STATEMENTS, UNUSABLE_KEY, ImportSource, profiles_of
from cdp.ingest.records import (
    AccountImport,
    CustomerRecord,
)
from cdp.ledger.accounts import AccountRecord, record_accounts
from cdp.ledger.money import AmountOutOfRange, UnknownCurrency, money


def store_customers(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Claims about people and organisations; an organisation is known before its people, in the file or the chunk."""
    good, rejections = [], []
    for read in reads:
        record: CustomerRecord = read.record
        if source.key(record.external_id) is None:
            rejections.append(read.reject("external_id", "unusable_key", UNUSABLE_KEY.format(record.external_id)))
        elif record.email is not None and "@" not in record.email:
            rejections.append(read.reject("email", "invalid_email", f"{record.email} is not an e-mail address."))
        else:
            good.append(read)
    told = {read.record.external_id for read in good if read.record.kind == "organisation"}
    wanted = {read.record.organisation for read in good if read.record.organisation is not None} - told
    known = profiles_of(connection, source, wanted).keys() | told
    drafts = []
    for read in good:
        organisation = read.record.organisation
        if organisation is not None and organisation not in known:
            rejections.append(read.reject("organisation", "unknown_customer", NO_CUSTOMER.format(organisation)))
        else:
            drafts.append(_customer_draft(source, read.record, now))
    apply_claims(connection, drafts)
    return rejections


def store_accounts(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Accounts with their holders and managers. A holder not heard of before becomes an organisation, if not told otherwise."""
    known = profiles_of(connection, source, {read.record.customer for read in reads})
    good, rejections = [], []
    for read in reads:
        fault = _fault_of_account(source, read.record)
        if fault is not None:
            rejections.append(read.reject(*fault))
        else:
            good.append(read.record)
    drafts = [_holder_draft(source, record, now, is_known=record.customer in known) for record in good]
    attached = apply_claims(connection, drafts)
    staff = _put_staff(connection, good)
    record_accounts(connection, [_account(source, record, attached, staff) for record in good])
    return rejections


def store_interactions(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Contacts of known customers."""
    del now  # contacts say themselves when they happened
    known = profiles_of(connection, source, {read.record.customer for read in reads})
    contacts, rejections = [], []
    for read in reads:
        record = read.record
        attached = known.get(record.customer)
        if attached is None:
            rejections.append(read.reject("customer", "unknown_customer", NO_CUSTOMER.format(record.customer)))
            continue
        contacts.append(
            InteractionRecord(
                source_id=source.source_id,
                external_id=record.external_id,
                version=record.version,
                customer_id=attached.customer_id,
                profile_id=attached.profile_id,
                kind=record.kind,
                direction=record.direction,
                name=record.name,
                topic=record.topic,
                product=record.product,
                channel=record.channel or source.channel,
                division=record.division or source.division,
                location=record.location or source.location,
                occurred_at=record.occurred_at,
                duration_seconds=record.duration_seconds,
                properties=record.properties,
            )
        )
    record_interactions(connection, contacts)
    return rejections


def _customer_draft(source: ImportSource, record: CustomerRecord, now: datetime) -> ClaimDraft:
    identifiers = ((EMAIL, record.email), (PHONE, record.phone), (VAT, record.vat), (USER_ID, record.user_id))
    traits = dict(record.traits) | {
        name: value
        for name, value in (("name", record.name), ("email", record.email), ("phone", record.phone))
        if value is not None
    }
    return ClaimDraft(
        source_id=source.source_id,
        namespace=source.identifier_namespace,
        value=record.external_id,
        kind=record.kind,
        at=record.updated_at or now,
        message_id=f"import:{record.external_id}:{record.version}",
        identifiers=[(namespace, value) for namespace, value in identifiers if value is not None],
        traits=traits,
        group=None if record.organisation is None else (source.identifier_namespace, record.organisation),
        role=record.role,
    )


def _holder_draft(source: ImportSource, record: AccountImport, now: datetime, *, is_known: bool) -> ClaimDraft:
    """What an account says of its holder: its number and tax number; who they are only when nobody has said so yet."""
    identifiers = [(ACCOUNT_NUMBER, record.number)]
    if record.tax_id is not None:
        identifiers.append((VAT, record.tax_id))
    return ClaimDraft(
        source_id=source.source_id,
        namespace=source.identifier_namespace,
        value=record.customer,
        # Known holders keep their kind: "person" says nothing about a profile that exists.
        kind=record.holder_kind or ("person" if is_known else "organisation"),
        at=record.updated_at or now,
        message_id=f"import:account:{record.number}:{record.version}",
        identifiers=identifiers,
        traits={} if is_known else {"name": record.legal_name or record.name},
    )


def _fault_of_account(source: ImportSource, record: AccountImport) -> tuple[str, str, str] | None:
    if source.key(record.customer) is None:
        return "customer", "unusable_key", UNUSABLE_KEY.format(record.customer)
    if record.manager_email is not None and record.manager_name is None:
        return "manager_name", "missing_field", "The manager's name is required with the e-mail address."
    try:
        money(record.credit_limit or Decimal(0), record.currency)
    except UnknownCurrency as error:
        return "currency", "unknown_currency", error.message
    except AmountOutOfRange as error:
        return "credit_limit", "out_of_range", error.message
    if record.credit_limit is not None and record.credit_limit < 0:
        return "credit_limit", "out_of_range", "A credit limit is at least 0."
    return None


def _put_staff(connection: Connection[Any], records: Sequence[AccountImport]) -> dict[str, UUID]:
    told: dict[str, dict[str, str | None]] = {}
    for record in records:
        if record.manager_email is not None:
            email = record.manager_email.strip().lower()
            one = told.setdefault(email, {"email": email})
            said = {"name": record.manager_name, "title": record.manager_title, "phone": record.manager_phone}
            one.update({name: value for name, value in said.items() if value is not None})
    if not told:
        return {}
    return dict(connection.execute(STATEMENTS["put_staff"], {"staff": as_rows(told.values())}).fetchall())


def _account(
    source: ImportSource, record: AccountImport, attached: Mapping[ProfileKey, Attached], staff: Mapping[str, UUID]
) -> AccountRecord:
    key = source.key(record.customer)
    assert key is not None  # noqa: S101 — refused before
    return AccountRecord(
        source_id=source.source_id,
        number=record.number,
        version=record.version,
        customer_id=attached[key].customer_id,
        profile_id=attached[key].profile_id,
        name=record.name,
        tier=record.tier,
        currency=record.currency,
        legal_name=record.legal_name,
        tax_id=record.tax_id,
        credit_limit=None if record.credit_limit is None else money(record.credit_limit, record.currency),
        payment_terms_days=record.payment_terms_days,
        manager_staff_id=staff.get(record.manager_email.strip().lower()) if record.manager_email else None,
        opened_on=record.opened_on,
        billing_address=_lines(record.billing_address),
        delivery_address=_lines(record.delivery_address),
        bank_name=record.bank_name,
        bank_account_ending="".join(record.bank_account.split())[-4:] if record.bank_account else None,
    )


def _lines(address: str | None) -> str | None:
    """An address line by line, however the source parts its lines."""
    if address is None:
        return None
    return "\n".join(line.strip() for line in address.replace("|", "\n").splitlines() if line.strip()) or None
