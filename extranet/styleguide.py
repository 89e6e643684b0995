"""The design system's tokens, read from the style sheet itself, and the contrasts that they make: what `/styleguide` shows and a
test measures. Pure; source of the ratio: WCAG 2.2, definition of contrast ratio.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

LEAST_FOR_TEXT: Final = 4.5
LEAST_FOR_SHAPES: Final = 3.0
TEXT_ON_GROUND: Final = (
    ("ink", "paper"), ("ink", "sheet"), ("ink-soft", "paper"), ("ink-soft", "sheet"), ("accent", "paper"), ("accent", "sheet"),
    ("accent", "accent-wash"), ("ink", "accent-wash"), ("ink-soft", "accent-wash"),
    ("on-accent", "accent"), ("late", "paper"), ("late", "sheet"), ("late", "late-wash"),
    ("disputed", "disputed-wash"), ("disputed", "sheet"),
)  # fmt: skip
"""Every pair of text and ground that a page may make."""
SHAPE_ON_GROUND: Final = tuple((f"age-{age}", "sheet") for age in ("current", "1-30", "31-60", "61-90", "over-90"))
"""Every shape that means something, and its ground."""
USES: Final[Mapping[str, str]] = MappingProxyType({
    "paper": "The page.",
    "sheet": "What lies on the page: cards, fields, the statement.",
    "ink": "Text.",
    "ink-soft": "Labels, captions, what is said aside.",
    "rule": "Hairlines; never the only sign of anything.",
    "rule-strong": "The rule above a total and below a table's head.",
    "accent": "What can be followed or pressed, and where one is.",
    "on-accent": "Text on the accent.",
    "accent-wash": "What is chosen, and notices.",
    "late": "Overdue, late, wrong. Never without a word that says so.",
    "late-wash": "The ground of those.",
    "disputed": "Disputed. Never without the word.",
    "disputed-wash": "The ground of that.",
    "age-current": "Ageing: not yet due.",
    "age-1-30": "Ageing: 1 to 30 days.",
    "age-31-60": "Ageing: 31 to 60 days.",
    "age-61-90": "Ageing: 61 to 90 days.",
    "age-over-90": "Ageing: over 90 days.",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Text or a shape on its ground, and the contrast in each scheme."""

    name: str
    ground: str
    least: float
    light: float
    dark: float


def schemes(css: str) -> Mapping[str, Mapping[str, str]]:
    """Colour tokens (`ink` → `#17211c`) of the light, the dark and the printed page, from the sheet's three `:root` blocks."""
    light, dark, paper = ({**_colours(block)} for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL))
    return {"light": light, "dark": light | dark, "print": light | paper}


def tokens(css: str, prefix: str) -> Mapping[str, str]:
    """Other tokens by what they begin with: `size-` → sizes by name, largest last as they stand in the sheet."""
    return dict(re.findall(rf"--({prefix}[\w-]+): ([^;]+);", css))


def pairs(css: str) -> tuple[Pair, ...]:
    """Every pair, measured."""
    light, dark = (schemes(css)[scheme] for scheme in ("light", "dark"))
    return tuple(
        Pair(
            name=name,
            ground=ground,
            least=least,
            light=contrast(light[name], light[ground]),
            dark=contrast(dark[name], dark[ground]),
        )
        for told, least in ((TEXT_ON_GROUND, LEAST_FOR_TEXT), (SHAPE_ON_GROUND, LEAST_FOR_SHAPES))
        for name, ground in told
    )


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (`#rgb` or `#rrggbb`), 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _colours(block: str) -> Mapping[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == len("#rrggbb") else "".join(digit * 2 for digit in colour[1:])
    linear = [_linear(int(digits[place : place + 2], 16) / 255) for place in (0, 2, 4)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(part: float) -> float:
    """A channel of sRGB as light."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - the standard's own numbers
