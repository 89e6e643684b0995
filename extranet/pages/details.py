"""Details of the account: what the seller knows the client by. Changes are asked for in a case, so that somebody checks them."""

from datetime import date

from starlette.responses import Response

from cdp.access.viewer import Role
from extranet.answers import Answer
from extranet.portal import Visit
from extranet.refusals import PageNotFound


class Contact(Answer, frozen=True, kw_only=True):
    """Somebody of the client's whom the seller knows."""

    name: str
    role: str | None


class Contacts(Answer, frozen=True, kw_only=True):
    """The first fifty of them, by name."""

    total_count: int
    nodes: list[Contact]


class Details(Answer, frozen=True, kw_only=True):
    """What the account is known by; terms and bank are None for roles without the ledger. Of a bank account the end alone."""

    number: str
    name: str
    legal_name: str | None
    tax_id: str | None
    opened_on: date | None
    currency: str
    billing_address: str | None
    delivery_address: str | None
    payment_terms_days: int | None = None
    bank_name: str | None = None
    bank_account_ending: str | None = None
    contacts: Contacts


async def show(visit: Visit) -> Response:
    """All of it."""
    found = await visit.ask("details", Details, ("viewer", "account"), ledger=visit.sees_ledger)
    if found is None:
        raise PageNotFound
    return visit.page("details.html", account=found, asks=visit.session.role is not Role.VIEWER)
