"""The style sheet's promises, measured: contrast of every pair of text and ground in both schemes, and only its own tokens."""

import re
from collections.abc import Mapping

import pytest

from extranet.lasting import STATIC
from extranet.styleguide import (
    LEAST_FOR_SHAPES,
    LEAST_FOR_TEXT,
    SHAPE_ON_GROUND,
    TEXT_ON_GROUND,
    USES,
    contrast,
    schemes,
)

CSS = (STATIC / "extranet.css").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("scheme", "tokens"), list(schemes(CSS).items()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_text_stands_out_from_its_ground_and_shapes_from_theirs(scheme: str, tokens: Mapping[str, str]) -> None:
    assert scheme
    weak = {
        (name, ground): round(contrast(tokens[name], tokens[ground]), 2)
        for pairs, least in ((TEXT_ON_GROUND, LEAST_FOR_TEXT), (SHAPE_ON_GROUND, LEAST_FOR_SHAPES))
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


def test_every_colour_says_what_it_is_for() -> None:
    assert set(USES) == set(schemes(CSS)["light"])


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000", "#ffffff") == 21
    assert contrast("#777777", "#fff") == pytest.approx(4.478, abs=0.001)
