"""Every address of the extranet that shows a page, for the tests that walk all of them, and every address of a file.

A new page is added here, and so is looked at in every language, width and colour scheme, weighed, and its statements counted; a
test holds the lists against the application's routes. Names in braces are ids, which `named` fills in.
"""

from typing import Final

from cdp.db.engine import connect
from cdp.db.ids import format_id
from tests.extranet.conftest import Site
from tests.extranet.reading import read

FINANCE, BUYER, VIEWER = "finance@lusitania.example", "buyer@lusitania.example", "viewer@lusitania.example"
ADMIN, BOTH = "admin@zeppelin.example", "both@holding.example"
LUSITANIA = "admin@lusitania.example"

PAGES: Final = (
    "/",
    "/statement",
    "/statement?kind=open-item",
    "/statement?currency=USD&period=this-month",
    "/statement?from=2026-02-31",
    "/statement/issued",
    "/statement/issued/{issued}",
    "/invoices",
    "/invoices?q=none",
    "/invoices/{paid}",
    "/invoices/{late}",
    "/orders",
    "/orders?q=none",
    "/orders/{split}",
    "/cases",
    "/cases?show=closed",
    "/cases?show=nonsense",
    "/cases/new?invoice={late}",
    "/cases/{case}",
    "/account",
    "/sessions",
    "/preferences",
    "/details",
    "/unsubscribe/x",
    "/view-as/x",
    "/signed-out",
    "/nothing-here",
)

FILTERED: Final = (
    "/statement?kind=open-item&ageing=document",
    "/invoices?show=overdue",
    "/invoices?show=disputed",
    "/orders?show=late",
    "/orders?status=delivered&from=2026-08-01",
    "/orders?from=2026-02-31",
    "/cases/new?kind=reorder&order={split}",
)
"""The same pages with less on them: weighed and counted, but not walked again in every language."""

OF_ADMINISTRATORS: Final = (
    "/people",
    "/people?done=invited",
    "/people/invite",
    "/people/{me}",
    "/people/{buyer}",
    "/activity",
    "/activity?show=files",
)

FILES: Final = (
    "/statement.csv",
    "/statement.pdf",
    "/statement.xlsx",
    "/statement/issued/{issued}.csv",
    "/statement/issued/{issued}.pdf",
    "/statement/issued/{issued}.xlsx",
    "/invoices/{late}.pdf",
    "/orders.csv",
    "/orders.xlsx",
    "/orders/{split}/delivery-notes/{shipment}.pdf",
    "/cases/files/{file}",
)

NO_PAGES: Final = {
    "/sign-in": "leads to the issuer",
    "/auth/callback": "leads back from it",
    "/styleguide": "in development only; has tests of its own",
    "/healthz": "for machines",
    "/readyz": "for machines",
}


def named(site: Site, path: str) -> str:
    """A path with its ids."""
    return path.format(**_ids(site))


def pages(site: Site, *, administrator: bool = True, filtered: bool = False) -> list[str]:
    """Every page, those that are for administrators alone among them unless said otherwise."""
    ids = _ids(site)
    wanted = (*PAGES, *(FILTERED if filtered else ()), *(OF_ADMINISTRATORS if administrator else ()))
    return [path.format(**ids) for path in wanted]


def issued(site: Site) -> str:
    """The id of an issued statement of K-1001; issues one unless there is one."""
    known = "SELECT statement_id FROM issued_statement WHERE account_id = %s ORDER BY issued_at LIMIT 1"
    account_id = site.business.accounts["K-1001"]
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute(known, [account_id]).fetchone()
    if row is None:
        with site.as_member(FINANCE) as member:
            form = read(member.get("/statement").text).one("form", action="/statement/issued")
            fields = {each.attributes["name"]: each.attributes["value"] for each in form.all("input")}
            assert member.post("/statement/issued", data=fields).status_code == 303
        with connect(site.database_url, "cdp_app") as connection:
            row = connection.execute(known, [account_id]).fetchone()
    assert row
    return format_id("sta", row[0])


def _ids(site: Site) -> dict[str, str]:
    business = site.business
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute(
            """SELECT (SELECT member_id FROM member WHERE email = %s), (SELECT member_id FROM member WHERE email = %s),
                (SELECT file_id FROM case_file ORDER BY file_id LIMIT 1),
                (SELECT shipment_id FROM shipment WHERE order_id = %s AND shipped_at IS NOT NULL ORDER BY shipped_at LIMIT 1)""",
            [LUSITANIA, BUYER, business.orders["SO-1002"]],
        ).fetchone()
    assert row
    return {
        "split": format_id("ord", business.orders["SO-1002"]),
        "late": format_id("ent", business.entries["INV-1"]),
        "paid": format_id("ent", business.entries["OLD-1"]),
        "case": format_id("cas", business.cases["K-1001"]),
        "issued": issued(site),
        "me": format_id("mem", row[0]),
        "buyer": format_id("mem", row[1]),
        "file": format_id("cfi", row[2]),
        "shipment": format_id("shp", row[3]),
    }
