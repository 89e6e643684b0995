"""The statement as its template reads it: every figure and day already written as the reader's locale writes them.

The rows are those of the page, in its order; the template lays out and computes nothing but page numbers. Rows are written a few
at a time with a rest between, so that a paper, which may take a second, takes little of any moment from who waits for a page.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from cdp.settings import Settings
from extranet import languages, texts
from extranet.answers import (
    FurtherStatement,
    Money,
    OpenItem,
    Statement,
    StatementAccount,
    StatementLine,
    UnappliedCredit,
)
from extranet.formats import Formats
from extranet.periods import Kind
from extranet.statements import Answered
from extranet.texts import _

AT_ONCE: Final = 4
REST_SECONDS: Final = 0.001
Row = dict[str, Any]
T = TypeVar("T")


async def paper_statement(
    answered: Answered,
    lines: Sequence[StatementLine],
    last: Statement | FurtherStatement,
    *,
    formats: Formats,
    settings: Settings,
    issued: tuple[str, datetime] | None = None,
) -> dict[str, Any]:
    """The words of `statement.typ`. `lines` are all of them and `last` is the page that the totals are read from. `issued`: the
    number and instant of an issued statement.
    """
    paper = _Paper(answered, formats)
    account, found = answered.account, answered.statement
    is_open_item = answered.kind is Kind.OPEN_ITEM
    return {
        "language": languages.spoken(),
        "title": _("Statement of account"),
        "document": f"{_('Statement of account')} {account.number}, {paper.days}",
        "page": _("Page {page} of {pages}"),
        "seller": party(settings.seller_legal_name, settings.seller_tax_id),
        "client": {"label": _("For"), **party(account.legal_name or account.name, account.tax_id)},
        "facts": [*paper.facts(account), *paper.issued(issued)],
        "sums": paper.sums(last),
        "ageing": {
            "title": _("How old it is"),
            "names": [texts.age(age.bucket, age.from_days, age.to_days) for age in found.ageing],
            "amounts": [paper.amount(age.amount) for age in found.ageing],
            "shares": [str(max(0, age.amount.amount)) for age in found.ageing],
            "note": _("Unapplied credits are not in these figures; they stand below.") if found.unapplied_credits else "",
        },
        "brought_forward": _("Balance brought forward"),
        "entries": await (paper.open_items(found.open_items or ()) if is_open_item else paper.entries(lines, last)),
        "unapplied": await paper.unapplied(found.unapplied_credits),
        "pay_to": _("Pay to") if settings.seller_bank_details else "",
        "bank": [line.strip() for line in (settings.seller_bank_details or "").split(";")],
        "notice": _("This is not an invoice."),
    }  # fmt: skip


class _Paper:
    """The pieces of one statement, in the reader's locale."""

    def __init__(self, answered: Answered, formats: Formats) -> None:
        self.answered = answered
        self.formats = formats
        first, last = formats.day(answered.period.first), formats.day(answered.period.last)
        self.days = last if answered.kind is Kind.OPEN_ITEM else f"{first} – {last}"
        self.first, self.last = first, last
        self.currency = answered.statement.closing.currency

    def amount(self, money: Money | None) -> str:
        return self.formats.amount(money.amount, money.currency) if money else ""

    def facts(self, account: StatementAccount) -> list[tuple[str, str]]:
        is_open_item = self.answered.kind is Kind.OPEN_ITEM
        facts = [
            (_("Account"), account.number),
            (_("Kind"), texts.named(texts.STATEMENT_KIND, self.answered.kind)),
            (_("As at") if is_open_item else _("Period"), self.days),
            (_("Currency"), f"{self.currency} {self.formats.currency_name(self.currency)}"),
        ]
        days = account.payment_terms_days
        if days is not None:
            terms = texts.ngettext("%(days)s day", "%(days)s days", days) % {"days": days}
            facts.append((_("Terms"), terms))
        return facts

    def issued(self, issued: tuple[str, datetime] | None) -> list[tuple[str, str]]:
        if issued is None:
            return []
        number, at = issued
        return [(_("Statement no."), number), (_("Issued"), self.formats.instant(at))]

    def sums(self, last: Statement | FurtherStatement) -> list[tuple[str, str]]:
        closing = self.formats.money(last.closing.amount, last.closing.currency)
        if self.answered.kind is Kind.OPEN_ITEM:
            return [(_("Balance as at %(day)s") % {"day": self.last}, closing)]
        return [
            (_("Opening balance"), self.amount(self.answered.statement.opening)),
            (_("Debits"), self.amount(last.total_debit)),
            (_("Credits"), self.amount(last.total_credit)),
            (_("Closing balance"), closing),
        ]

    async def entries(self, lines: Iterable[StatementLine], last: Statement | FurtherStatement) -> dict[str, Any]:
        rows = [
            self.row(line, due=line.due_on, order=line.order.number if line.order else None,
                     figures=(line.debit, line.credit, line.balance), disputed=line.disputed,
                     purchase_order=line.purchase_order)
            async for line in in_turns(lines)
        ]  # fmt: skip
        return {
            "title": _("Entries"),
            "columns": [_("Date"), _("Document"), _("Due"), _("Debit"), _("Credit"), _("Balance")],
            "opening": (
                _("Opening balance on %(day)s") % {"day": self.first}, self.amount(self.answered.statement.opening),
            ),
            "rows": rows,
            "none": _("Nothing was posted in this period."),
            "total": (
                _("Closing balance on %(day)s") % {"day": self.last},
                self.amount(last.total_debit), self.amount(last.total_credit), self.amount(last.closing),
            ),
        }  # fmt: skip

    async def open_items(self, items: Iterable[OpenItem]) -> dict[str, Any]:
        rows = [
            self.row(item, due=item.due_on, order=item.order.number if item.order else None, disputed=item.disputed,
                     figures=(item.original_amount, item.open_amount), purchase_order=item.purchase_order,
                     days_late=self.formats.number(item.days_late) if item.days_late else "")
            async for item in in_turns(items)
        ]  # fmt: skip
        return {
            "title": _("Open items"),
            "columns": [_("Date"), _("Document"), _("Due"), _("Days late"), _("Original"), _("Open")],
            "opening": None,
            "rows": rows,
            "none": _("Nothing is open"),
            "total": None,
        }

    async def unapplied(self, credits_: Sequence[UnappliedCredit]) -> dict[str, Any] | None:
        if not credits_:
            return None
        rows = [
            self.row(credit, figures=(credit.original_amount, credit.open_amount))
            async for credit in in_turns(credits_)
        ]
        return {
            "title": _("Unapplied credits"),
            "note": _("Payments and credit notes not yet set against an invoice. They are part of the balance."),
            "columns": [_("Date"), _("Document"), _("Original"), _("Unapplied")],
            "rows": rows,
        }

    def row(
        self,
        entry: StatementLine | OpenItem | UnappliedCredit,
        *,
        figures: Sequence[Money | None],
        due: Any = None,
        order: str | None = None,
        purchase_order: str | None = None,
        days_late: str | None = None,
        disputed: bool = False,
    ) -> Row:
        about = [
            entry.description,
            _("Your reference %(reference)s") % {"reference": purchase_order} if purchase_order else None,
            _("Order %(number)s") % {"number": order} if order else None,
        ]
        return {
            "day": self.formats.day(entry.posted_on),
            "document": f"{texts.named(texts.ENTRY_KIND, entry.kind)} {entry.document_number}",
            "tag": _("Disputed") if disputed else "",
            "about": " · ".join(part for part in about if part),
            "due": self.formats.day(due) if due else "",
            "figures": [*([] if days_late is None else [days_late]), *(self.amount(figure) for figure in figures)],
        }


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """The items, with a rest every `AT_ONCE` of them in which the event loop is others'."""
    for place, item in enumerate(items, start=1):
        yield item
        if place % AT_ONCE == 0:
            await asyncio.sleep(REST_SECONDS)


def party(name: str, tax_id: str | None) -> dict[str, str]:
    """Who somebody is in law, as the head of a paper shows it."""
    return {"name": name, "tax": f"{_('Tax ID')} {tax_id}" if tax_id else ""}
