"""The statement to take away: CSV, a spreadsheet and a PDF, of the very rows and totals that the page shows (rule 14).

A query that is wrong gets the page that says so. Lines are read a page at a time: CSV is sent as it is read, a spreadsheet
is built on disk, and a PDF, which has to be laid out whole, has a most.
"""

from collections.abc import AsyncIterator, Iterator
from typing import IO, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from extranet import downloads
from extranet.answers import FurtherStatement, Statement
from extranet.pages.statement import sheet
from extranet.paper.statement import paper_statement
from extranet.paper.typesetting import typeset
from extranet.periods import Asked, Kind
from extranet.portal import Visit
from extranet.spreadsheet import StatementBook
from extranet.statements import PAGE_SIZE, Answered, ask_statement, further, read_statement, refused
from extranet.texts import _

CSV: Final = "text/csv; charset=utf-8; header=present"
PDF: Final = "application/pdf"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CHUNK_BYTES: Final = 65_536
MOST_ON_PAPER: Final = 2_500
"""Lines and items a PDF may have, about eighty pages. Twice as many take typst not twice but eight times as long."""


async def csv(visit: Visit) -> Response:
    """The whole statement as CSV, streamed page by page."""
    asked, answered = await _ask(visit, "csv")
    if answered is None:
        return sheet(visit, asked, None)
    if answered.kind is Kind.OPEN_ITEM:
        content: AsyncIterator[bytes] | list[bytes] = [downloads.open_item_csv(answered.statement, answered.period)]
    else:
        more = further(visit, asked, answered.statement)
        content = downloads.balance_forward_csv(answered.statement, more, answered.period)
    return StreamingResponse(content, media_type=CSV, headers=_attachment(answered, "csv"))


async def xlsx(visit: Visit) -> Response:
    """The whole statement as a workbook."""
    asked, answered = await _ask(visit, "xlsx")
    if answered is None:
        return sheet(visit, asked, None)
    book = StatementBook(answered, visit.portal.settings)
    try:
        last: Statement | FurtherStatement = answered.statement
        async for page in further(visit, asked, answered.statement):
            await run_in_threadpool(book.add_lines, page.lines.nodes)
            last = page
        file = await run_in_threadpool(book.finish, last)
    finally:
        book.close()
    return StreamingResponse(pieces(file), media_type=XLSX, headers=_attachment(answered, "xlsx"))


async def pdf(visit: Visit) -> Response:
    """The whole statement as a tagged PDF (PDF/UA-1)."""
    asked, answered = await _ask(visit, "pdf")
    if answered is None:
        return sheet(visit, asked, None)
    found = answered.statement
    count = found.lines.total_count if found.lines else len(found.open_items or ()) + len(found.unapplied_credits)
    if count > MOST_ON_PAPER:
        problem = _("That is more than a PDF holds. Choose a shorter period, or download CSV or Excel.")
        return sheet(visit, refused(asked, "period", problem), None)
    lines = list(found.lines.nodes) if found.lines else []
    last: Statement | FurtherStatement = found
    async for page in further(visit, asked, found):
        lines += page.lines.nodes
        last = page
    words = await paper_statement(answered, lines, last, formats=visit.formats, settings=visit.portal.settings)
    made = await typeset("statement", words, at=visit.portal.now())
    return Response(made, media_type=PDF, headers=_attachment(answered, "pdf"))


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file piece by piece; closes it."""
    with file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


async def _ask(visit: Visit, ending: str) -> tuple[Asked, Answered | None]:
    asked, answered = await ask_statement(visit, read_statement(visit), {"whole": True, "first": PAGE_SIZE})
    if answered is not None:
        await visit.portal.access.take_away(visit.request, what="statement", form=ending)
    return asked, answered


def _attachment(answered: Answered, ending: str) -> dict[str, str]:
    name = downloads.file_name(answered.account.number, answered.kind, answered.period, ending)
    return {"Content-Disposition": f'attachment; filename="{name}"'}
