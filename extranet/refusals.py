"""What the extranet refuses, and what an error of the graph means to the person who reads the page."""

from collections.abc import Sequence
from typing import Any

from cdp.errors import CdpError, Invalid, NotFound


class PageNotFound(NotFound):
    """There is no such page, or it is not yours to see."""


class InvalidPlace(Invalid):
    """The link to this page of the list is damaged. Start again at the first page."""


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
    if code == "value_invalid" and extensions.get("argument") == "id":
        return PageNotFound()
    return GraphFailed(reason=str(code))
