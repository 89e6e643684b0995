"""The summary of a run: one HTML file with its figures, charts and rules, complete in itself. It names no record."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from cdp.identify.matching.charting import histogram, match_weights
from cdp.identify.matching.reading import Input
from cdp.identify.matching.running import Run

_PAGES: Final = Environment(
    loader=PackageLoader("cdp.identify.matching", "."), autoescape=select_autoescape(), undefined=StrictUndefined
)
_PAGES.filters["number"] = lambda figure: f"{figure:,}"


def write_summary(
    path: Path, run: Run, *, title: str, figures: Mapping[str, int], inputs: Sequence[Input], at: datetime
) -> None:
    """Write the page. `figures` are further ones to show, by what they count."""
    page = _PAGES.get_template("summary.html").render(
        run=run,
        title=title,
        figures=figures,
        inputs=inputs,
        at=at,
        histogram=histogram(run),
        match_weights=match_weights(run.chances),
    )
    path.write_text(page, encoding="utf-8")
