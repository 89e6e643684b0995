"""Which statement a query asks for, and the ledger's answer: what the page and every download of it begin with.

A query that is wrong has problems by field name and no account, so that nobody shows figures of another period.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from babel.numbers import is_currency

from extranet.answers import EndOfPage, FurtherStatement, Statement, StatementAccount
from extranet.periods import Asked, Kind, Period, read_period
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.texts import AGEING, _

PAGE_SIZE: Final = 100
LINES_SHOWN: Final = 50
CREDITS_SHOWN: Final = 20
ACCOUNT: Final = ("viewer", "account")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A statement as asked for: whose, of which days, with its first page of lines."""

    account: StatementAccount
    kind: Kind
    period: Period

    @property
    def statement(self) -> Statement:
        """The statement itself."""
        return self.account.statement


def read_statement(visit: Visit) -> Asked:
    """What the query asks for. Raises PageNotFound for a role without the ledger, before anything else is said."""
    if not visit.sees_ledger:
        raise PageNotFound
    asked = read_currency(read_period(visit.query, visit.portal.today, visit.portal.year_start), visit.query)
    if visit.query.get("ageing", "due") not in AGEING:
        return refused(asked, "ageing", _("Choose one of: %(choices)s.") % {"choices": ", ".join(AGEING)})
    return asked


def read_currency(asked: Asked, params: Mapping[str, str]) -> Asked:
    """The same, with a problem where `currency` names none."""
    currency = params.get("currency", "")
    if currency and not (currency.isascii() and currency.isupper() and is_currency(currency)):
        return refused(asked, "currency", _("That is not a currency’s code, such as EUR."))
    return asked


async def ask_statement(visit: Visit, asked: Asked, place: Mapping[str, Any]) -> tuple[Asked, Answered | None]:
    """The statement with the lines or items at `place`, which also says whether it is wanted `whole`.

    None, and what is wrong among the problems, where there is none.
    """
    if asked.problems or asked.period is None:
        return asked, None
    basis = "DOCUMENT_DATE" if visit.query.get("ageing") == "document" else "DUE_DATE"
    variables = {**_which(visit, asked), "by": basis, "edges": visit.portal.ageing_edges, **place}
    if asked.kind is Kind.BALANCE_FORWARD:
        account = await visit.ask("statement_balance_forward", StatementAccount, ACCOUNT, **variables)
    else:
        account = await visit.ask("statement_open_items", StatementAccount, ACCOUNT, **variables)
    if account is None:
        raise PageNotFound
    currency = visit.query.get("currency", "")
    if currency and currency not in {account.currency, *account.currencies}:
        return refused(asked, "currency", _("This account has no entries in that currency.")), None
    return asked, Answered(account=account, kind=asked.kind, period=asked.period)


async def further(visit: Visit, asked: Asked, first: Statement) -> AsyncIterator[FurtherStatement]:
    """The pages of lines after the first, each with the totals as they are then."""
    info: EndOfPage | None = first.lines.page_info if first.lines else None
    while info is not None and info.has_next_page:
        variables = {**_which(visit, asked), "first": PAGE_SIZE, "after": info.end_cursor}
        page = await visit.ask("statement_lines", FurtherStatement, (*ACCOUNT, "statement"), **variables)
        if page is None:
            raise PageNotFound
        yield page
        info = page.lines.page_info


def refused(asked: Asked, field: str, problem: str) -> Asked:
    """The same form, with a problem at a field and without a period."""
    return replace(asked, period=None, preset=None, problems={**asked.problems, field: problem})


def _which(visit: Visit, asked: Asked) -> dict[str, Any]:
    assert asked.period is not None  # noqa: S101 - a period or problems, and the callers looked
    ends = {
        "to": asked.period.last.isoformat(),
        "currency": visit.query.get("currency") or None,
    }
    return ends if asked.kind is Kind.OPEN_ITEM else {"from": asked.period.first.isoformat(), **ends}
