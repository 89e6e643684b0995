"""What can't be stored is named by line, field and code; everything else of the file is stored."""

import json
from typing import Any

import pytest

from cdp.errors import InvalidField
from cdp.ingest.importing import UnknownImportKind, import_kind
from cdp.ingest.record_lines import LONGEST_RECORD_BYTES
from tests.imports.conftest import Erp

GOOD = {"external_id": "good", "name": "Good"}


def lines(*records: Any) -> str:
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in records) + "\n"


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        ('{"external_id": "x", ', "", "malformed"),
        ("[1, 2]", "", "wrong_type"),
        ('{"external_id": "x", "traits": {"n": ' + "[" * 100_000, "", "malformed"),
        ('{"external_id": "x", "traits": {"n": ' + "[" * 500 + "]" * 500 + "}}", "traits", "out_of_range"),
        ('{"external_id": "x", "traits": {"n": ' + "9" * 30 + "}}", "traits", "out_of_range"),
        ('{"external_id": "x", "name": "\\ud800"}', "", "malformed"),
        ('{"external_id": "x", "name": "a\\u0000b"}', "", "nul_character"),
        ('{"external_id": "x", "traits": {"n": NaN}}', "", "malformed"),
        ('{"external_id": "x", "traits": {"n": 1e999}}', "traits[...]", "invalid_number"),
        ({"name": "Nobody"}, "external_id", "missing_field"),
        ({"external_id": ""}, "external_id", "out_of_range"),
        ({"external_id": "x" * 256}, "external_id", "out_of_range"),
        ({"external_id": 5}, "external_id", "wrong_type"),
        ({"external_id": "x", "nmae": "Typo"}, "nmae", "unknown_field"),
        ({"external_id": "x", "kind": "robot"}, "kind", "unknown_value"),
        ({"external_id": "x", "version": -1}, "version", "out_of_range"),
        ({"external_id": "x", "updated_at": "2026-02-31T00:00:00Z"}, "updated_at", "invalid_date"),
        ({"external_id": "x", "updated_at": "2026-02-01T00:00:00"}, "updated_at", "invalid_date"),
        ({"external_id": "x", "updated_at": "1066-10-14T00:00:00Z"}, "updated_at", "out_of_range"),
        ({"external_id": "x", "email": "nobody"}, "email", "invalid_email"),
        ({"external_id": "null"}, "external_id", "unusable_key"),
        ({"external_id": "x", "organisation": "O404"}, "organisation", "unknown_customer"),
        ({"external_id": "good", "name": "Another"}, "external_id", "duplicate"),
    ],
)
def test_a_bad_customer_is_refused_and_its_neighbours_are_stored(erp: Erp, bad: Any, field: str, code: str) -> None:
    count, rejections = erp.deliver("customers", lines(GOOD, bad, {"external_id": "after", "name": "After"}))
    assert [(one.line, one.field, one.code) for one in rejections] == [(2, field, code)]
    assert rejections[0].message.endswith(".")
    assert (count.accepted, count.rejected) == (2, 1)
    assert erp.rows("SELECT name FROM customer ORDER BY name") == [("After",), ("Good",)]


def test_a_person_whose_organisation_is_refused_is_refused_too(erp: Erp) -> None:
    organisation = {"external_id": "O1", "kind": "organisation", "email": "nowhere"}
    assert erp.refuse("customers", lines({"external_id": "P1", "organisation": "O1"}, organisation)) == [
        (1, "organisation", "unknown_customer"),
        (2, "email", "invalid_email"),
    ]
    assert (
        erp.accept(
            "customers", lines({"external_id": "P1", "organisation": "O1"}, organisation | {"email": "o@x.test"})
        )
        == 2
    )


def test_a_line_that_is_too_long_is_refused_without_being_held(erp: Erp) -> None:
    text = lines(GOOD) + "x" * (LONGEST_RECORD_BYTES + 5) + "\n" + lines({"external_id": "after", "name": "After"})
    assert erp.refuse("customers", text) == [(2, "", "too_long")]
    assert erp.rows("SELECT name FROM customer ORDER BY name") == [("After",), ("Good",)]


ENTRY = {
    "external_id": "E9",
    "account": "K-1",
    "kind": "invoice",
    "document_number": "INV-9",
    "currency": "EUR",
    "amount": "10.00",
    "posted_on": "2026-03-01",
}
BEFORE = (
    ENTRY | {"external_id": "I1", "document_number": "INV-1", "amount": "100.00"},
    ENTRY | {"external_id": "P1", "kind": "payment", "document_number": "PAY-1", "amount": "-60.00"},
    ENTRY | {"external_id": "D1", "account": "K-2", "currency": "USD", "document_number": "INV-2"},
    ENTRY | {"external_id": "X1", "document_number": "INV-X", "amount": "5.00"},
    ENTRY | {"external_id": "X2", "document_number": "INV-XR", "amount": "-5.00", "reverses": "X1"},
)
ALLOCATION = {"record": "allocation", "external_id": "A9", "credit": "P1", "debit": "I1", "allocated_on": "2026-03-02"}


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        (ENTRY | {"account": "K-404"}, "account", "unknown_account"),
        (ENTRY | {"currency": "EUX"}, "currency", "unknown_currency"),
        (ENTRY | {"currency": "euro"}, "currency", "out_of_range"),
        (ENTRY | {"posted_on": "2026-02-31"}, "posted_on", "invalid_date"),
        (ENTRY | {"amount": "ten"}, "amount", "invalid_number"),
        (ENTRY | {"amount": "NaN"}, "amount", "out_of_range"),
        (ENTRY | {"amount": "1e15"}, "amount", "out_of_range"),
        (ENTRY | {"amount": "10.001"}, "amount", "too_precise"),
        (ENTRY | {"amount": "-10.00"}, "amount", "wrong_sign"),
        (ENTRY | {"kind": "payment"}, "amount", "wrong_sign"),
        (ENTRY | {"kind": "gift"}, "kind", "unknown_value"),
        (ENTRY | {"order": "404"}, "order", "unknown_order"),
        (ENTRY | {"reverses": "E404", "amount": "-10.00"}, "reverses", "unknown_entry"),
        (ENTRY | {"reverses": "I1", "amount": "-99.00"}, "amount", "reversal_differs"),
        (ENTRY | {"reverses": "I1", "kind": "payment", "amount": "-100.00"}, "reverses", "reversal_differs"),
        (ENTRY | {"reverses": "X1", "amount": "-5.00"}, "reverses", "already_reversed"),
        (ENTRY | {"reverses": "X2", "amount": "5.00"}, "reverses", "is_reversal"),
        (ENTRY | {"external_id": "I1", "document_number": "INV-1", "amount": "100.01"}, "external_id", "conflict"),
        (ALLOCATION | {"amount": "60.01"}, "amount", "exceeds_open"),
        (ALLOCATION | {"amount": "-1.00"}, "amount", "exceeds_allocated"),
        (ALLOCATION | {"amount": "0.00"}, "amount", "too_precise"),
        (ALLOCATION | {"amount": "1.00", "credit": "I1"}, "credit", "not_a_credit"),
        (ALLOCATION | {"amount": "1.00", "debit": "P1"}, "debit", "not_a_debit"),
        (ALLOCATION | {"amount": "1.00", "debit": "D1"}, "debit", "other_account"),
        (ALLOCATION | {"amount": "1.00", "credit": "X2"}, "credit", "is_reversal"),
        (ALLOCATION | {"amount": "1.00", "debit": "I404"}, "debit", "unknown_entry"),
        (
            {"record": "dispute", "external_id": "D9", "entry": "I404", "opened_on": "2026-03-01"},
            "entry",
            "unknown_entry",
        ),
        ({"record": "gift"}, "record", "unknown_value"),
        ({"record": 5}, "record", "unknown_value"),
    ],
)
def test_a_bad_ledger_line_is_refused_and_the_ledger_is_as_before(
    erp_with_accounts: Erp, bad: dict[str, Any], field: str, code: str
) -> None:
    erp = erp_with_accounts
    erp.accept("ledger", lines(*BEFORE))
    tables = ("ledger_entry", "ledger_entry_key", "allocation", "allocation_key", "dispute", "dispute_key")
    before = [erp.rows(f"SELECT ctid, * FROM {table} ORDER BY ctid") for table in tables]
    assert erp.refuse("ledger", lines(bad)) == [(1, field, code)]
    assert [erp.rows(f"SELECT ctid, * FROM {table} ORDER BY ctid") for table in tables] == before
    assert erp.accept("ledger", lines(ENTRY, ALLOCATION | {"amount": "60.00"})) == 2


ORDER: dict[str, Any] = {
    "external_id": "1",
    "account": "K-1",
    "placed_at": "2026-03-01T10:00:00Z",
    "currency": "EUR",
    "lines": [{"line_no": 1, "name": "Bolt", "quantity": 1, "unit_price": "1.00"}],
}


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"account": "K-404"}, "account", "unknown_account"),
        ({"contact": "P404"}, "contact", "unknown_customer"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"total": "Infinity"}, "total", "out_of_range"),
        ({"status": "lost"}, "status", "unknown_value"),
        ({"promised_on": "2026-02-30"}, "promised_on", "invalid_date"),
        ({"lines": [ORDER["lines"][0] | {"quantity": "-1"}]}, "lines[0].quantity", "out_of_range"),
        ({"lines": [ORDER["lines"][0] | {"quantity": "0.0000001"}]}, "lines[0].quantity", "out_of_range"),
        ({"lines": [ORDER["lines"][0] | {"quantity": "many"}]}, "lines[0].quantity", "invalid_number"),
        ({"lines": [ORDER["lines"][0] | {"unit_price": "1e20"}]}, "lines[0].unit_price", "out_of_range"),
        ({"lines": [{"line_no": 1}]}, "lines[0].name", "missing_field"),
        ({"lines": ORDER["lines"] * 2}, "lines", "duplicate"),
    ],
)
def test_a_bad_order_is_refused(erp_with_accounts: Erp, change: dict[str, Any], field: str, code: str) -> None:
    erp = erp_with_accounts
    assert erp.refuse("orders", lines(ORDER | change)) == [(1, field, code)]
    assert erp.rows("SELECT count(*) FROM sales_order") == [(0,)]


def test_a_shipment_of_an_unknown_or_another_order_is_refused(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    erp.accept("orders", lines(ORDER, ORDER | {"external_id": "2"}))
    erp.accept("shipments", "external_id,order\nS1,1\n")
    assert erp.refuse("shipments", "external_id,order\nS2,404\nS1,2\n") == [
        (2, "order", "unknown_order"),
        (3, "order", "conflict"),
    ]
    assert erp.refuse(
        "shipments", lines({"external_id": "S3", "order": "1", "tracking_url": "javascript:alert(1)"})
    ) == [(1, "tracking_url", "invalid_format")]
    assert erp.rows("SELECT count(*) FROM shipment") == [(1,)]


def test_an_account_with_an_unknown_currency_or_an_unnamed_manager_is_refused(erp: Erp) -> None:
    text = (
        "number,customer,name,currency,credit_limit,manager_email\n"
        "K-1,A,One,ZZZ,,\nK-2,B,Two,EUR,-1,\nK-3,C,Three,EUR,,m@x.test\n"
    )
    assert erp.refuse("accounts", text) == [
        (2, "currency", "unknown_currency"),
        (3, "credit_limit", "out_of_range"),
        (4, "manager_name", "missing_field"),
    ]
    assert erp.rows("SELECT count(*) FROM customer") == [(0,)]


def test_an_interaction_with_an_unknown_customer_is_refused(erp: Erp) -> None:
    text = lines({"external_id": "C1", "customer": "P404", "kind": "call", "occurred_at": "2026-03-01T10:00:00Z"})
    assert erp.refuse("interactions", text) == [(1, "customer", "unknown_customer")]


def test_csv_rows_that_cannot_be_read_are_named_and_the_others_stored(erp: Erp) -> None:
    text = 'external_id,name\na,Good\nb,"not closed\nc,Good too\nd,one,too many\n\ne,"two\nlines"\nf\ng,5" pipe\n'
    assert erp.refuse("customers", text) == [
        (3, "", "malformed"),
        (5, "", "malformed"),
        (9, "", "malformed"),
        (10, "", "malformed"),
    ]
    assert erp.rows("SELECT name FROM customer ORDER BY name") == [("Good",), ("Good too",), ("two\nlines",)]


def test_an_order_with_a_row_that_cannot_be_read_is_not_stored_in_part(erp_with_accounts: Erp) -> None:
    erp = erp_with_accounts
    header = "external_id,account,placed_at,currency,line.line_no,line.name,line.quantity,line.unit_price\n"
    good = "1,K-1,2026-03-01T10:00:00Z,EUR,1,Bolt,1,1.00\n"
    for bad, field, code in (
        ("1,,,,2,Nut,1,1.00,surplus\n", "", "malformed"),
        ("1,,,,2,Nut,one,1.00\n", "lines[1].quantity", "invalid_number"),
        ("1,K-2,,,2,Nut,1,1.00\n", "account", "conflict"),
    ):
        after = "2,K-1,2026-03-01T10:00:00Z,EUR,1,Bolt,1,1.00\n"
        assert erp.refuse("orders", header + good + bad + after) == [(3, field, code)]
        assert erp.rows("SELECT number FROM sales_order") == [("2",)]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("external_id,nmae", "nmae"),
        ("external_id,name,name", "name"),
        ("external_id,line.quantity", "line.quantity"),
        ('external_id,"name', "header"),
        ("{not json", "{not json"),
    ],
)
def test_a_header_that_cannot_be_right_refuses_the_whole_file(erp: Erp, header: str, field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        erp.deliver("customers", " " * header.startswith("{") + f"{header}\na,b\n")
    assert refused.value.field == field
    assert erp.rows("SELECT count(*) FROM customer") == [(0,)]


@pytest.mark.parametrize("text", [
    "external_id;name;traits.city\nä;Zoë;Köln\n",
    "\ufeffexternal_id,name,traits.city\r\nä,Zoë,Köln\r\n",
    "external_id\tname\ttraits.city\nä\tZoë\tKöln",
])  # fmt: skip
def test_separators_line_ends_and_a_byte_order_mark_are_recognised(erp: Erp, text: str) -> None:
    assert erp.accept("customers", text) == 1
    assert erp.rows("SELECT name, traits ->> 'city' FROM customer") == [("Zoë", "Köln")]


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UnknownImportKind, match="invoices can't be imported"):
        import_kind("invoices")
