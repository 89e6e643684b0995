"""Invoices: a list with filters and search, and one invoice with what was set against it, also on paper. For roles that read the
ledger.
"""

import re
from typing import Final

from starlette.responses import Response

from extranet.answers import InvoicedAccount, Invoices
from extranet.downloads import plain
from extranet.invoices_filter import read_invoices
from extranet.paper.invoice import paper_invoice
from extranet.paper.typesetting import typeset
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
    """One invoice."""
    account = await _invoiced(visit)
    return visit.page("invoice.html", invoice=account.invoices.nodes[0])


async def pdf(visit: Visit) -> Response:
    """One invoice on paper, as it stands today."""
    account = await _invoiced(visit)
    words = paper_invoice(account, formats=visit.formats, settings=visit.portal.settings, today=visit.portal.today)
    made = await typeset("invoice", words, at=visit.portal.now().replace(microsecond=0))
    name = f"invoice-{plain(account.invoices.nodes[0].document_number)}.pdf"
    return Response(
        made, media_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


async def _invoiced(visit: Visit) -> InvoicedAccount:
    """The account with the invoice of the address. One of another account, and an entry that is no invoice, is not there."""
    asked = visit.request.path_params["id"]
    if not visit.sees_ledger or not _ID.fullmatch(asked):
        raise PageNotFound
    found = await visit.ask(
        "invoice",
        InvoicedAccount,
        ("viewer", "account"),
        filter={"id": {"eq": asked}},
        **visit.place(ALLOCATIONS_SHOWN),
    )
    if found is None or not found.invoices.nodes:
        raise PageNotFound
    return found
