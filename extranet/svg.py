"""Charts drawn on the server as SVG: shapes only, coloured by the style sheet's classes, so that they follow light and dark
and a strict content policy. Each is a picture of a table beside it, so it is hidden from screen readers.

Shares for drawing are computed here; no figure a reader reads is.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from markupsafe import Markup

WIDTH: Final = 1000
GAP: Final = 4
THINNEST: Final = 6


def stacked_bar(parts: Sequence[tuple[str, Decimal]]) -> Markup:
    """One bar of `(class, amount)` parts from left to right; what is not positive has no place in it.

    A part that is there is never too thin to see. Without any part the bar is an empty track.
    """
    visible = [(name, amount) for name, amount in parts if amount > 0]
    total = sum((amount for _, amount in visible), Decimal(0))
    room = WIDTH - GAP * max(0, len(visible) - 1)
    widths = _filling(room, [int(amount / total * room) for _, amount in visible])
    pieces, left = [], 0
    for (name, _), width in zip(visible, widths, strict=True):
        pieces.append(Markup('<rect class="{}" x="{}" y="0" width="{}" height="10"/>').format(name, left, width))
        left += width + GAP
    if not pieces:
        pieces.append(_track())
    return _picture("bar", pieces)


def meter(used: Decimal, limit: Decimal) -> Markup:
    """How much of a limit is used; over the limit the whole bar is marked."""
    share = Decimal(1) if limit <= 0 else used / limit
    width = max(0, min(WIDTH, int(share * WIDTH)))
    name = "over" if share > 1 else "used"
    filled = Markup('<rect class="{}" x="0" y="0" width="{}" height="10"/>').format(name, width)
    return _picture("meter", [_track(), filled])


def _filling(room: int, widths: list[int]) -> list[int]:
    """`widths` with none too thin to see; the widest gives or takes what that and rounding leave of the room."""
    raised = [max(THINNEST, width) for width in widths]
    if raised:
        raised[raised.index(max(raised))] += room - sum(raised)
    return raised


def _track() -> Markup:
    return Markup('<rect class="track" x="0" y="0" width="{}" height="10"/>').format(WIDTH)


def _picture(name: str, pieces: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="{}" viewBox="0 0 {} 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">{}</svg>'
    ).format(name, WIDTH, Markup("").join(pieces))
