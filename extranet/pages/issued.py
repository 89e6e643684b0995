"""Issued statements: issuing one, the list of them, one of them, and its files, which are the same bytes at every download.

A file is made of the snapshot at its first download and kept; who comes second, even at the same moment, gets the one kept. It is
in the language that the statement was issued in, its times in the seller's zone: it would be the same whoever came first.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from extranet import downloads, languages
from extranet.answers import FurtherStatement, IssuedStatements, IssuePayload, KeepPayload
from extranet.formats import formats_for
from extranet.issued import KINDS, Snapshot, kept, snapshot
from extranet.pages.statement import sheet
from extranet.pages.statement_files import CSV, MOST_ON_PAPER, PDF, XLSX
from extranet.paper.statement import paper_statement
from extranet.paper.typesetting import typeset
from extranet.periods import Kind, read_period
from extranet.portal import Visit
from extranet.refusals import PageNotFound, TooLongForPaper
from extranet.spreadsheet import StatementBook
from extranet.statements import read_currency, refused
from extranet.texts import N_, _

PAGE_SIZE: Final = 25
MEDIA: Final = {"csv": CSV, "pdf": PDF, "xlsx": XLSX}
MISTAKES: Final[Mapping[str, str]] = MappingProxyType({
    "period_not_over": N_("A statement can be issued up to today, not beyond."),
    "too_many_entries": N_("That is more than an issued statement holds. Choose a shorter period."),
    "currency_without_entries": N_("This account has no entries in that currency."),
})  # fmt: skip
Maker = Callable[[Visit, Snapshot], Awaitable[bytes]]


async def issue(visit: Visit) -> Response:
    """Issue the statement that the form names, and show it."""
    if not visit.sees_ledger:
        raise PageNotFound
    form = await visit.read_own_form()
    asked = read_currency(read_period(form, visit.portal.today, visit.portal.year_start), form)
    if asked.problems or asked.period is None:
        return sheet(visit, asked, None)
    payload, mistakes = await visit.change(
        "statement_issue",
        IssuePayload,
        "statementIssue",
        kind="OPEN_ITEM" if asked.kind is Kind.OPEN_ITEM else "BALANCE_FORWARD",
        **({} if asked.kind is Kind.OPEN_ITEM else {"from": asked.period.first.isoformat()}),
        to=asked.period.last.isoformat(),
        currency=form.get("currency") or None,
        ageingEdges=visit.portal.ageing_edges,
        language=languages.spoken(),
    )
    if payload is None:
        problem = _(MISTAKES.get(mistakes[0].code, N_("That statement cannot be issued."))) if mistakes else ""
        return sheet(visit, refused(asked, "period", problem), None)
    return RedirectResponse(f"/statement/issued/{payload.statement.id}", status_code=303)


async def listing(visit: Visit) -> Response:
    """Statements issued, latest first."""
    if not visit.sees_ledger:
        raise PageNotFound
    found = await visit.ask(
        "issued_statements", IssuedStatements, ("viewer", "account", "issuedStatements"), **visit.place(PAGE_SIZE)
    )
    if found is None:
        raise PageNotFound
    return visit.page("issued_statements.html", issued=found, kinds=KINDS)


async def detail(visit: Visit) -> Response:
    """One of them."""
    found = await snapshot(visit, whole=False)
    language = languages.LANGUAGES[languages.language_of(found.issued.language)]
    return visit.page(
        "issued_statement.html", issued=found.issued, kind=found.kind, period=found.period, language=language
    )


async def csv(visit: Visit) -> Response:
    """As CSV."""
    return await _file(visit, "csv", _csv)


async def xlsx(visit: Visit) -> Response:
    """As a workbook."""
    return await _file(visit, "xlsx", _xlsx)


async def pdf(visit: Visit) -> Response:
    """As a tagged PDF."""
    return await _file(visit, "pdf", _pdf)


async def _file(visit: Visit, ending: str, make: Maker) -> Response:
    found = await snapshot(visit, whole=True)
    await visit.portal.access.take_away(visit.request, what="issued statement", form=ending)
    content = found.file(ending)
    if content is None:
        with languages.speaking(languages.language_of(found.issued.language)):
            made = await make(visit, found)
        payload, _mistakes = await visit.change(
            "statement_file_keep",
            KeepPayload,
            "statementFileKeep",
            statementId=found.issued.id,
            format=ending.upper(),
            content=base64.b64encode(made).decode(),
        )
        content = kept(payload.statement.files, ending) if payload else None
        if content is None:  # the statement is gone from this account between the two
            raise PageNotFound
    name = f"statement-{downloads.plain(found.issued.number)}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=MEDIA[ending], headers=headers)


async def _csv(_visit: Visit, found: Snapshot) -> bytes:
    answered = found.answered()
    if found.kind is Kind.OPEN_ITEM:
        return downloads.open_item_csv(answered.statement, found.period)
    return b"".join(
        [piece async for piece in downloads.balance_forward_csv(answered.statement, _no_more(), found.period)]
    )


async def _no_more() -> AsyncIterator[FurtherStatement]:
    return
    yield


async def _xlsx(visit: Visit, found: Snapshot) -> bytes:
    answered = found.answered()
    book = StatementBook(answered, visit.portal.settings)
    try:
        file = await run_in_threadpool(book.finish, answered.statement)
    finally:
        book.close()
    with file:
        return file.read()


async def _pdf(visit: Visit, found: Snapshot) -> bytes:
    answered = found.answered()
    statement = answered.statement
    lines = list(statement.lines.nodes) if statement.lines else []
    if len(lines) + len(statement.open_items or ()) + len(statement.unapplied_credits) > MOST_ON_PAPER:
        raise TooLongForPaper
    words = await paper_statement(
        answered,
        lines,
        statement,
        formats=formats_for(found.issued.language, visit.portal.settings.seller_time_zone),
        settings=visit.portal.settings,
        issued=(found.issued.number, found.issued.issued_at),
    )
    return await typeset("statement", words, at=found.issued.issued_at.replace(microsecond=0))
