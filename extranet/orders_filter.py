"""Which orders a list shows, as an OrderFilter of the schema: pure, from the query's texts.

Days are days of the reader's time zone, which instants are shown in; an order placed at midnight is on the day it is shown on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from extranet.periods import read_day
from extranet.texts import ORDER_STATUS, ORDERS_SHOWN, _

LONGEST_SEARCH: Final = 80

OPEN: Final[dict[str, Any]] = {"status": {"in": ["PLACED", "CONFIRMED", "PARTLY_SHIPPED", "SHIPPED"]}}
"""Orders not yet delivered, cancelled or returned."""

LATE: Final[dict[str, Any]] = {"late": {"eq": True}}
"""Orders past their promised date."""

SHOWN: Final[Mapping[str, dict[str, Any]]] = MappingProxyType({
    "all": {},
    "open": OPEN,
    "late": LATE,
    "delivered": {"status": {"eq": "DELIVERED"}},
    "cancelled": {"status": {"in": ["CANCELLED", "RETURNED"]}},
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersAsked:
    """What the form holds; `filter` is None when something in it is wrong: `problems` says what, by field."""

    show: str
    status: str
    search: str
    site: str
    first: str
    last: str
    filter: dict[str, Any] | None
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.filter)


def read_orders(params: Mapping[str, str], zone: ZoneInfo) -> OrdersAsked:
    """What `show` (a key of `SHOWN`), `status` (in lower case), `q` (a part of number, purchase order or product), `site`, and
    `from` and `to` (days placed, of `zone`) ask for.
    """
    problems: dict[str, str] = {}
    show = params.get("show", "") or "all"
    status = params.get("status", "").upper().replace("-", "_")
    search = " ".join(params.get("q", "").split())
    site = params.get("site", "").replace("\0", "")
    first_text, last_text = params.get("from", "").strip(), params.get("to", "").strip()
    if show not in SHOWN:
        show, problems["show"] = "all", _("Choose one of: %(choices)s.") % {"choices": ", ".join(ORDERS_SHOWN)}
    if status and status not in ORDER_STATUS:
        status, problems["status"] = "", _("There is no such status.")
    if len(search) > LONGEST_SEARCH or "\0" in search:
        search, problems["q"] = search[:LONGEST_SEARCH].replace("\0", ""), _("Search for at most 80 characters.")
    first = read_day(first_text, "from", problems) if first_text else None
    last = read_day(last_text, "to", problems) if last_text else None
    if first and last and first > last:
        problems["from"] = _("This is after the end date, %(last)s.") % {"last": last.isoformat()}
    asked = OrdersAsked(
        show=show,
        status=status,
        search=search,
        site=site,
        first=first_text,
        last=last_text,
        filter=None,
        problems=problems,
    )
    if problems:
        return asked
    parts = [
        SHOWN[show],
        {"status": {"eq": status}} if status else {},
        {"location": {"eq": site}} if site else {},
        _placed(first, last, zone),
        _has(search) if search else {},
    ]
    parts = [part for part in parts if part]
    wanted: dict[str, Any] = {} if not parts else parts[0] if len(parts) == 1 else {"and": parts}
    return replace(asked, filter=wanted)


def _placed(first: date | None, last: date | None, zone: ZoneInfo) -> dict[str, Any]:
    bounds = {
        **({"gte": _midnight(first, zone)} if first else {}),
        **({"lt": _midnight(last + timedelta(days=1), zone)} if last else {}),
    }
    return {"placedAt": bounds} if bounds else {}


def _midnight(day: date, zone: ZoneInfo) -> str:
    return datetime.combine(day, time(), zone).astimezone(UTC).isoformat()


def _has(search: str) -> dict[str, Any]:
    part = {"contains": search}
    return {
        "or": [
            {"number": part},
            {"purchaseOrder": part},
            {"lines": {"some": {"or": [{"product": part}, {"name": part}]}}},
        ]
    }
