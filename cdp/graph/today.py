"""Today as a bound parameter: what is late or overdue depends on a date, which the seller's time zone decides."""

from typing import Final

from sqlalchemy import BindParameter, ColumnElement, Date

TODAY_NAME: Final = "today"


def today() -> ColumnElement[object]:
    """The date of this execution, in the seller's legal time zone; the same parameter wherever it stands."""
    return BindParameter(TODAY_NAME, None, type_=Date(), required=False)
