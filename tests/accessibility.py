"""What axe-core finds wrong with a page, in the combinations of width and colours that people read it in."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from playwright.sync_api import Page

from tests.tooling.provision import node_modules

Combination = tuple[Literal["light", "dark"], int]

COMBINATIONS: Final[Sequence[Combination]] = (("light", 320), ("dark", 320), ("dark", 1280), ("light", 1280))
"""Colour scheme and width in pixels; each differs from the one before it in one of them."""

# What isn't a violation is told by the hundred nodes a page: it is left out here, not sent to Python and dropped there.
_RUN: Final = """async () => (await axe.run({
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    resultTypes: ['violations'],
})).violations.map(found => ({rule: found.id, at: found.nodes[0].html, why: found.nodes[0].failureSummary}))"""


def bring_axe(page: Page) -> None:
    """Have axe in every page that is opened from now on; without this `violations` puts it into each that it looks at."""
    page.add_init_script(_source())


def violations(page: Page) -> list[Mapping[str, Any]]:
    """What axe-core finds against WCAG 2.2 AA and best practice: rule and first element of each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    found: list[Mapping[str, Any]] = page.evaluate(_RUN)
    return found


def faults(page: Page) -> dict[Combination, object]:
    """Violations in each combination, or by how many pixels the page is too wide; nothing of those without fault.

    The page is loaded once: what style sheets make of it depends on nothing else.
    """
    told: dict[Combination, object] = {}
    for scheme, width in COMBINATIONS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        too_wide = page.evaluate("document.documentElement.scrollWidth") - width
        if found := too_wide if too_wide > 0 else violations(page):
            told[scheme, width] = found
    return told


@functools.cache
def _source() -> str:
    return (node_modules() / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
