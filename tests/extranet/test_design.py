"""The style sheet's promises, measured: contrast of every pair of text and ground in both schemes, and only its own tokens."""

import re
from collections.abc import Iterator

import pytest

from extranet.app import STATIC

CSS = (STATIC / "extranet.css").read_text(encoding="utf-8")
TEXT_ON_GROUND = (
    ("ink", "paper"), ("ink", "sheet"), ("ink-soft", "paper"), ("ink-soft", "sheet"), ("accent", "paper"), ("accent", "sheet"),
    ("accent", "accent-wash"), ("ink", "accent-wash"), ("ink-soft", "accent-wash"),
    ("on-accent", "accent"), ("late", "paper"), ("late", "sheet"), ("late", "late-wash"),
    ("disputed", "disputed-wash"), ("disputed", "sheet"),
)  # fmt: skip
SHAPE_ON_GROUND = tuple((f"age-{age}", "sheet") for age in ("current", "1-30", "31-60", "61-90", "over-90"))


def schemes() -> Iterator[tuple[str, dict[str, str]]]:
    """Colour tokens of the light, the dark and the printed page."""
    light, dark, paper = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", light))
    yield "light", tokens
    yield "dark", tokens | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", dark))
    yield "print", tokens | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", paper))


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("scheme", "tokens"), list(schemes()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_text_stands_out_from_its_ground_and_shapes_from_theirs(scheme: str, tokens: dict[str, str]) -> None:
    assert scheme
    weak = {
        (name, ground): round(contrast(tokens[name], tokens[ground]), 2)
        for pairs, least in ((TEXT_ON_GROUND, 4.5), (SHAPE_ON_GROUND, 3))
        for name, ground in pairs
        if contrast(tokens[name], tokens[ground]) < least
    }
    assert weak == {}


def test_colours_are_named_once_and_used_by_name() -> None:
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b", re.sub(r"(?m)^#[\w, #]+\{", "", rules)) == []
    assert set(re.findall(r"var\(--([\w-]+)", CSS)) == set(re.findall(r"--([\w-]+):", CSS))


def test_no_file_is_asked_of_others() -> None:
    assert re.findall(r"url\(\"(?!(?:text|display)(?:-(?:rest|pl|ext))?\.woff2)", CSS) == []
    assert "@import" not in CSS
