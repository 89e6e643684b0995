"""Home: what is owed and what is on its way. Roles without the ledger see orders only."""

from typing import Final

import msgspec
from starlette.responses import RedirectResponse, Response

from extranet.answers import HomeAccount
from extranet.orders_filter import LATE, OPEN
from extranet.portal import Visit
from extranet.refusals import PageNotFound

ORDERS_SHOWN: Final = 8


async def show(visit: Visit) -> Response:
    """The home page of the current account."""
    account = await visit.ask(
        "home",
        HomeAccount,
        ("viewer", "account"),
        ledger=visit.sees_ledger,
        open=OPEN,
        late=LATE,
        first=ORDERS_SHOWN,
    )
    if account is None:
        raise PageNotFound
    return visit.page("home.html", account=account)


async def put_away(visit: Visit) -> Response:
    """An announcement was read. One that is gone already is what was wanted."""
    form = await visit.read_own_form()
    await visit.change(
        "announcement_put_away",
        msgspec.Struct,
        "announcementPutAway",
        announcementId=form.get("announcement", ""),
    )
    return RedirectResponse("/", status_code=303)
