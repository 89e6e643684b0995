"""Invoices: a list with filters and search, and one invoice with what was set against it. For roles that read the ledger."""

import re
from typing import Final

from starlette.responses import Response

from extranet.answers import Invoice, Invoices
from extranet.invoices_filter import read_invoices
from extranet.portal import Visit
from extranet.refusals import PageNotFound

PAGE_SIZE: Final = 25
ALLOCATIONS_SHOWN: Final = 50
_ID: Final = re.compile(r"ent_[0-9a-f]{32}", re.ASCII)


async def listing(visit: Visit) -> Response:
    """The invoices of the current account, latest first."""
    if not visit.sees_ledger:
        raise PageNotFound
    asked = read_invoices(visit.query)
    if asked.filter is None:
        return visit.page("invoices.html", status=400, asked=asked, invoices=None)
    place = visit.place(PAGE_SIZE)
    invoices = await visit.ask("invoices", Invoices, ("viewer", "account", "invoices"), filter=asked.filter, **place)
    if invoices is None:
        raise PageNotFound
    return visit.page("invoices.html", asked=asked, invoices=invoices)


async def detail(visit: Visit) -> Response:
    """One invoice. One of another account, and an entry that is no invoice, is not there."""
    asked = visit.request.path_params["id"]
    if not visit.sees_ledger or not _ID.fullmatch(asked):
        raise PageNotFound
    found = await visit.ask(
        "invoice",
        list[Invoice],
        ("viewer", "account", "invoices", "nodes"),
        filter={"id": {"eq": asked}},
        **visit.place(ALLOCATIONS_SHOWN),
    )
    if not found:
        raise PageNotFound
    return visit.page("invoice.html", invoice=found[0])
