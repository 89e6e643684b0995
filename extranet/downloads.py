"""The statement as CSV (statement rule 14): RFC 4180, UTF-8, ISO dates, decimals with a point, debit, credit and balance apart.

Same rows and totals as the page. The column `row` tells an opening balance, lines, and the total apart, so that a program that
wants the lines filters on it. Text that a spreadsheet would run as a formula is made inert.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from extranet.answers import AgeBucket, FurtherStatement, Money, Statement, StatementLine
from extranet.periods import Kind, Period

BALANCE_FORWARD_COLUMNS: Final = (
    "row", "posted_on", "kind", "document_number", "description", "purchase_order", "order_number", "due_on",
    "disputed", "currency", "debit", "credit", "balance",
)  # fmt: skip
OPEN_ITEM_COLUMNS: Final = (
    "row", "posted_on", "kind", "document_number", "description", "purchase_order", "due_on", "days_late", "bucket",
    "disputed", "currency", "original_amount", "open_amount",
)  # fmt: skip
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")

Cell = str | int | bool | date | Decimal | Money | None


async def balance_forward_csv(
    first: Statement, more: AsyncIterator[FurtherStatement], period: Period
) -> AsyncIterator[bytes]:
    """The file in pieces, one for each page of lines, so that never more than a page is in memory.

    The total is the last page's: it agrees with the last line also when entries were posted meanwhile.
    """
    yield encode([BALANCE_FORWARD_COLUMNS, _opening(first, period), *_lines(first.lines.nodes if first.lines else ())])
    last: Statement | FurtherStatement = first
    async for page in more:
        yield encode(_lines(page.lines.nodes))
        last = page
    totals = (last.total_debit, last.total_credit, last.closing)
    yield encode([("total", period.last, *[None] * 7, last.closing.currency, *totals)])


def open_item_csv(statement: Statement, period: Period) -> bytes:
    """The file: open items, unapplied credits, and the balance they make."""
    total = ("total", period.last, *[None] * 8, statement.closing.currency, None, statement.closing)
    return encode([OPEN_ITEM_COLUMNS, *_open_items(statement), total])


def encode(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def cell(value: Cell) -> str:
    """A value as CSV text: numbers and dates plain, text made inert."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Money():
            return format(value.amount, "f")
        case Decimal():
            return format(value, "f")
        case date():
            return value.isoformat()
        case int():
            return str(value)
    return f"'{value}" if value.startswith(FORMULA_STARTS) else value


def file_name(account_number: str, kind: Kind, period: Period, ending: str) -> str:
    """A name for the file that says what is in it, of characters every system takes."""
    account = plain(account_number)
    days = f"{period.first}-{period.last}" if kind is Kind.BALANCE_FORWARD else f"{period.last}"
    return f"statement-{account}-{kind}-{days}.{ending}"


def plain(number: str) -> str:
    """A number as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9-]+", "-", number).strip("-")


def _opening(statement: Statement, period: Period) -> Sequence[Cell]:
    currency = statement.opening.currency
    return ("opening", period.first, *[None] * 7, currency, None, None, statement.opening)


def _lines(lines: Iterable[StatementLine]) -> Iterator[Sequence[Cell]]:
    for line in lines:
        yield (
            "line", line.posted_on, line.kind.lower(), line.document_number, line.description, line.purchase_order,
            line.order.number if line.order else None, line.due_on, line.disputed, line.balance.currency,
            line.debit, line.credit, line.balance,
        )  # fmt: skip


def _open_items(statement: Statement) -> Iterator[Sequence[Cell]]:
    names = {age.bucket: _age(age) for age in statement.ageing}
    for item in statement.open_items or ():
        yield (
            "open-item", item.posted_on, item.kind.lower(), item.document_number, item.description, item.purchase_order,
            item.due_on, item.days_late, names[item.bucket], item.disputed,
            item.open_amount.currency, item.original_amount, item.open_amount,
        )  # fmt: skip
    for credit in statement.unapplied_credits:
        yield (
            "unapplied-credit", credit.posted_on, credit.kind.lower(), credit.document_number, credit.description, None,
            None, None, None, None, credit.open_amount.currency, credit.original_amount, credit.open_amount,
        )  # fmt: skip


def _age(age: AgeBucket) -> str:
    """A bucket for programs: `current`, `days-1-30`, `over-90`."""
    if age.from_days is None:
        return age.bucket.lower().replace("_", "-")
    return f"over-{age.from_days - 1}" if age.to_days is None else f"days-{age.from_days}-{age.to_days}"
