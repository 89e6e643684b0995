"""Activity, for the account's administrators: what was done on the account, and who looked at its data."""

from typing import Final

from starlette.responses import Response

from cdp.access.viewer import Role
from extranet.activity import SHOWN, Activity, sentence, who
from extranet.portal import Visit
from extranet.refusals import PageNotFound

PAGE_SIZE: Final = 50


async def listing(visit: Visit) -> Response:
    """What is on record, latest first; all of it, or a kind."""
    if visit.session.role is not Role.CLIENT_ADMIN:
        raise PageNotFound
    chosen = visit.query.get("show", "all")
    show = chosen if chosen in SHOWN else "all"
    found = await visit.ask("activity", Activity, (), filter=SHOWN[show][1], **visit.place(PAGE_SIZE))
    if found is None:
        raise PageNotFound
    names, seller = found.names, visit.portal.settings.seller_name
    told = [(each, who(each, seller=seller), sentence(each, names)) for each in found.audit_log.nodes]
    return visit.page("activity.html", told=told, page_info=found.audit_log.page_info, show=show, shown=SHOWN)
