"""The statement of account: a page, and the same rows as CSV. The ledger keeps its rules; this asks and shows.

A query that is wrong gets the form again, with what is wrong beside the field and no figures of another period.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from babel.numbers import is_currency
from markupsafe import Markup
from starlette.responses import Response, StreamingResponse

from extranet import downloads
from extranet.answers import AgeBucket, EndOfPage, FurtherStatement, Money, Statement, StatementAccount
from extranet.periods import Asked, Kind, read_period
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.svg import stacked_bar
from extranet.texts import _

PAGE_SIZE: Final = 100
ACCOUNT: Final = ("viewer", "account")


async def show(visit: Visit) -> Response:
    """The statement that `kind`, `period` or `from` and `to`, and `currency` ask for."""
    asked = await _read(visit)
    account = None if asked.problems else await _ask(visit, asked, visit.place(PAGE_SIZE))
    if account and _stranger(visit, account):
        problems = {"currency": _("This account has no entries in that currency.")}
        asked, account = Asked(kind=asked.kind, first=asked.first, last=asked.last, problems=problems), None
    return visit.page(
        "statement.html",
        status=400 if asked.problems else 200,
        asked=asked,
        account=account,
        ageing_bar=ageing_bar(account.statement.ageing) if account else None,
        brought_forward=brought_forward(account.statement) if account else None,
    )


async def download_csv(visit: Visit) -> Response:
    """The whole statement as CSV, streamed page by page. A query that is wrong shows the page that says so."""
    asked = await _read(visit)
    account = None if asked.problems else await _ask(visit, asked, {"first": PAGE_SIZE})
    if asked.period is None or account is None or _stranger(visit, account):
        return await show(visit)
    statement = account.statement
    if asked.kind is Kind.OPEN_ITEM:
        content: AsyncIterator[bytes] | list[bytes] = [downloads.open_item_csv(statement, asked.period)]
    else:
        content = downloads.balance_forward_csv(statement, _further(visit, asked, statement), asked.period)
    name = downloads.file_name(account.number, asked.kind, asked.period)
    return StreamingResponse(
        content,
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


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


async def _read(visit: Visit) -> Asked:
    if not visit.sees_ledger:
        raise PageNotFound
    asked = read_period(visit.query, visit.portal.today)
    currency = visit.query.get("currency", "")
    if currency and not (currency.isascii() and currency.isupper() and is_currency(currency)):
        problems = {**asked.problems, "currency": _("That is not a currency’s code, such as EUR.")}
        return Asked(kind=asked.kind, first=asked.first, last=asked.last, problems=problems)
    return asked


def _stranger(visit: Visit, account: StatementAccount) -> bool:
    currency = visit.query.get("currency", "")
    return bool(currency) and currency not in {account.currency, *account.currencies}


async def _ask(visit: Visit, asked: Asked, place: Mapping[str, Any]) -> StatementAccount:
    variables = _which(visit, asked)
    if asked.kind is Kind.BALANCE_FORWARD:
        account = await visit.ask("statement_balance_forward", StatementAccount, ACCOUNT, **variables, **place)
    else:
        account = await visit.ask("statement_open_items", StatementAccount, ACCOUNT, **variables)
    if account is None:
        raise PageNotFound
    return account


async def _further(visit: Visit, asked: Asked, first: Statement) -> AsyncIterator[FurtherStatement]:
    info: EndOfPage | None = first.lines.page_info if first.lines else None
    while info is not None and info.has_next_page:
        variables = {**_which(visit, asked), "first": PAGE_SIZE, "after": info.end_cursor}
        page = await visit.ask("statement_lines", FurtherStatement, (*ACCOUNT, "statement"), **variables)
        if page is None:
            raise PageNotFound
        yield page
        info = page.lines.page_info


def _which(visit: Visit, asked: Asked) -> dict[str, Any]:
    assert asked.period is not None  # noqa: S101 - a period or problems, and the callers looked
    ends = {"to": asked.period.last.isoformat(), "currency": visit.query.get("currency") or None}
    return ends if asked.kind is Kind.OPEN_ITEM else {"from": asked.period.first.isoformat(), **ends}
