"""Mutations of cases: opening one, answering, closing, handing it to somebody. Members do the first three in their account."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, cast
from uuid import UUID

import strawberry
from psycopg import Connection

from cdp.access.viewer import Member, Role, Scope, Tool, Viewer
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.interact import cases
from cdp.interact.case_files import LARGEST_BYTES, MOST_FILES, GivenFile
from cdp.resolvers import case as resolvers
from cdp.schema.case import Case, CaseKind
from cdp.schema.mutations.acting import UserError, authorise, user_error, work
from cdp.schema.mutations.administering import settings_of
from cdp.schema.mutations.statement_issue import NO_ACCOUNT, account_of
from cdp.schema.subscription import made

Act = Callable[[Connection[Any], cases.Writer, cases.Moment], UUID | Mistake]
_ROLES: Final = (Role.CLIENT_ADMIN, Role.FINANCE, Role.BUYER)
_LEDGER_ROLES: Final = (Role.CLIENT_ADMIN, Role.FINANCE)
_NEEDS: Final = " For tools with graph:write, and for members, except viewers, in their account."


@strawberry.input(description="A file that comes with a message.")
class CaseFileInput:
    """A file as it came."""

    name: str = strawberry.field(description="Its name; the ending must be that of a kind that is taken.")
    content: str = strawberry.field(
        description="The file in Base64: PDF, PNG, JPEG, text, CSV, XLSX or DOCX, at most 10 MB."
    )


@strawberry.input(description="What is asked of us.")
class CaseOpenInput:
    """Input of caseOpen."""

    kind: CaseKind = strawberry.field(description="What it is.")
    subject: str = strawberry.field(description="In a line.")
    message: str = strawberry.field(description="In full.")
    account_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The account; a member's is the one they are signed in to, whether it is given or not.",
    )
    entry_id: strawberry.ID | None = strawberry.field(
        default=None, description="The invoice or other entry it is about."
    )
    order_id: strawberry.ID | None = strawberry.field(default=None, description="The order it is about.")
    is_dispute: bool = strawberry.field(
        default=False,
        description="Whether the entry is contested: it is marked as disputed until the case is closed; no balance changes.",
    )
    files: list[CaseFileInput] = strawberry.field(default_factory=list, description="At most 5.")


@strawberry.input(description="A further message in a case.")
class CaseReplyInput:
    """Input of caseReply."""

    id: strawberry.ID = strawberry.field(description="The case.")
    message: str = strawberry.field(description="What is written.")
    files: list[CaseFileInput] = strawberry.field(default_factory=list, description="At most 5.")


@strawberry.input(description="The end of a case.")
class CaseCloseInput:
    """Input of caseClose."""

    id: strawberry.ID = strawberry.field(description="The case.")
    satisfied: bool | None = strawberry.field(
        default=None, description="Whether the client is satisfied; only they are asked."
    )


@strawberry.input(description="Who looks after a case.")
class CaseAssignInput:
    """Input of caseAssign."""

    id: strawberry.ID = strawberry.field(description="The case.")
    email: str = strawberry.field(description="E-mail address of somebody of the staff.")


@strawberry.type(description="What came of a mutation of a case.")
class CasePayload:
    """`case_id` is for the compiled field."""

    case: Case | None = one(
        resolvers.changed,
        "The case as it is now; null after a mistake.",
        scope=Scope.GRAPH_PII,
        member=Scope.GRAPH_READ,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def case_open(
    info: strawberry.Info, input: Annotated[CaseOpenInput, strawberry.argument(description="What is asked.")]
) -> CasePayload:
    """Open a case."""
    viewer = authorise(info, scope=Scope.GRAPH_WRITE, roles=_ROLES)
    account_id = account_of(viewer, input.account_id)
    entry_id = parse_id(input.entry_id, "ent") if input.entry_id else None
    order_id = parse_id(input.order_id, "ord") if input.order_id else None
    files = _read(input.files)
    is_of_ledger = input.entry_id is not None or input.kind is CaseKind.INVOICE_QUERY
    wrong: Mistake | None = None
    if account_id is None:
        wrong = NO_ACCOUNT
    elif (input.entry_id and entry_id is None) or (input.order_id and order_id is None):
        wrong = cases.NOTHING_TO_NAME
    elif isinstance(viewer, Member) and viewer.role not in _LEDGER_ROLES and is_of_ledger:
        wrong = Mistake(code="kind_not_yours", message="Your role does not see invoices.", field=("kind",))
    elif isinstance(files, Mistake):
        wrong = files
    if wrong is not None or account_id is None or isinstance(files, Mistake):
        return _payload(wrong or NO_ACCOUNT)
    draft = cases.CaseDraft(
        account_id=account_id,
        kind=cast("cases.CaseKind", input.kind.value),
        subject=input.subject,
        message=input.message,
        entry_id=entry_id,
        order_id=order_id,
        is_dispute=input.is_dispute,
        files=files,
    )
    return await _do(
        info, viewer, lambda connection, by, moment: cases.open_case(connection, draft, by=by, moment=moment)
    )


async def case_reply(
    info: strawberry.Info, input: Annotated[CaseReplyInput, strawberry.argument(description="The message.")]
) -> CasePayload:
    """Write in a case."""
    viewer = authorise(info, scope=Scope.GRAPH_WRITE, roles=_ROLES)
    case_id, files = parse_id(input.id, "cas"), _read(input.files)
    if case_id is None:
        return _payload(cases.NO_CASE)
    if isinstance(files, Mistake):
        return _payload(files)

    def act(connection: Connection[Any], by: cases.Writer, moment: cases.Moment) -> UUID | Mistake:
        return cases.reply(connection, case_id, input.message, files=files, by=by, moment=moment)

    return await _do(info, viewer, act)


async def case_close(
    info: strawberry.Info, input: Annotated[CaseCloseInput, strawberry.argument(description="Which, and how it went.")]
) -> CasePayload:
    """Close a case."""
    viewer = authorise(info, scope=Scope.GRAPH_WRITE, roles=_ROLES)
    case_id = parse_id(input.id, "cas")
    if case_id is None:
        return _payload(cases.NO_CASE)

    def act(connection: Connection[Any], by: cases.Writer, moment: cases.Moment) -> UUID | Mistake:
        return cases.close(connection, case_id, satisfied=input.satisfied, by=by, moment=moment)

    return await _do(info, viewer, act)


async def case_assign(
    info: strawberry.Info, input: Annotated[CaseAssignInput, strawberry.argument(description="Which, and to whom.")]
) -> CasePayload:
    """Hand a case to somebody of the staff."""
    viewer = authorise(info, scope=Scope.GRAPH_WRITE)
    case_id = parse_id(input.id, "cas")
    if case_id is None:
        return _payload(cases.NO_CASE)

    def act(connection: Connection[Any], by: cases.Writer, moment: cases.Moment) -> UUID | Mistake:
        return cases.assign(connection, case_id, input.email, by=by, moment=moment)

    return await _do(info, viewer, act)


async def _do(info: strawberry.Info, viewer: Viewer, act: Act) -> CasePayload:
    settings = settings_of(info)
    promise = cases.Promise(standard_hours=settings.case_hours_standard, key_hours=settings.case_hours_key)
    moment = cases.Moment(now=datetime.now(UTC), today=info.context.today, promise=promise)
    writer = _writer(viewer)
    return _payload(await work(info, lambda connection: act(connection, writer, moment)))


def _writer(viewer: Viewer) -> cases.Writer:
    if isinstance(viewer, Member):
        return cases.Writer(author_id=f"member:{viewer.member_id}", member=viewer)
    assert isinstance(viewer, Tool)  # noqa: S101 — nobody else may
    return cases.Writer(author_id=viewer.acting_for or f"client:{viewer.client_id}", subject=viewer.acting_for)


def _read(given: Sequence[CaseFileInput]) -> list[GivenFile] | Mistake:
    """The files' bytes; a mistake that names the first that has none, before anything large is decoded."""
    if len(given) > MOST_FILES:
        return Mistake(code="too_many_files", message=f"At most {MOST_FILES} files a message.", field=("files",))
    files = []
    for place, each in enumerate(given):
        where = ("files", str(place), "content")
        if len(each.content) > LARGEST_BYTES * 4 // 3 + 4:
            return Mistake(code="file_too_large", message=f"At most {LARGEST_BYTES:,} bytes.", field=where)
        try:
            files.append(GivenFile(name=each.name, content=base64.b64decode(each.content, validate=True)))
        except binascii.Error:
            return Mistake(code="not_base64", message="That is not Base64.", field=where)
    return files


def _payload(outcome: UUID | Mistake) -> CasePayload:
    if isinstance(outcome, UUID):
        return made(CasePayload, case_id=outcome, user_errors=[])
    return made(CasePayload, case_id=None, user_errors=[user_error(outcome)])


@strawberry.type
class CaseMutation:
    """The part of the mutation root that is about cases."""

    case_open: CasePayload | None = strawberry.field(
        resolver=case_open,
        description="Asks something of us: a question, an invoice's query, a complaint, a return. It is answered in its thread."
        + _NEEDS
        + " What is about the ledger, for members who see it.",
    )
    case_reply: CasePayload | None = strawberry.field(
        resolver=case_reply,
        description="Writes in a case; a closed one is open again. What a tool writes answers the client." + _NEEDS,
    )
    case_close: CasePayload | None = strawberry.field(
        resolver=case_close,
        description="Closes a case; whoever writes in it later opens it again." + _NEEDS,
    )
    case_assign: CasePayload | None = strawberry.field(
        resolver=case_assign,
        description="Hands a case to somebody of the staff; the thread tells. Needs the scope graph:write.",
    )
