"""The extranet's words in the languages of `cdp.languages`: its own catalogues, `locales/<language>.po`, and who reads which."""

from pathlib import Path
from typing import Final

from cdp.languages import (
    ENGLISH,
    LANGUAGES,
    Catalogues,
    language_named,
    language_of,
    language_wanted,
    speak,
    speaking,
    spoken,
)

__all__ = [
    "ENGLISH",
    "LANGUAGES",
    "LOCALES",
    "language_named",
    "language_of",
    "language_wanted",
    "speak",
    "speaking",
    "spoken",
    "translated",
    "translated_plural",
]

LOCALES: Final = Path(__file__).parent / "locales"
_catalogues: Final = Catalogues(LOCALES)
translated: Final = _catalogues.translated
translated_plural: Final = _catalogues.translated_plural
