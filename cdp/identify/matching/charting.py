"""Charts of a run as SVG: how heavy the pairs are, and what each level of each comparison weighs.

Shapes and texts only, coloured by the classes of the page they stand in (`summary.html`).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from cdp.identify.matching.models import Comparison
from cdp.identify.matching.running import Chance, Run

STEP: Final = 2
"""Width of a column of the histogram, in units of weight."""

_WIDTH, _HEIGHT, _LEFT, _FOOT = 860, 260, 64, 30
_ROW, _LABELS, _BARS = 20, 330, 460


def histogram(run: Run) -> Markup:
    """Pairs by weight, in columns coloured by what becomes of them; the number of pairs grows tenfold from line to line."""
    columns: defaultdict[int, int] = defaultdict(int)
    for weight, pairs in run.weights:
        columns[math.floor(weight / STEP)] += pairs
    if not columns:
        return Markup()
    first = min(*columns, math.floor(run.options.lower / STEP))
    last = max(*columns, math.ceil(run.options.upper / STEP))
    wide = (_WIDTH - _LEFT) / (last - first + 1)
    tenfolds = max(1, math.ceil(math.log10(max(columns.values()) + 1)))
    tall = (_HEIGHT - 20) / tenfolds
    parts = []
    for power in range(tenfolds + 1):
        y = _HEIGHT - power * tall
        parts.append(_line("grid", _LEFT, y, _WIDTH, y))
        parts.append(_text("end", _LEFT - 8, y + 4, f"{10**power:,}"))
    for column, pairs in sorted(columns.items()):
        height = max(2.0, math.log10(pairs) * tall)
        weight = column * STEP
        verdict = "match" if weight >= run.options.upper else "review" if weight >= run.options.lower else "apart"
        title = f"{pairs:,} pairs of weight {weight} to {weight + STEP}"
        x = _LEFT + (column - first) * wide
        parts.append(_bar(verdict, x + 1, _HEIGHT - height, max(wide - 2, 1), height, title))
    for name, weight in (("lower", run.options.lower), ("upper", run.options.upper)):
        x = _LEFT + (weight / STEP - first) * wide
        parts.extend((_line("threshold", x, 8, x, _HEIGHT), _text("start", x + 4, 16, f"{name} {weight:g}")))
    every = max(1, round((last - first) / 12))
    parts.extend(
        _text("middle", _LEFT + (column - first) * wide, _HEIGHT + 18, str(column * STEP))
        for column in range(first, last + 1, every)
    )
    return _picture("Pairs by match weight", _WIDTH, _HEIGHT + _FOOT, parts)


def match_weights(chances: Sequence[tuple[Comparison, Sequence[Chance]]]) -> Markup:
    """What each level adds to a pair's weight (to the right) or takes from it (to the left): log2 of `m` over `u`."""
    rows = [(one, level, math.log2(level.m / level.u)) for one, levels in chances for level in levels]
    if not rows:
        return Markup()
    most = max(abs(weight) for _, _, weight in rows)
    least = max((-weight for _, _, weight in rows if weight < 0), default=0.0)
    unit = _BARS / (most + least)
    zero = _LABELS + least * unit
    parts = [_line("grid", zero, 0, zero, _ROW * len(rows))]
    for number, (one, level, weight) in enumerate(rows):
        top = number * _ROW
        title = (
            f"{one.title}, {level.says}: {level.m:.2g} of the pairs of one customer, "
            f"{level.u:.2g} of others; found in {level.pairs:,} pairs"
        )
        if number == 0 or rows[number - 1][0] is not one:
            parts.append(_text("start strong", 0, top + 14, one.title))
        parts.append(_text("end", _LABELS - 8, top + 14, level.says))
        x = zero if weight > 0 else zero + weight * unit
        verdict = "match" if weight > 0 else "apart"
        parts.append(_bar(verdict, x, top + 4, max(abs(weight) * unit, 1), _ROW - 8, title))
        anchor, at = ("start", zero + weight * unit + 4) if weight > 0 else ("start", zero + 4)
        parts.append(_text(anchor, at, top + 14, f"{weight:+.1f}"))
    return _picture("What each finding weighs", _WIDTH, _ROW * len(rows) + 4, parts)


def _picture(title: str, width: int, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {:.0f}">{}</svg>').format(
        title, width, height, Markup("").join(parts)
    )


def _bar(name: str, x: float, y: float, width: float, height: float, title: str) -> Markup:  # noqa: PLR0917 — a box
    return Markup(
        '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
    ).format(name, x, y, width, height, title)


def _line(name: str, x: float, y: float, to_x: float, to_y: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(name, x, y, to_x, to_y)


def _text(name: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(name, x, y, text)
