"""Which orders a list shows, as an OrderFilter of the schema: pure, from the query's texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from extranet.texts import ORDER_STATUS, _

LONGEST_SEARCH: Final = 80

OPEN: Final[dict[str, Any]] = {"status": {"in": ["PLACED", "CONFIRMED", "PARTLY_SHIPPED", "SHIPPED"]}}
"""Orders not yet delivered, cancelled or returned."""

LATE: Final[dict[str, Any]] = {"late": {"eq": True}}
"""Orders past their promised date."""

SHOWN: Final = MappingProxyType({"all": {}, "open": OPEN, "late": LATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersAsked:
    """What the form holds; `filter` is None when something in it is wrong (`problem` says what)."""

    show: str
    status: str
    search: str
    filter: dict[str, Any] | None
    problem: str = ""

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.filter)


def read_orders(params: Mapping[str, str]) -> OrdersAsked:
    """What `show` (all, open, late), `status` (a status in lower case) and `q` (number or purchase order) ask for."""
    show = params.get("show", "") or "all"
    status = params.get("status", "").upper().replace("-", "_")
    search = " ".join(params.get("q", "").split())
    problem = ""
    if show not in SHOWN:
        show, problem = "all", _("Choose all, open or late orders.")
    if status and status not in ORDER_STATUS:
        status, problem = "", _("There is no such status.")
    if len(search) > LONGEST_SEARCH or "\0" in search:
        search, problem = search[:LONGEST_SEARCH].replace("\0", ""), _("Search for at most 80 characters.")
    if problem:
        return OrdersAsked(show=show, status=status, search=search, filter=None, problem=problem)
    parts = [SHOWN[show]] if SHOWN[show] else []
    if status:
        parts.append({"status": {"eq": status}})
    if search:
        parts.append({"or": [{"number": {"contains": search}}, {"purchaseOrder": {"contains": search}}]})
    wanted: dict[str, Any] = {} if not parts else parts[0] if len(parts) == 1 else {"and": parts}
    return OrdersAsked(show=show, status=status, search=search, filter=wanted)
