"""The languages of the extranet, and the one that the request at hand is answered in.

A language is spoken for the rest of a request: pages, paper and workbooks made on the way ask for texts by their English wording.
Catalogues are `locales/<language>.po`, read once a process; `make messages` brings them up to date with the sources.
"""

import gettext
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ENGLISH: Final = "en"
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType({
    ENGLISH: "English",
    "es": "Español",
    "pl": "Polski",
    "pt": "Português",
})  # fmt: skip
"""Code and own name of each language, by name."""
LOCALES: Final = Path(__file__).parent / "locales"
_spoken: Final = ContextVar("language", default=ENGLISH)


def speak(language: str) -> None:
    """Answer the rest of this request in a language of `LANGUAGES`."""
    _spoken.set(language)


def spoken() -> str:
    """The language of this request."""
    return _spoken.get()


def language_of(locale: str) -> str:
    """The language of a locale such as `pt-PT`; English where it is none of ours."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else ENGLISH


def language_wanted(accept: str) -> str:
    """The first of ours that a browser asks for (`Accept-Language`, RFC 9110 §12.5.4), by its weights; else English."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")[:20]):
        tag, _, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=").strip()
        try:
            wanted.append((-float(quality or 1), place, tag.strip()))
        except ValueError:
            continue
    for negative, _place, asked in sorted(wanted):
        language = asked.partition("-")[0].lower()
        if negative < 0 and language in LANGUAGES:
            return language
    return ENGLISH


def translated(text: str) -> str:
    """`text` in the language spoken."""
    return catalogue(_spoken.get()).gettext(text)


def translated_plural(one: str, many: str, count: int) -> str:
    """The form of a text that goes with `count`, in the language spoken."""
    return catalogue(_spoken.get()).ngettext(one, many, count)


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language; those of English are its own wording."""
    path = LOCALES / f"{language}.po"
    if language == ENGLISH or not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as source:
        messages = read_po(source, locale=Locale.parse(language), abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
