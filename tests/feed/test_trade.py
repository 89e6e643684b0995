"""What is imported of accounts, orders, shipments and the ledger is told, each change once, and deliveries repeated are not."""

from collections.abc import Iterator
from typing import Any

import pytest

from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.ingest.sources import create_source
from tests.imports.conftest import Erp

ORDER = """\
external_id,account,placed_at,currency,status,line.line_no,line.name,line.quantity,line.unit_price
1001,K-1,2026-03-01T10:00:00Z,EUR,confirmed,1,Bolt,100,0.12
1001,,,,,2,Nut,10,1.20
"""
SHIPMENT = "external_id,order,shipped_at,delivered_at,line.line_no,line.quantity\nS1,1001,2026-03-03T08:00:00Z,,1,{}\n"
ENTRY = (
    "external_id,account,kind,document_number,currency,amount,posted_on\nE1,K-1,invoice,INV-1,EUR,24.00,2026-03-05\n"
)


class Teller:
    """An ERP, and the changes told since they were last asked for."""

    def __init__(self, erp: Erp) -> None:
        self.erp = erp
        self._read = 0

    def tell(self, kind: str, text: str) -> list[tuple[str, Any]]:
        """Kind and data of what importing `text` changed, in order."""
        self.erp.accept(kind, text)
        found = self.erp.rows(f"SELECT seq, kind, data FROM change WHERE seq > {self._read} ORDER BY seq")
        self._read = max([self._read, *(seq for seq, *_ in found)])
        return [(kind, data) for _, kind, data in found]

    def id_of(self, prefix: str, table: str, column: str) -> str:
        ((found,),) = self.erp.rows(f"SELECT {column} FROM {table}")
        return format_id(prefix, found)


@pytest.fixture
def teller(database_url: str) -> Iterator[Teller]:
    with connect(database_url, "cdp_app", autocommit=True) as connection:
        create_source(connection, "erp", channel="erp", identifier_namespace="erp_id")
        erp = Erp(connection=connection, name="erp")
        teller = Teller(erp)
        teller.tell("customers", "external_id,kind,name\nP1,organisation,Bolt & Co\n")
        yield teller


def test_an_account_comes_changes_and_moves_with_a_merge(teller: Teller) -> None:
    account = "number,customer,name,currency\nK-1,P2,{},EUR\n"
    customers = "external_id,kind,name,vat\nP1,organisation,Bolt & Co,{0}\nP2,organisation,Nut & Co,{0}\n"
    teller.tell("customers", customers.format(""))
    assert ("account.created", {}) in teller.tell("accounts", account.format("Nut"))
    assert teller.tell("accounts", account.format("Nut")) == []
    assert teller.tell("accounts", account.format("Nut Ltd")) == [("account.changed", {})]
    holder = teller.id_of("cus", "account", "customer_id")
    told = teller.tell("customers", customers.format("DE811907980"))
    survivor = teller.id_of("cus", "account", "customer_id")
    assert survivor != holder
    assert told[:2] == [
        ("account.changed", {"previousHolderId": holder}),
        ("customer.merged", {"from": holder, "into": survivor, "rule": "identifier"}),
    ]


def test_an_order_its_shipments_and_its_entries(teller: Teller) -> None:
    teller.tell("accounts", "number,customer,name,currency\nK-1,P1,Bolt,EUR\n")
    account = {"accountId": teller.id_of("acc", "account", "account_id")}
    assert teller.tell("orders", ORDER) == [("order.placed", {**account, "status": "confirmed"})]
    order = {"orderId": teller.id_of("ord", "sales_order", "order_id")}
    assert teller.tell("orders", ORDER) == []
    assert teller.tell("orders", ORDER.replace("Nut,10", "Nut,11")) == [("order.changed", account)]
    assert teller.tell("orders", "\n".join(ORDER.splitlines()[:2]) + "\n") == [("order.changed", account)]
    assert teller.tell("shipments", SHIPMENT.format(40)) == [
        ("shipment.created", {**order, **account, "status": "shipped"}),
        ("order.status_changed", {**account, "from": "confirmed", "to": "partly_shipped"}),
    ]
    assert teller.tell("shipments", SHIPMENT.format(40)) == []
    delivered = SHIPMENT.format(100).replace("T08:00:00Z,,", "T08:00:00Z,2026-03-04T08:00:00Z,")
    assert teller.tell("shipments", delivered) == [
        ("shipment.changed", {**order, **account, "status": "delivered"}),
        ("order.status_changed", {**account, "from": "partly_shipped", "to": "delivered"}),
    ]
    assert teller.tell("ledger", ENTRY) == [("ledger_entry.posted", account)]
    assert teller.tell("ledger", ENTRY) == []
