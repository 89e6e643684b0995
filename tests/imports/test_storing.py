"""What is imported is found again exactly, however it was written, and delivering it again changes nothing."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.imports.conftest import Erp

FACTS = (
    "customer", "profile", "profile_trait", "claim", "customer_identifier", "affiliation", "account", "sales_order",
    "order_line", "order_event", "shipment", "shipment_line", "ledger_entry", "allocation", "dispute", "interaction",
    "imported_record", "staff",
)  # fmt: skip

ORDERS = """\
external_id,account,contact,placed_at,currency,status,purchase_order,line.line_no,line.name,line.quantity,line.unit_price
1001,K-1,P1,2026-03-01T10:00:00Z,EUR,confirmed,PO-7,1,Bolt,100,0.125
1001,,,,,,,2,"Nut, ""M8"", steel",10,1.20
1002,K-2,,2026-03-02T10:00:00Z,USD,,,1,Washer,3,2.00
"""

SHIPMENTS = """\
external_id;order;shipped_at;delivered_at;line.line_no;line.quantity
S1;1001;2026-03-03T08:00:00Z;;1;100
S2;1001;2026-03-04T08:00:00Z;2026-03-05T08:00:00Z;2;4
"""

LEDGER = """\
record,external_id,account,kind,document_number,currency,amount,posted_on,due_on,order,credit,debit,allocated_on,entry,opened_on,reason
,E1,K-1,invoice,INV-1,EUR,24.50,2026-03-05,2026-04-04,1001,,,,,,
entry,E2,K-1,payment,PAY-1,EUR,-20.00,2026-03-20,,,,,,,,
allocation,,,,,,20.00,,,,E2,E1,2026-03-20,,,
dispute,D1,,,,,,,,,,,,E1,2026-03-25,Short delivery
"""

INTERACTIONS = (
    '{"external_id": "C1", "customer": "P1", "kind": "call", "occurred_at": "2026-03-06T09:00:00+01:00",'
    ' "name": "Delay", "topic": "delivery", "duration_seconds": 180, "properties": {"agent": 7}}\n'
)


@pytest.fixture
def full(erp_with_accounts: Erp) -> Erp:
    for kind, text in (
        ("orders", ORDERS),
        ("shipments", SHIPMENTS),
        ("ledger", LEDGER),
        ("interactions", INTERACTIONS),
    ):
        erp_with_accounts.accept(kind, text)
    return erp_with_accounts


def snapshot(erp: Erp) -> dict[str, list[tuple[Any, ...]]]:
    return {table: erp.rows(f"SELECT ctid, * FROM {table} ORDER BY ctid") for table in FACTS}


def test_customers_and_accounts_are_who_they_say(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    assert erp.rows("SELECT kind, name, email FROM customer ORDER BY kind") == [
        ("organisation", "Acme Ltd", None),
        ("person", "Ann Buyer", "ann@acme.test"),
    ]
    assert erp.rows("SELECT number, tier, currency, customer.name FROM account JOIN customer USING (customer_id)") == [
        ("K-1", "key", "EUR", "Acme Ltd"),
        ("K-2", "standard", "USD", "Acme Ltd"),
    ]
    assert erp.rows("SELECT namespace, value FROM customer_identifier ORDER BY 1, 2") == [
        ("account_number", "K-1"),
        ("account_number", "K-2"),
        ("email", "ann@acme.test"),
        ("erp_id", "O1"),
        ("erp_id", "P1"),
    ]
    assert erp.rows("SELECT count(*) FROM affiliation") == [(1,)]


def test_orders_have_their_lines_rounded_once(full: Erp) -> None:
    assert full.rows("SELECT number, total, currency, purchase_order, channel FROM sales_order ORDER BY number") == [
        ("1001", Decimal("24.50"), "EUR", "PO-7", "erp"),
        ("1002", Decimal("6.00"), "USD", None, "erp"),
    ]
    assert full.rows(
        "SELECT line_no, name, quantity, unit_price, amount FROM order_line ORDER BY order_id, line_no"
    ) == [
        (1, "Bolt", Decimal(100), Decimal("0.13"), Decimal("12.50")),
        (2, 'Nut, "M8", steel', Decimal(10), Decimal("1.20"), Decimal("12.00")),
        (1, "Washer", Decimal(3), Decimal("2.00"), Decimal("6.00")),
    ]
    assert full.rows("""SELECT customer.name FROM sales_order JOIN customer
        ON customer.customer_id = contact_customer_id""") == [("Ann Buyer",)]


def test_an_order_is_as_far_as_its_shipments_prove(full: Erp) -> None:
    status = "SELECT status FROM sales_order ORDER BY number"
    assert full.rows(status) == [("partly_shipped",), ("placed",)]
    full.accept(
        "shipments",
        "external_id,order,shipped_at,line.line_no,line.quantity\nS3,1001,2026-03-06T08:00:00Z,2,6\n"
        "S4,1002,2026-03-06T08:00:00Z,,\n",
    )
    assert full.rows(status) == [("shipped",), ("shipped",)]
    full.accept("shipments", "external_id,order,delivered_at\nS4,1002,2026-03-07T08:00:00Z\n")
    assert full.rows(status) == [("shipped",), ("delivered",)]


def test_a_lost_parcel_was_not_shipped(full: Erp) -> None:
    full.accept("shipments", "external_id,order,status\nS1,1001,lost\nS2,1001,lost\n")
    assert full.rows("SELECT status FROM sales_order WHERE number = '1001'") == [("confirmed",)]


def test_the_ledger_has_entries_allocations_and_disputes(full: Erp) -> None:
    assert full.rows("""SELECT document_number, amount, posted_on::text, due_on::text, order_id IS NOT NULL
        FROM ledger_entry ORDER BY posted_on""") == [
        ("INV-1", Decimal("24.50"), "2026-03-05", "2026-04-04", True),
        ("PAY-1", Decimal("-20.00"), "2026-03-20", None, False),
    ]
    assert full.rows("SELECT amount, effective_on::text FROM allocation") == [(Decimal("20.00"), "2026-03-20")]
    assert full.rows("SELECT reason, opened_on::text, closed_on FROM dispute") == [
        ("Short delivery", "2026-03-25", None)
    ]


def test_a_contact_is_stored_with_its_channel_and_properties(full: Erp) -> None:
    assert full.rows("SELECT kind, channel, name, topic, duration_seconds FROM interaction") == [
        ("call", "erp", "Delay", "delivery", 180)
    ]
    assert full.rows("SELECT occurred_at::text, properties FROM interaction") == [
        ("2026-03-06 08:00:00+00", {"agent": 7})
    ]


def test_delivering_everything_again_changes_no_row(full: Erp) -> None:
    before = snapshot(full)
    for kind, text in (
        ("orders", ORDERS),
        ("shipments", SHIPMENTS),
        ("ledger", LEDGER),
        ("interactions", INTERACTIONS),
    ):
        count, rejections = full.deliver(kind, text)
        assert (rejections, count.rejected) == ([], 0)
    full.accept(
        "customers",
        "external_id,kind,name,email,organisation\nO1,organisation,Acme Ltd,,\nP1,person,Ann Buyer,ann@acme.test,O1\n",
    )
    assert snapshot(full) == before


def test_unversioned_the_last_delivery_stands(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    erp.accept("accounts", "number,customer,name,currency\nK-1,O1,Acme (new),EUR\n")
    assert erp.rows("SELECT name, tier FROM account WHERE number = 'K-1'") == [("Acme (new)", "standard")]


def test_an_older_version_changes_nothing_and_the_same_version_says_one_thing(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    header = "number,customer,name,currency,version\n"
    erp.accept("accounts", header + "K-1,O1,Five,EUR,5\n")
    count, rejections = erp.deliver("accounts", header + "K-1,O1,Four,EUR,4\n")
    assert (count.accepted, count.unchanged, rejections) == (1, 1, [])
    assert erp.refuse("accounts", header + "K-1,O1,Other five,EUR,5\n") == [(2, "version", "conflict")]
    assert erp.rows("SELECT name, version FROM account WHERE number = 'K-1'") == [("Five", 5)]
    erp.accept("accounts", header + "K-1,O1,Six,EUR,6\n")
    assert erp.rows("SELECT name, version FROM account WHERE number = 'K-1'") == [("Six", 6)]


def test_versions_of_one_record_in_one_file_end_at_the_newest(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    erp.accept("accounts", "number,customer,name,currency,version\nK-1,O1,B,EUR,2\nK-1,O1,A,EUR,1\n")
    assert erp.rows("SELECT name FROM account WHERE number = 'K-1'") == [("B",)]


def test_an_account_manager_becomes_staff_once(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    erp.accept(
        "accounts",
        "number,customer,name,currency,manager_email,manager_name,manager_phone\n"
        "K-1,O1,Acme,EUR,Mia@seller.test,Mia,+44 20 7946 0000\nK-2,O1,Acme US,USD,mia@seller.test,Mia M.,\n",
    )
    assert erp.rows("SELECT email, name, phone FROM staff") == [("mia@seller.test", "Mia M.", "+44 20 7946 0000")]
    assert erp.rows("SELECT count(*) FROM account JOIN staff ON staff_id = manager_staff_id") == [(2,)]


def test_an_account_with_an_unknown_holder_makes_an_organisation(erp: Erp) -> None:
    erp.accept("accounts", "number,customer,name,currency,legal_name\nK-9,O9,Nine,EUR,Nine plc\n")
    assert erp.rows("SELECT kind, name FROM customer") == [("organisation", "Nine plc")]


def test_a_shared_identifier_makes_two_customers_one_with_both_accounts(erp: Erp) -> None:
    erp.accept("accounts", "number,customer,name,currency,tax_id\nK-1,A,One,EUR,\nK-2,B,Two,EUR,\n")
    assert erp.rows("SELECT count(DISTINCT customer_id) FROM account") == [(2,)]
    erp.accept("customers", "external_id,kind,vat\nA,organisation,GB980780684\nB,organisation,GB 980 7806 84\n")
    assert erp.rows("SELECT count(DISTINCT customer_id), count(*) FROM account") == [(1, 2)]
    assert erp.rows("SELECT count(*) FROM account JOIN account_key USING (account_id, customer_id)") == [(2,)]


def test_allocations_told_with_their_credit_and_a_reversal(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    invoice: dict[str, Any] = {"external_id": "E1", "kind": "invoice", "document_number": "INV-1", "amount": 100.00}
    payment: dict[str, Any] = {"external_id": "E2", "kind": "payment", "document_number": "PAY-1", "amount": "-60.00"}
    bounced: dict[str, Any] = {
        "external_id": "E3",
        "kind": "payment",
        "document_number": "PAY-1R",
        "amount": "60.00",
        "reverses": "E2",
    }
    payment["allocations"] = [{"debit": "E1", "amount": "60.00", "allocated_on": "2026-01-20"}]
    text = "\n".join(
        json.dumps(entry | {"account": "K-1", "currency": "EUR", "posted_on": "2026-01-20"})
        for entry in (invoice, payment, bounced)
    )
    erp.accept("ledger", text)
    assert erp.rows("SELECT sum(amount) FROM ledger_entry") == [(Decimal("100.00"),)]
    assert erp.rows("SELECT external_id FROM allocation_key") == [("E2>E1@2026-01-20",)]
    before = snapshot(erp)
    erp.accept("ledger", text)
    assert snapshot(erp) == before


def test_what_happened_to_an_order_is_dated_by_the_source(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    order = {
        "external_id": "7",
        "account": "K-1",
        "placed_at": "2026-03-01T10:00:00Z",
        "confirmed_at": "2026-03-02T10:00:00Z",
        "currency": "JPY",
        "lines": [{"line_no": 1, "name": "Bolt", "quantity": "2.5", "unit_price": 99.5, "amount": "249.5"}],
    }
    erp.accept("orders", json.dumps(order))
    assert erp.rows("SELECT total, currency, status FROM sales_order") == [(Decimal(250), "JPY", "confirmed")]
    erp.accept("orders", json.dumps(order | {"cancelled_at": "2026-03-03T10:00:00Z", "version": 2}))
    assert erp.rows("SELECT status, version FROM sales_order") == [("cancelled", 2)]
    assert erp.rows("SELECT kind, occurred_at::date::text FROM order_event ORDER BY occurred_at") == [
        ("placed", "2026-03-01"),
        ("confirmed", "2026-03-02"),
        ("cancelled", "2026-03-03"),
    ]


@pytest.mark.parametrize(
    ("cancelled", "returned", "status"),
    [("10", "0", "cancelled"), ("0", "10", "returned"), ("4", "6", "returned"), ("4", "0", "placed")],
)
def test_an_order_whose_lines_are_all_cancelled_or_sent_back_is_over(
    erp_with_accounts: Erp, cancelled: str, returned: str, status: str
) -> None:
    erp = erp_with_accounts
    header = "external_id,account,placed_at,currency,line.line_no,line.name,line.quantity,line.unit_price"
    erp.accept(
        "orders",
        f"{header},line.quantity_cancelled,line.quantity_returned\n"
        f"7,K-1,2026-03-01T10:00:00Z,EUR,1,Bolt,10,1.00,{cancelled},{returned}\n",
    )
    assert erp.rows("SELECT status FROM sales_order") == [(status,)]
