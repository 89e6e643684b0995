"""A delivery note as its template reads it: what one shipment of an order carries, to whom, by whom; no prices, as on any."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from cdp.settings import Settings
from extranet import languages, texts
from extranet.formats import Formats
from extranet.order_answers import Order, OrderLine, Shipment
from extranet.paper.statement import party
from extranet.texts import _


def paper_delivery_note(
    order: Order, shipment: Shipment, lines: Sequence[OrderLine], *, formats: Formats, settings: Settings, client: str
) -> dict[str, Any]:
    """The words of `delivery_note.typ`. `lines`: all of the order's, which a shipment without lines of its own carries."""
    title = _("Delivery note %(number)s") % {"number": shipment.number}
    products = {line.line_no: line.product or "" for line in lines}
    contents: list[tuple[str, str, Decimal]] = [
        (line.name, products.get(line.line_no, ""), line.quantity) for line in shipment.lines
    ] or [(line.name, line.product or "", line.quantity - line.quantity_cancelled) for line in lines]
    return {
        "language": languages.spoken(),
        "title": title,
        "document": f"{title}, {order.number}",
        "page": _("Page {page} of {pages}"),
        "seller": party(settings.seller_legal_name, settings.seller_tax_id),
        "client": {"label": _("For"), **party(client, None)},
        "facts": _facts(order, shipment, formats),
        "contents": {
            "title": _("What it carries"),
            "columns": [_("Product"), _("Quantity")],
            "rows": [
                {"name": name, "product": product, "quantity": formats.number(quantity)}
                for name, product, quantity in contents
            ],
            "none": _("Nothing is told of what it carries."),
        },
        "notice": _("This is not an invoice."),
    }


def _facts(order: Order, shipment: Shipment, formats: Formats) -> list[tuple[str, str]]:
    facts = [
        (_("Order"), order.number),
        (_("Your reference"), order.purchase_order),
        (_("Site"), order.location),
        (_("Status"), texts.named(texts.SHIPMENT_STATUS, shipment.status)),
        (_("Shipped"), formats.instant(shipment.shipped_at) if shipment.shipped_at else None),
        (_("Delivered"), formats.instant(shipment.delivered_at) if shipment.delivered_at else None),
        (_("Times in"), formats.zone_name if shipment.shipped_at or shipment.delivered_at else None),
        (_("Carrier"), shipment.carrier),
        (_("Tracking"), shipment.tracking_number),
    ]
    return [(name, value) for name, value in facts if value]
