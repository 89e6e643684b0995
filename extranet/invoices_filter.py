"""Which invoices a list shows, as a LedgerEntryFilter of the schema: pure, from the query's texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from extranet.texts import INVOICES_SHOWN, _

LONGEST_SEARCH: Final = 80

SHOWN: Final[Mapping[str, dict[str, Any]]] = MappingProxyType({
    "all": {},
    "open": {"settlement": {"in": ["OPEN", "PARTLY_SETTLED"]}},
    "overdue": {"overdue": {"eq": True}},
    "paid": {"settlement": {"eq": "SETTLED"}},
    "disputed": {"disputed": {"eq": True}},
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicesAsked:
    """What the form holds; `filter` is None when something in it is wrong (`problem` says what)."""

    show: str
    search: str
    filter: dict[str, Any] | None
    problem: str = ""

    @property
    def narrows(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.filter)


def read_invoices(params: Mapping[str, str]) -> InvoicesAsked:
    """What `show` (a key of `SHOWN`) and `q` (a part of a number or purchase order) ask for."""
    show = params.get("show", "") or "all"
    search = " ".join(params.get("q", "").split())
    problem = ""
    if show not in SHOWN:
        show, problem = "all", _("Choose one of: %(choices)s.") % {"choices": ", ".join(INVOICES_SHOWN)}
    if len(search) > LONGEST_SEARCH or "\0" in search:
        search, problem = search[:LONGEST_SEARCH].replace("\0", ""), _("Search for at most 80 characters.")
    if problem:
        return InvoicesAsked(show=show, search=search, filter=None, problem=problem)
    parts = [SHOWN[show]] if SHOWN[show] else []
    if search:
        parts.append({"or": [{"documentNumber": {"contains": search}}, {"purchaseOrder": {"contains": search}}]})
    wanted: dict[str, Any] = {} if not parts else parts[0] if len(parts) == 1 else {"and": parts}
    return InvoicesAsked(show=show, search=search, filter=wanted)
