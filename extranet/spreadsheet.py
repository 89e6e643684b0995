"""The statement as a workbook (statement rule 14): real numbers and real dates, a header that stays in sight, a row of totals.

Rows go to disk as they come (xlsxwriter's constant memory), so 5,000 entries cost no more memory than a page of them. Text is
written as text and marked as such: a formula in a description stays a description, also when a cell is edited.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Final

import xlsxwriter
from babel.numbers import get_currency_precision

from cdp.settings import Settings
from extranet import texts
from extranet.answers import FurtherStatement, Money, Statement, StatementLine
from extranet.periods import Kind
from extranet.statements import Answered
from extranet.texts import _

LONGEST_TEXT: Final = 32_767
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
Cell = str | int | date | Money | None


class StatementBook:
    """One workbook in the making: what the statement is, its rows, and what is unapplied, each on a sheet."""

    def __init__(self, answered: Answered, settings: Settings) -> None:
        self.answered = answered
        self.folder = TemporaryDirectory(prefix="sheet-")
        self.file = TemporaryFile()  # noqa: SIM115 - handed on to the answer, which closes it
        self.book = xlsxwriter.Workbook(
            self.file,
            {
                "constant_memory": True,
                "tmpdir": self.folder.name,
                "strings_to_formulas": False,
                "strings_to_urls": False,
            },
        )
        decimals = get_currency_precision(self.currency)
        amount = "#,##0" + ("." + "0" * decimals if decimals else "")
        self.formats = {
            "text": self.book.add_format({"num_format": "@", "quote_prefix": True}),
            "head": self.book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "day": self.book.add_format({"num_format": "yyyy-mm-dd", "align": "left"}),
            "amount": self.book.add_format({"num_format": amount}),
            "total text": self.book.add_format({"bold": True, "top": 1, "bottom": 6}),
            "total amount": self.book.add_format({"bold": True, "top": 1, "bottom": 6, "num_format": amount}),
            "total day": self.book.add_format(
                {"bold": True, "top": 1, "bottom": 6, "num_format": "yyyy-mm-dd", "align": "left"}
            ),
        }
        self.book.set_properties({"title": _("Statement of account"), "author": settings.seller_legal_name})
        self._begin()
        self._about(settings)

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.answered.statement.closing.currency

    def add_lines(self, lines: Iterable[StatementLine]) -> None:
        """Further entries, in order."""
        for line in lines:
            self._add((
                line.posted_on, texts.named(texts.ENTRY_KIND, line.kind), line.document_number, line.description,
                line.purchase_order, line.order.number if line.order else None, line.due_on,
                _("Disputed") if line.disputed else None, line.debit, line.credit, line.balance,
            ))  # fmt: skip

    def finish(self, last: Statement | FurtherStatement) -> IO[bytes]:
        """The file, from its beginning; `last` is the page that the totals are read from."""
        ends = self.answered.period.last
        if self.answered.kind is Kind.OPEN_ITEM:
            self._add((ends, _("Balance"), *[None] * 8, last.closing), total=True)
        else:
            self._add(
                (ends, _("Closing balance"), *[None] * 6, last.total_debit, last.total_credit, last.closing), total=True
            )
        self.book.close()
        self.file.seek(0)
        return self.file

    def close(self) -> None:
        """Take the rows' folder away; the file itself belongs to whoever reads it."""
        self.folder.cleanup()

    def _begin(self) -> None:
        found, first = self.answered.statement, self.answered.period.first
        if self.answered.kind is Kind.OPEN_ITEM:
            self._sheet(_("Open items"), (
                _("Date"), _("Kind"), _("Document"), _("Description"), _("Your reference"), _("Order"), _("Due"),
                _("Disputed"), _("Days late"), _("Original"), _("Open"),
            ))  # fmt: skip
            for item in found.open_items or ():
                self._add((
                    item.posted_on, texts.named(texts.ENTRY_KIND, item.kind), item.document_number, item.description,
                    item.purchase_order, item.order.number if item.order else None, item.due_on,
                    _("Disputed") if item.disputed else None, item.days_late, item.original_amount, item.open_amount,
                ))  # fmt: skip
            for credit in found.unapplied_credits:
                self._add((
                    credit.posted_on, texts.named(texts.ENTRY_KIND, credit.kind), credit.document_number, credit.description,
                    None, None, None, None, None, credit.original_amount, credit.open_amount,
                ))  # fmt: skip
            return
        self._sheet(_("Entries"), (
            _("Date"), _("Kind"), _("Document"), _("Description"), _("Your reference"), _("Order"), _("Due"),
            _("Disputed"), _("Debit"), _("Credit"), _("Balance"),
        ))  # fmt: skip
        self._add((first, _("Opening balance"), *[None] * 8, found.opening))
        self.add_lines(found.lines.nodes if found.lines else ())

    def _sheet(self, name: str, columns: Sequence[str]) -> None:
        self.sheet = self.book.add_worksheet(name)
        self.row = 0
        self.sheet.freeze_panes(1, 0)
        for place, width in enumerate((12, 16, 18, 36, 18, 14, 12, 10, 14, 14, 16)[: len(columns)]):
            self.sheet.set_column(place, place, width)
        for place, column in enumerate(columns):
            self.sheet.write_string(0, place, column, self.formats["head"])

    def _add(self, cells: Sequence[Cell], *, total: bool = False) -> None:
        self.row += 1
        for place, value in enumerate(cells):
            self._write(place, value, total=total)

    def _write(self, place: int, value: Cell, *, total: bool) -> None:
        row, kind = self.row, "total " if total else ""
        match value:
            case None:
                if total:
                    self.sheet.write_blank(row, place, None, self.formats["total text"])
            case Money() if is_exact(value.amount):
                self.sheet.write_number(row, place, float(value.amount), self.formats[f"{kind}amount"])
            case Money():
                self.sheet.write_string(row, place, format(value.amount, "f"), self.formats["text"])
            case int():
                self.sheet.write_number(row, place, value)
            case date():
                self.sheet.write_datetime(row, place, value, self.formats[f"{kind}day"])
            case _:
                text = _UNPRINTABLE.sub("□", value)[:LONGEST_TEXT]
                self.sheet.write_string(row, place, text, self.formats["total text" if total else "text"])

    def _about(self, settings: Settings) -> None:
        account, period, found = self.answered.account, self.answered.period, self.answered.statement
        entries, rows = self.sheet, self.row
        facts: list[tuple[str, Cell]] = [
            (_("Seller"), settings.seller_legal_name),
            (_("Tax ID"), settings.seller_tax_id),
            (_("For"), account.legal_name or account.name),
            (_("Tax ID"), account.tax_id),
            (_("Account"), account.number),
            (_("Kind"), texts.named(texts.STATEMENT_KIND, self.answered.kind)),
            *([] if self.answered.kind is Kind.OPEN_ITEM else [(_("From"), period.first)]),
            (_("To"), period.last),
            (_("Currency"), self.currency),
            (_("Days to pay"), account.payment_terms_days),
            *((texts.named(texts.BUCKET, age.bucket), age.amount) for age in found.ageing),
            *((f"{_('Unapplied')} {credit.document_number}", credit.open_amount) for credit in found.unapplied_credits),
            (_("Pay to"), settings.seller_bank_details),
            (_("This is not an invoice."), None),
        ]
        self._sheet(_("About"), (_("Statement of account"), ""))
        self.sheet.set_column(0, 1, 36)
        for fact in facts:
            self._add(fact)
        self.sheet, self.row = entries, rows


def is_exact(amount: Decimal) -> bool:
    """Whether a spreadsheet's number, which has fifteen digits, is the very amount."""
    return Decimal(format(float(amount), ".15g")) == amount
