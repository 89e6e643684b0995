"""What every page works with: the `Portal` of the process and the `Visit` of one request by a signed-in member.

A visit is the only way from a page to data (`ask`: a stored operation, run as the member) and to paper (`page`: a template
with the member's formats). Nothing is asked as anybody else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from cdp.access.portal import OnlyLooking, PortalAccess, Session
from cdp.access.viewer import Scope
from cdp.schema import Graph, StoredOperation
from cdp.settings import Settings
from extranet.formats import Formats, formats_for
from extranet.forms import UserError, read_form
from extranet.periods import YearStart
from extranet.refusals import refusal_of
from extranet.uploads import Upload, read_upload

QUERIES: Final = Path(__file__).parent / "queries"
PLACES: Final = ("after", "before", "credits-after", "credits-before")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """The process: who the seller is, the doors to sessions and to the graph, the templates, the clock."""

    settings: Settings
    access: PortalAccess
    graph: Graph
    operations: Mapping[str, StoredOperation]
    templates: Environment
    now: Callable[[], datetime]

    @property
    def today(self) -> date:
        """Today in the seller's legal time zone (statement rule 9)."""
        return self.now().astimezone(ZoneInfo(self.settings.seller_time_zone)).date()

    @property
    def ageing_edges(self) -> list[int]:
        """Last days late of the ageing buckets between not yet due and the oldest."""
        return [int(days) for days in self.settings.seller_ageing_edges.split()]

    @property
    def year_start(self) -> YearStart:
        """When the seller's financial year begins."""
        month, _, day = self.settings.seller_financial_year_starts.partition("-")
        return YearStart(month=int(month), day=int(day))


class Visit:
    """One request of a signed-in member."""

    def __init__(self, *, portal: Portal, request: Request, session: Session) -> None:
        self.portal = portal
        self.request = request
        self.session = session

    @cached_property
    def formats(self) -> Formats:
        """Figures and dates as the member reads them."""
        return formats_for(self.session.locale, self.session.time_zone)

    @cached_property
    def sees_ledger(self) -> bool:
        """Whether the member's role reads balances and statements."""
        return Scope.LEDGER_READ in self.session.viewer.scopes

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters, the last of each name."""
        return self.request.query_params

    async def ask(self, operation: str, answer: type[T], path: tuple[str, ...], **variables: Any) -> T | None:
        """The stored operation's answer at `path` of its data, or None where that is null.

        Raises the refusal that the graph's first error stands for: a wrong cursor, a wrong value, or a failure of ours.
        """
        result = await self.portal.graph.execute(
            self.portal.operations[operation], variables, self.session.viewer, today=self.portal.today
        )
        if result.errors:
            raise refusal_of(result.errors)
        value: Any = result.data
        for name in path:
            value = None if value is None else value[name]
        return None if value is None else msgspec.convert(value, answer)

    def require_member(self) -> None:
        """Raise OnlyLooking for somebody of the staff who sees the pages as a client does."""
        if self.session.looking_for is not None:
            raise OnlyLooking

    async def change(
        self, operation: str, answer: type[T], field: str, **variables: Any
    ) -> tuple[T | None, tuple[UserError, ...]]:
        """The payload of a stored mutation whose one field is `field`, and the mistakes it tells: what a form shows again.

        Raises as `ask` does. Check the form's CSRF token first (`read_own_form`).
        """
        payload = await self.ask(operation, dict[str, Any], (field,), **variables)
        if payload is None:
            return None, ()
        mistakes = msgspec.convert(payload["userErrors"], tuple[UserError, ...])
        return (None if mistakes else msgspec.convert(payload, answer)), mistakes

    async def read_own_form(self) -> Mapping[str, str]:
        """The fields of a form of ours. Raises CrossSiteRequest for anybody else's, TooLarge."""
        form = await read_form(self.request)
        self.portal.access.check_csrf(self.request, form, self.session)
        self.require_member()
        return form

    async def read_own_upload(self) -> tuple[Mapping[str, str], list[Upload]]:
        """The fields and files of a form of ours. Raises CrossSiteRequest for anybody else's, TooLarge, FormUnreadable."""
        form, files = await read_upload(self.request)
        self.portal.access.check_csrf(self.request, form, self.session)
        return form, files

    def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """A page from a template; nothing on the way keeps it."""
        return HTMLResponse(render(self.portal, template, visit=self, f=self.formats, **context), status_code=status)

    def place(self, size: int, prefix: str = "") -> dict[str, Any]:
        """Which page of a list the query asks for, as the variables first and after, or last and before.

        A second list of a page has a prefix: `credits` reads `credits-after` and gives `creditsFirst` and so on.
        """
        query, name = (f"{prefix}-{{}}", f"{prefix}{{}}") if prefix else ("{}", "{}")
        first, last, after, before = (
            name.format(word.capitalize() if prefix else word) for word in ("first", "last", "after", "before")
        )
        place = self.query.get(query.format("before"))
        if place:
            return {last: size, before: place}
        return {first: size, after: self.query.get(query.format("after")) or None}

    def link(self, path: str, **changes: str | None) -> str:
        """`path` with the request's query, changed: None leaves a parameter out. The place in a paged list is never kept."""
        kept = {name: value for name, value in self.query.items() if name not in PLACES and value}
        changed = {name: value for name, value in {**kept, **changes}.items() if value}
        return path + ("?" + urlencode(changed) if changed else "")


def render(portal: Portal, template: str, **context: Any) -> str:
    """A template's text, with the seller known to it."""
    seller = MappingProxyType({
        "name": portal.settings.seller_name,
        "legal_name": portal.settings.seller_legal_name,
        "tax_id": portal.settings.seller_tax_id,
        "bank_details": (portal.settings.seller_bank_details or "").split(";"),
    })  # fmt: skip
    return portal.templates.get_template(template).render(seller=seller, today=portal.today, **context)


@cache
def load_operations() -> Mapping[str, StoredOperation]:
    """The stored operations by name, read once. Raises OperationInvalid, at the start, for one that does not fit the schema."""
    loaded = [StoredOperation.load(path) for path in sorted(QUERIES.glob("*.graphql"))]
    return MappingProxyType({operation.name: operation for operation in loaded})
