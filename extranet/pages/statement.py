"""The statement of account as a page. The ledger keeps its rules; this asks and shows.

A query that is wrong gets the form again, with what is wrong beside the field and no figures of another period.
"""

from collections.abc import Sequence

from markupsafe import Markup
from starlette.responses import Response

from extranet.answers import AgeBucket, Money, Statement
from extranet.periods import Asked
from extranet.portal import Visit
from extranet.statements import CREDITS_SHOWN, LINES_SHOWN, Answered, ask_statement, read_statement
from extranet.svg import stacked_bar


async def show(visit: Visit) -> Response:
    """The statement that `kind`, `period` or `from` and `to`, and `currency` ask for."""
    place = {"whole": False, **visit.place(LINES_SHOWN), **visit.place(CREDITS_SHOWN, "credits")}
    asked, answered = await ask_statement(visit, read_statement(visit), place)
    return sheet(visit, asked, answered)


def sheet(visit: Visit, asked: Asked, answered: Answered | None) -> Response:
    """The page: the form, and below it the statement, if there is one."""
    page, pages = page_of(answered.statement) if answered else (1, 1)
    return visit.page(
        "statement.html",
        page=page,
        pages=pages,
        status=400 if asked.problems else 200,
        asked=asked,
        account=answered.account if answered else None,
        ageing_bar=ageing_bar(answered.statement.ageing) if answered else None,
        brought_forward=brought_forward(answered.statement) if answered else None,
    )


def page_of(statement: Statement) -> tuple[int, int]:
    """Which page of the lines, or open items, it shows, and of how many (statement rule 13)."""
    rows = statement.lines or statement.owed
    if rows is None or not rows.nodes:
        return 1, 1
    return -(-(rows.nodes[-1].place or 1) // LINES_SHOWN), -(-rows.total_count // LINES_SHOWN)


def ageing_bar(ageing: Sequence[AgeBucket]) -> Markup:
    """The ageing table as one bar."""
    return stacked_bar([(f"age-{age.bucket.lower().replace('_', '-')}", age.amount.amount) for age in ageing])


def brought_forward(statement: Statement) -> Money:
    """The balance before the page's first line (statement rule 10); on a page without lines, the closing balance."""
    if not statement.lines or not statement.lines.nodes:
        return statement.closing
    first = statement.lines.nodes[0]
    moved = (first.debit.amount if first.debit else 0) - (first.credit.amount if first.credit else 0)
    return Money(amount=first.balance.amount - moved, currency=first.balance.currency)
