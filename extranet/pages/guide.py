"""The design system on one page, for who builds pages: `/styleguide`, in development only; in production there is no such page.

In English whatever is spoken: its readers read the templates too. Pieces that pages share are shown as pages make them.
"""

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import Response

from extranet import styleguide
from extranet.answers import Money
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.texts import ORDER_STATUS, SETTLEMENT

SHEET: Final = Path(__file__).parents[1] / "static" / "extranet.css"
AGES: Final = tuple(
    (f"age-{bucket}", label, Money(amount=Decimal(amount), currency="EUR"))
    for bucket, label, amount in (
        ("current", "Not yet due", "300.00"),
        ("days-1-30", "1–30 days", "2000.00"),
        ("days-31-60", "31–60 days", "250.50"),
        ("days-61-90", "61–90 days", "400.00"),
        ("over-90", "Over 90 days", "75.25"),
    )
)


async def show(visit: Visit) -> Response:
    """The page. Raises PageNotFound in production."""
    if visit.portal.settings.is_production:
        raise PageNotFound
    css = _sheet()
    return visit.page(
        "styleguide.html",
        schemes=styleguide.schemes(css),
        pairs=styleguide.pairs(css),
        sizes=styleguide.tokens(css, "size-"),
        spaces=styleguide.tokens(css, "space-"),
        uses=styleguide.USES,
        ages=AGES,
        bars=[(name, money.amount) for name, _label, money in AGES],
        balance=Money(amount=Decimal("3025.75"), currency="EUR"),
        order_status=tuple(ORDER_STATUS),
        settlements=tuple(SETTLEMENT),
    )


@cache
def _sheet() -> str:
    return SHEET.read_text(encoding="utf-8")
