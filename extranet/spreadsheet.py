"""The statement as a workbook (statement rule 14): rows and their totals; on a second sheet, what it is a statement of."""

from collections.abc import Iterable
from typing import IO, Final

from cdp.settings import Settings
from extranet import texts
from extranet.answers import FurtherStatement, Statement, StatementLine
from extranet.periods import Kind
from extranet.statements import Answered
from extranet.texts import _
from extranet.workbook import Cell, Workbook

WIDTHS: Final = (12, 16, 18, 36, 18, 14, 12, 10, 14, 14, 16)


class StatementBook:
    """One workbook in the making: what the statement is, its rows, and what is unapplied, each on a sheet."""

    def __init__(self, answered: Answered, settings: Settings) -> None:
        self.answered = answered
        self.book = Workbook(_("Statement of account"), settings)
        self._begin()
        self._about(settings)

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.answered.statement.closing.currency

    def add_lines(self, lines: Iterable[StatementLine]) -> None:
        """Further entries, in order."""
        for line in lines:
            self.book.add((
                line.posted_on, texts.named(texts.ENTRY_KIND, line.kind), line.document_number, line.description,
                line.purchase_order, line.order.number if line.order else None, line.due_on,
                _("Disputed") if line.disputed else None, line.debit, line.credit, line.balance,
            ))  # fmt: skip

    def finish(self, last: Statement | FurtherStatement) -> IO[bytes]:
        """The file, from its beginning; `last` is the page that the totals are read from."""
        ends = self.answered.period.last
        if self.answered.kind is Kind.OPEN_ITEM:
            self.book.add((ends, _("Balance"), *[None] * 8, last.closing), total=True)
        else:
            self.book.add(
                (ends, _("Closing balance"), *[None] * 6, last.total_debit, last.total_credit, last.closing), total=True
            )
        return self.book.finish()

    def close(self) -> None:
        """Take what was made on the way away; the file itself belongs to whoever reads it."""
        self.book.close()

    def _begin(self) -> None:
        found, first = self.answered.statement, self.answered.period.first
        if self.answered.kind is Kind.OPEN_ITEM:
            self.book.begin(_("Open items"), (
                _("Date"), _("Kind"), _("Document"), _("Description"), _("Your reference"), _("Order"), _("Due"),
                _("Disputed"), _("Days late"), _("Original"), _("Open"),
            ), WIDTHS)  # fmt: skip
            for item in found.open_items or ():
                self.book.add((
                    item.posted_on, texts.named(texts.ENTRY_KIND, item.kind), item.document_number, item.description,
                    item.purchase_order, item.order.number if item.order else None, item.due_on,
                    _("Disputed") if item.disputed else None, item.days_late, item.original_amount, item.open_amount,
                ))  # fmt: skip
            for credit in found.unapplied_credits:
                self.book.add((
                    credit.posted_on, texts.named(texts.ENTRY_KIND, credit.kind), credit.document_number, credit.description,
                    None, None, None, None, None, credit.original_amount, credit.open_amount,
                ))  # fmt: skip
            return
        self.book.begin(_("Entries"), (
            _("Date"), _("Kind"), _("Document"), _("Description"), _("Your reference"), _("Order"), _("Due"),
            _("Disputed"), _("Debit"), _("Credit"), _("Balance"),
        ), WIDTHS)  # fmt: skip
        self.book.add((first, _("Opening balance"), *[None] * 8, found.opening))
        self.add_lines(found.lines.nodes if found.lines else ())

    def _about(self, settings: Settings) -> None:
        account, period, found = self.answered.account, self.answered.period, self.answered.statement
        book = self.book
        entries, rows = book.sheet, book.row
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
            *((texts.age(age.bucket, age.from_days, age.to_days), age.amount) for age in found.ageing),
            *((f"{_('Unapplied')} {credit.document_number}", credit.open_amount) for credit in found.unapplied_credits),
            (_("Pay to"), settings.seller_bank_details),
            (_("This is not an invoice."), None),
        ]
        book.begin(_("About"), (_("Statement of account"), ""), (36, 36))
        for fact in facts:
            self.book.add(fact)
        book.sheet, book.row = entries, rows
