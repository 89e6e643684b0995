"""A workbook in the making: real numbers and real dates, a header that stays in sight, text that stays text.

Rows go to disk as they come (xlsxwriter's constant memory), so 5,000 rows cost no more memory than a page of them. Text is
written as text and marked as such: a formula in a description stays a description, also when a cell is edited.
"""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, Final

import xlsxwriter
from babel.numbers import get_currency_precision

from cdp.settings import Settings
from extranet.answers import Money

LONGEST_TEXT: Final = 32_767
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_TOTAL: Final = {"bold": True, "top": 1, "bottom": 6}
Cell = str | int | date | Decimal | Money | None


class Workbook:
    """Sheets of rows, one sheet at a time but for a short visit to another (`sheet` again goes on with it)."""

    def __init__(self, title: str, settings: Settings) -> None:
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
        self.book.set_properties({"title": title, "author": settings.seller_legal_name})
        self.format = cache(self._format)

    def begin(self, name: str, columns: Sequence[str], widths: Sequence[float]) -> None:
        """A further sheet, with its header."""
        self.sheet = self.book.add_worksheet(name)
        self.row = 0
        self.sheet.freeze_panes(1, 0)
        for place, width in enumerate(widths):
            self.sheet.set_column(place, place, width)
        for place, column in enumerate(columns):
            self.sheet.write_string(0, place, column, self.format("head"))

    def add(self, cells: Sequence[Cell], *, total: bool = False) -> None:
        """A row; `total` sets it apart."""
        self.row += 1
        for place, value in enumerate(cells):
            self._write(place, value, total=total)

    def finish(self) -> IO[bytes]:
        """The file, from its beginning."""
        self.book.close()
        self.file.seek(0)
        return self.file

    def close(self) -> None:
        """Take the rows' folder away; the file itself belongs to whoever reads it."""
        self.folder.cleanup()

    def _write(self, place: int, value: Cell, *, total: bool) -> None:
        row = self.row
        match value:
            case None:
                if total:
                    self.sheet.write_blank(row, place, None, self.format("text", total=True))
            case Money() if is_exact(value.amount):
                shown = self.format(f"amount {get_currency_precision(value.currency)}", total=total)
                self.sheet.write_number(row, place, float(value.amount), shown)
            case Money():
                self.sheet.write_string(row, place, format(value.amount, "f"), self.format("text"))
            case Decimal() if is_exact(value):
                self.sheet.write_number(row, place, float(value))
            case Decimal():
                self.sheet.write_string(row, place, format(value, "f"), self.format("text"))
            case int():
                self.sheet.write_number(row, place, value)
            case date():
                self.sheet.write_datetime(row, place, value, self.format("day", total=total))
            case _:
                text = _UNPRINTABLE.sub("□", value)[:LONGEST_TEXT]
                self.sheet.write_string(row, place, text, self.format("text", total=total))

    def _format(self, name: str, *, total: bool = False) -> Any:
        kind, _, decimals = name.partition(" ")
        looks: dict[str, dict[str, Any]] = {
            "text": {} if total else {"num_format": "@", "quote_prefix": True},
            "head": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"},
            "day": {"num_format": "yyyy-mm-dd", "align": "left"},
            "amount": {"num_format": "#,##0" + (f".{'0' * int(decimals)}" if decimals.strip("0") else "")},
        }
        return self.book.add_format({**looks[kind], **(_TOTAL if total else {})})


def is_exact(amount: Decimal) -> bool:
    """Whether a spreadsheet's number, which has fifteen digits, is the very amount."""
    return Decimal(format(float(amount), ".15g")) == amount
