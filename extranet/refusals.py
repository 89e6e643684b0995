"""What the extranet refuses, and what an error of the graph means to the person who reads the page."""

from collections.abc import Sequence
from typing import Any, Final

from cdp.access.portal import OnlyLooking
from cdp.errors import CdpError, Invalid, NotFound, TooManyRequests, Unavailable

RETRY_AFTER_SECONDS: Final = 60


class PageNotFound(NotFound):
    """There is no such page, or it is not yours to see."""


class TooLongForPaper(Invalid):
    """That is more than a PDF holds. Download CSV or Excel instead."""


class InvalidPlace(Invalid):
    """The link to this page of the list is damaged. Start again at the first page."""


class DatabaseUnavailable(Unavailable):
    """The database does not answer now; try again in {retry_after_seconds} seconds."""


class GraphFailed(CdpError):
    """The graph could not answer a stored operation ({reason})."""

    reason: str


def refusal_of(errors: Sequence[Any]) -> CdpError:
    """The refusal that the first of the graph's errors stands for.

    A damaged cursor is a damaged link. An id that cannot be one is an id of nothing. Any other error is a fault of ours,
    because operations are stored and every other value is read before it is asked with.
    """
    first = errors[0]
    extensions = (first.get("extensions") if isinstance(first, dict) else getattr(first, "extensions", None)) or {}
    code = extensions.get("code", "unknown")
    if code == "cursor_invalid":
        return InvalidPlace()
    if code == "nobody_writes_while_looking":
        return OnlyLooking()
    if code == TooManyRequests.code:
        return TooManyRequests(retry_after_seconds=int(extensions.get("retry_after_seconds", RETRY_AFTER_SECONDS)))
    if code in {"unavailable", "too_slow"}:
        return DatabaseUnavailable(retry_after_seconds=RETRY_AFTER_SECONDS)
    if code == "value_invalid" and str(extensions.get("argument")).endswith("(id:)"):
        return PageNotFound()
    return GraphFailed(reason=str(code))
