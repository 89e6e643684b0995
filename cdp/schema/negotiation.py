"""Which media type a caller likes best (RFC 9110 §12.5.1): quality values, wildcards, the more specific range first."""

from collections.abc import Sequence
from typing import NamedTuple


class _Range(NamedTuple):
    name: str
    quality: float


def preferred(accept: str, offers: Sequence[str]) -> str | None:
    """The best of `offers` for an Accept header; of equals the first. None when the caller takes none of them.

    An empty header takes anything. A range that can't be read counts for nothing.
    """
    if not accept.strip():
        return offers[0]
    ranges = [_range(part) for part in accept.split(",")]
    qualities = [_quality(offer, ranges) for offer in offers]
    best = max(qualities)
    return offers[qualities.index(best)] if best > 0 else None


def _range(part: str) -> _Range:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                quality = float(value)
            except ValueError:
                quality = 0.0
    return _Range(name, quality if 0 <= quality <= 1 else 0.0)


def _quality(offer: str, ranges: Sequence[_Range]) -> float:
    """Of the most specific range that the offer is in; 0 when it is in none."""
    for name in (offer, offer.partition("/")[0] + "/*", "*/*"):
        named = [each.quality for each in ranges if each.name == name]
        if named:
            return max(named)
    return 0.0
