"""The languages that people are answered in, and the one of the request at hand: pages, paper, workbooks and letters alike.

A language is spoken for the rest of a request or of a piece of work; whatever is made on the way asks for texts by their English
wording. `Catalogues` are a folder's files `<language>.po`, read once a process; `make messages` brings them up to date with the
sources. The rooms of `cdp` share one folder, `cdp/locales`; the extranet has its own.

    from cdp.languages import _, ngettext

    _("Sign in")
    ngettext("%(count)s day", "%(count)s days", count) % {"count": count}
"""

import gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
_spoken: Final = ContextVar("language", default=ENGLISH)


class Catalogues:
    """The translations in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def translated(self, text: str) -> str:
        """`text` in the language spoken."""
        return _read(self.folder, _spoken.get()).gettext(text)

    def translated_plural(self, one: str, many: str, count: int) -> str:
        """The form of a text that goes with `count`, in the language spoken."""
        return _read(self.folder, _spoken.get()).ngettext(one, many, count)


def speak(language: str) -> None:
    """Answer the rest of this request in a language of `LANGUAGES`."""
    _spoken.set(language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language of `LANGUAGES` until the block ends: a letter goes out in its reader's, whoever caused it."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def spoken() -> str:
    """The language of this request."""
    return _spoken.get()


def language_of(locale: str) -> str:
    """The language of a locale such as `pt-PT`; English where it is none of ours."""
    return _ours(locale) or ENGLISH


def language_wanted(accept: str) -> str:
    """The first of ours that a browser asks for (`Accept-Language`, RFC 9110 §12.5.4), by its weights; else English."""
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept.split(",")[:20]):
        tag, _semicolon, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=").strip()
        try:
            wanted.append((-float(quality or 1), place, tag.strip()))
        except ValueError:
            continue
    found = (_ours(asked) for negative, _place, asked in sorted(wanted) if negative < 0)
    return next((language for language in found if language), ENGLISH)


def language_named(tags: str) -> str | None:
    """The first of ours among `ui_locales` (OpenID Connect Core §3.1.2.1: tags by preference, a space between); None: none."""
    return next((language for tag in tags.split()[:20] if (language := _ours(tag))), None)


def formats_of(locale: str) -> str:
    """The locale by which CLDR writes figures and days: our Portuguese is Portugal's, CLDR's bare `pt` is Brazil's."""
    return "pt-PT" if locale.lower() == "pt" else locale


def N_(text: str) -> str:  # noqa: N802 - the name extraction tools look for
    """Mark a text for extraction; it is translated where it is shown."""
    return text


def _ours(tag: str) -> str | None:
    language = tag.replace("_", "-").partition("-")[0].lower()
    return language if language in LANGUAGES else None


@cache
def _read(folder: Path, language: str) -> gettext.NullTranslations:
    """The translations of a language; those of English are its own wording."""
    path = folder / f"{language}.po"
    if language == ENGLISH or not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as source:
        messages = read_po(source, locale=Locale.parse(language), abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


OURS: Final = Catalogues(Path(__file__).parent / "locales")
_: Final = OURS.translated
ngettext: Final = OURS.translated_plural
