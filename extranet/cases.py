"""Cases: what the stored operations answer about them, what a list shows, and how they are called."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cdp.access.viewer import Role
from extranet.answers import Answer, OrderRef, PageInfo
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.texts import N_, _

KINDS: Final[Mapping[str, str]] = MappingProxyType({
    "QUESTION": N_("Question"),
    "INVOICE_QUERY": N_("Invoice or statement"),
    "COMPLAINT": N_("Complaint"),
    "RETURN": N_("Return"),
    "REORDER": N_("Reorder"),
    "DETAILS": N_("Change of details"),
})  # fmt: skip
OF_LEDGER: Final = "INVOICE_QUERY"
STATUSES: Final[Mapping[str, str]] = MappingProxyType({
    "OPEN": N_("Waiting for us"),
    "ANSWERED": N_("Answered"),
    "CLOSED": N_("Closed"),
})  # fmt: skip
SHOWN: Final[Mapping[str, str]] = MappingProxyType({
    "all": N_("All"),
    "open": N_("Waiting for us"),
    "answered": N_("Answered"),
    "closed": N_("Closed"),
})  # fmt: skip


class CaseRow(Answer, frozen=True, kw_only=True):
    """A case in a list. `respond_by`: when the answer it waits for is promised."""

    id: str
    number: int
    kind: str
    status: str
    subject: str
    opened_by_name: str
    opened_at: datetime
    last_message_at: datetime
    respond_by: datetime | None
    late: bool


class CaseList(Answer, frozen=True, kw_only=True):
    """A page of cases, latest written in first."""

    total_count: int
    nodes: list[CaseRow]
    page_info: PageInfo


class FileRef(Answer, frozen=True, kw_only=True):
    """A file in a thread; `size` in bytes."""

    id: str
    name: str
    size: int


class CaseItem(Answer, frozen=True, kw_only=True):
    """Something written, or that happened. `author_name` is empty where nobody in particular did it."""

    event: str
    author: str
    author_name: str
    text: str
    satisfied: bool | None
    written_at: datetime
    files: list[FileRef]


class CaseThread(Answer, frozen=True, kw_only=True):
    """A page of a thread, first written first."""

    total_count: int
    nodes: list[CaseItem]
    page_info: PageInfo


class EntryRef(Answer, frozen=True, kw_only=True):
    """An entry of the ledger; an INVOICE has a page."""

    id: str
    kind: str
    document_number: str


class CaseDetail(CaseRow, frozen=True, kw_only=True):
    """A case in full; `entry` only where it was asked for."""

    is_dispute: bool
    closed_at: datetime | None
    satisfied: bool | None
    order: OrderRef | None
    messages: CaseThread
    entry: EntryRef | None = None


class CaseFile(Answer, frozen=True, kw_only=True):
    """A file to be taken away; `content` in Base64."""

    name: str
    media_type: str
    content: str


class CaseId(Answer, frozen=True, kw_only=True):
    """Which case."""

    id: str


class CasePayload(Answer, frozen=True, kw_only=True):
    """What came of a change."""

    case: CaseId


class About(Answer, frozen=True, kw_only=True):
    """What a new case is about: an entry has a document number, an order a number."""

    id: str
    kind: str | None = None
    document_number: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesAsked:
    """What a list shows: a key of `SHOWN`, and the filter it stands for; None with the problem where it is none."""

    show: str
    filter: dict[str, Any] | None
    problem: str = ""


def read_cases(params: Mapping[str, str]) -> CasesAsked:
    """What `show` asks for."""
    show = params.get("show", "") or "all"
    if show not in SHOWN:
        problem = _("Choose one of: %(choices)s.") % {"choices": ", ".join(SHOWN)}
        return CasesAsked(show="all", filter=None, problem=problem)
    return CasesAsked(show=show, filter={} if show == "all" else {"status": {"eq": show.upper()}})


def require_cases(visit: Visit) -> None:
    """Raise PageNotFound for a role without cases."""
    if visit.session.role is Role.VIEWER:
        raise PageNotFound


def kinds_of(visit: Visit) -> Mapping[str, str]:
    """The kinds that the member may choose from."""
    return KINDS if visit.sees_ledger else {kind: name for kind, name in KINDS.items() if kind != OF_LEDGER}
