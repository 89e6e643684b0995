"""An invoice as its template reads it: what was invoiced and what was set against it until today, in the reader's formats.

The ledger knows an invoice's total and the order it is for, not the lines of the document itself; so the paper says that it is
a copy from the account, shows what was ordered, and leaves the document of law to the seller.
"""

from datetime import date
from typing import Any

from cdp.settings import Settings
from extranet import languages, texts
from extranet.answers import Invoice, InvoicedAccount, Money
from extranet.formats import Formats
from extranet.paper.statement import party
from extranet.texts import _


def paper_invoice(account: InvoicedAccount, *, formats: Formats, settings: Settings, today: date) -> dict[str, Any]:
    """The words of `invoice.typ`, for the one invoice of `account`."""
    [invoice] = account.invoices.nodes
    title = _("Invoice %(number)s") % {"number": invoice.document_number}

    def amount(money: Money) -> str:
        return formats.amount(money.amount, money.currency)

    return {
        "language": languages.spoken(),
        "title": title,
        "document": f"{title}, {account.number}",
        "page": _("Page {page} of {pages}"),
        "seller": party(settings.seller_legal_name, settings.seller_tax_id),
        "client": {"label": _("For"), **party(account.legal_name or account.name, account.tax_id)},
        "facts": _facts(account, invoice, formats),
        "sums": [
            (_("Amount"), formats.money(invoice.amount.amount, invoice.amount.currency)),
            (
                _("Open on %(day)s") % {"day": formats.day(today)},
                formats.money(invoice.open_amount.amount, invoice.open_amount.currency),
            ),
        ],
        "ordered": _ordered(invoice, formats),
        "settled": {
            "title": _("What was set against it"),
            "columns": [_("Date"), _("Document"), _("Amount")],
            "rows": [
                {
                    "day": formats.day(each.effective_on),
                    "document": f"{texts.named(texts.ENTRY_KIND, each.credit.kind)} {each.credit.document_number}",
                    "about": each.credit.description or "",
                    "amount": amount(each.amount),
                }
                for each in invoice.allocations.nodes
            ],
            "none": _("Nothing yet."),
        },
        "pay_to": _("Pay to") if settings.seller_bank_details else "",
        "bank": [line.strip() for line in (settings.seller_bank_details or "").split(";")],
        "notice": _("A copy from your account; the invoice that was sent to you counts."),
    }


def _facts(account: InvoicedAccount, invoice: Invoice, formats: Formats) -> list[tuple[str, str]]:
    facts = [(_("Account"), account.number), (_("Date"), formats.day(invoice.posted_on))]
    if invoice.due_on:
        facts.append((_("Due"), formats.day(invoice.due_on)))
    if invoice.purchase_order:
        facts.append((_("Your reference"), invoice.purchase_order))
    if invoice.order:
        facts.append((_("Order"), invoice.order.number))
    return facts


def _ordered(invoice: Invoice, formats: Formats) -> dict[str, Any] | None:
    if invoice.order is None or not invoice.order.lines.nodes:
        return None
    shown, lines = invoice.order.lines.nodes, invoice.order.lines.total_count
    more = texts.ngettext("and %(count)s more line", "and %(count)s more lines", lines - len(shown))
    return {
        "title": _("What order %(number)s asked for") % {"number": invoice.order.number},
        "columns": [_("Product"), _("Ordered"), _("Unit price"), _("Amount")],
        "rows": [
            {
                "name": line.name,
                "product": line.product or "",
                "figures": [
                    formats.number(line.quantity),
                    formats.amount(line.unit_price.amount, line.unit_price.currency),
                    formats.amount(line.amount.amount, line.amount.currency),
                ],
            }
            for line in shown
        ],
        "more": more % {"count": formats.number(lines - len(shown))} if lines > len(shown) else "",
    }
