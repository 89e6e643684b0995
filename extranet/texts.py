"""Words of the pages that code chooses: what the schema's constants are called for people, and the translator `_`.

Everything else a reader reads stands in the templates, as `_("…")` too, so that one extraction (pybabel) finds all of it.
A constant this version does not know yet is shown in plain words rather than fail the page.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from extranet import languages


def _(text: str) -> str:
    """`text` in the reader's language."""
    return languages.translated(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The form that goes with `count`, in the reader's language."""
    return languages.translated_plural(one, many, count)


def N_(text: str) -> str:  # noqa: N802 - the name extraction tools look for
    """Mark a text for extraction; it is translated where it is shown."""
    return text


ORDER_STATUS: Final = MappingProxyType({
    "PLACED": N_("Placed"),
    "CONFIRMED": N_("Confirmed"),
    "PARTLY_SHIPPED": N_("Partly shipped"),
    "SHIPPED": N_("Shipped"),
    "DELIVERED": N_("Delivered"),
    "CANCELLED": N_("Cancelled"),
    "RETURNED": N_("Returned"),
})  # fmt: skip

ENTRY_KIND: Final = MappingProxyType({
    "INVOICE": N_("Invoice"),
    "DEBIT_NOTE": N_("Debit note"),
    "INTEREST": N_("Interest"),
    "REFUND": N_("Refund"),
    "PAYMENT": N_("Payment"),
    "CREDIT_NOTE": N_("Credit note"),
    "WRITE_OFF": N_("Write-off"),
    "DISCOUNT": N_("Discount taken"),
})  # fmt: skip

SETTLEMENT: Final = MappingProxyType({
    "OPEN": N_("Open"),
    "PARTLY_SETTLED": N_("Partly paid"),
    "SETTLED": N_("Paid"),
    "CANCELLED": N_("Cancelled"),
})  # fmt: skip

INVOICES_SHOWN: Final = MappingProxyType({
    "all": N_("All"),
    "open": N_("Open"),
    "overdue": N_("Overdue"),
    "paid": N_("Paid"),
    "disputed": N_("Disputed"),
})  # fmt: skip

BUCKETS: Final = ("CURRENT", "DAYS_1_30", "DAYS_31_60", "DAYS_61_90", "OVER_90")
USUAL_EDGES: Final = ((None, 0), (1, 30), (31, 60), (61, 90), (91, None))

ORDERS_SHOWN: Final = MappingProxyType({
    "all": N_("All"),
    "open": N_("Open"),
    "late": N_("Late"),
    "delivered": N_("Delivered"),
    "cancelled": N_("Cancelled or returned"),
})  # fmt: skip

SHIPMENT_STATUS: Final = MappingProxyType({
    "PLANNED": N_("Planned"),
    "SHIPPED": N_("On its way"),
    "DELIVERED": N_("Delivered"),
    "RETURNED": N_("Returned"),
    "LOST": N_("Lost"),
})  # fmt: skip

TIMELINE: Final = MappingProxyType({
    "PLACED": N_("Placed"),
    "CONFIRMED": N_("Confirmed"),
    "UPDATED": N_("Changed"),
    "PARTLY_SHIPPED": N_("Partly shipped"),
    "SHIPPED": N_("Shipped"),
    "DELIVERED": N_("Delivered"),
    "CANCELLED": N_("Cancelled"),
    "RETURNED": N_("Returned"),
    "REFUNDED": N_("Refunded"),
    "INVOICED": N_("Invoiced"),
    "CREDITED": N_("Credited"),
    "PAID": N_("Paid"),
})  # fmt: skip

ROLE: Final = MappingProxyType({
    "client_admin": N_("Administrator"),
    "finance": N_("Finance"),
    "buyer": N_("Buyer"),
    "viewer": N_("Viewer"),
})  # fmt: skip

CHANNEL: Final = MappingProxyType({
    "web": N_("Web shop"),
    "app": N_("App"),
    "store": N_("Store"),
    "phone": N_("Telephone"),
    "email": N_("E-mail"),
    "visit": N_("Visit"),
    "edi": N_("EDI"),
    "erp": N_("Order desk"),
    "crm": N_("Account team"),
})  # fmt: skip

TIER: Final = MappingProxyType({
    "KEY": N_("Key account"),
    "STANDARD": N_("Account"),
})  # fmt: skip

STATEMENT_KIND: Final = MappingProxyType({
    "balance-forward": N_("Balance forward"),
    "open-item": N_("Open items"),
})  # fmt: skip

AGEING: Final = MappingProxyType({
    "due": N_("By due date"),
    "document": N_("By document date"),
})  # fmt: skip

PRESET: Final = MappingProxyType({
    "this-month": N_("This month"),
    "last-month": N_("Last month"),
    "quarter": N_("This quarter"),
    "year": N_("This year"),
    "financial-year": N_("Financial year"),
    "last-12-months": N_("Last 12 months"),
})  # fmt: skip


def named(names: Mapping[str, str], constant: str) -> str:
    """What a constant is called for people, in the reader's language; in plain words when it has no name here."""
    known = names.get(constant)
    return _(known) if known else constant.replace("_", " ").replace("-", " ").capitalize()


def age(bucket: str, first: int | None, last: int | None) -> str:
    """What an ageing bucket is called, after the days that are in it; after the usual ones where they are not told."""
    if first is None and last is None and bucket in BUCKETS:
        first, last = USUAL_EDGES[BUCKETS.index(bucket)]
    if first is None:
        return _("Not yet due")
    if last is None:
        return _("Over %(days)s days") % {"days": first - 1}
    return _("%(first)s–%(last)s days") % {"first": first, "last": last}
