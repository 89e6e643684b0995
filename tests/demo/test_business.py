"""The generator: the same seed tells the same story to the byte, and the story keeps the trade's rules."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal

from cdp.demo.business import Business

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def business(seed: int = 7, customers: int = 600) -> Business:
    return Business(seed=seed, customers=customers, now=NOW)


def everything(told: Business) -> list[object]:
    return [*told.messages(), *told.master_data(), *told.trade(), *told.calls(), *told.parcels(), *told.guests()]


def test_the_same_seed_tells_the_same_story() -> None:
    assert everything(business()) == everything(business())


def test_another_seed_tells_another() -> None:
    assert everything(business(seed=8)) != everything(business())


def test_nothing_is_dated_after_now() -> None:
    at = [told.content["timestamp"] for told in business().messages()]
    for delivery in [*business().trade(), *business().calls(), *business().parcels()]:
        for record in delivery.records:
            at += [value for name, value in record.items() if name.endswith("_at")]
            assert all(
                date.fromisoformat(value) <= NOW.date()
                for name, value in record.items()
                if name in ("posted_on", "allocated_on", "opened_on", "closed_on")
            )
    assert max(map(datetime.fromisoformat, at)) <= NOW


def test_keys_are_unique_so_that_telling_again_adds_nothing() -> None:
    messages = Counter((told.source, told.content["messageId"]) for told in business().messages())
    assert messages.most_common(1)[0][1] == 1
    for delivery in [*business().trade(), *business().calls(), *business().parcels()]:
        keys = Counter((record.get("record"), record["external_id"]) for record in delivery.records)
        assert keys.most_common(1)[0][1] == 1, delivery.kind


def test_it_has_the_size_asked_for() -> None:
    told = business(customers=2_400)
    people = len(told.shoppers) + sum(len(company.contacts) for company in told.companies)
    assert people + len(told.companies) == 2_400
    assert told.customer_count == 2_400 + told.passers_by
    assert len(told.companies) >= 40
    assert sum(company.is_key_account for company in told.companies) >= 6


def test_every_kind_of_entry_and_mishap_is_in_the_ledger() -> None:
    ledger = business().trade()[-1].records
    kinds = Counter(record.get("kind", record.get("record")) for record in ledger)
    assert kinds.keys() == {
        *("invoice", "payment", "credit_note", "write_off", "discount", "interest", "refund", "debit_note"),
        *("allocation", "dispute"),
    }
    assert any("reverses" in record for record in ledger)
    assert any("closed_on" in record for record in ledger if record.get("record") == "dispute")
    paid = Counter(record["credit"] for record in ledger if record.get("record") == "allocation")
    assert paid.most_common(1)[0][1] > 2, "a payment that settles several invoices"
    settled = Counter(record["debit"] for record in ledger if record.get("record") == "allocation")
    assert settled.most_common(1)[0][1] > 1, "an invoice paid in parts"
    unapplied = {record["external_id"] for record in ledger if record.get("kind") == "payment"} - paid.keys()
    assert unapplied


def test_key_accounts_keep_books_in_two_currencies_for_two_years() -> None:
    ledger = business().trade()[-1].records
    days: defaultdict[tuple[str, str], list[date]] = defaultdict(list)
    for record in ledger:
        if "posted_on" in record:
            days[record["account"], record["currency"]].append(date.fromisoformat(record["posted_on"]))
    for company in business().companies:
        if company.is_key_account:
            for currency in ("EUR", "GBP"):
                posted = days[company.number, currency]
                assert (max(posted) - min(posted)).days > 600


def test_no_allocation_uses_more_than_there_is() -> None:
    ledger = business().trade()[-1].records
    left = {record["external_id"]: abs(Decimal(record["amount"])) for record in ledger if "posted_on" in record}
    for record in ledger:
        if record.get("record") == "allocation":
            for side in (record["credit"], record["debit"]):
                left[side] -= Decimal(record["amount"])
    assert min(left.values()) >= 0


def test_people_and_companies_exist_nowhere() -> None:
    told = business()
    addresses = [shopper.email for shopper in told.shoppers]
    addresses += [contact.email for company in told.companies for contact in company.contacts]
    assert {address.rpartition(".")[2] for address in addresses} <= {"example", "com", "org", "net"}
    assert all(address.endswith((".example", "@example.com", "@example.org", "@example.net")) for address in addresses)
