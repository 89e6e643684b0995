"""Every text that people read is there in every language: what the sources hold, against the catalogues."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from jinja2 import Environment

from cdp.access.issuer import pages
from cdp.languages import ENGLISH, LANGUAGES, N_, Catalogues, speaking
from cdp.mail import Letters
from extranet.app import templates

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("cdp", "extranet")
TRANSLATED: Final = tuple(language for language in LANGUAGES if language != ENGLISH)
LONG: Final = 14
PLACEHOLDER: Final = re.compile(r"%\(\w+\)[sd]|\{\w*\}|</?\w+>")
# English words and names that are the same in a language of ours; any other text that equals its English was forgotten.
SAME: Final = re.compile(
    r"[\W\d_]*|\W*%\(\w+\)s( kB)?|(E-mail|EDI|Total|Original|Principal|Status|No|Document|.*SHA-256.*)"
)


@cache
def told(package: str) -> frozenset[tuple[str, ...]]:
    """The texts in a package's sources: one form, or one and many."""
    with (ROOT / package / "locales" / "babel.cfg").open(encoding="utf-8") as source:
        methods, options = parse_mapping_cfg(source)  # type: ignore[no-untyped-call]
    found = extract_from_dir(
        ROOT / package, methods, options, keywords={"_": None, "gettext": None, "N_": None, "ngettext": (1, 2)}
    )
    return frozenset(
        (text,) if isinstance(text, str) else tuple(text) for _file, _line, text, _comments, _context in found
    )


@cache
def catalogue(package: str, language: str) -> Catalog:
    with (ROOT / package / "locales" / f"{language}.po").open("rb") as source:
        return read_po(source, locale=Locale.parse(language), abort_invalid=True)


def messages(package: str, language: str) -> Iterator[Message]:
    return (message for message in catalogue(package, language) if message.id)


def forms(told: object) -> tuple[str, ...]:
    return (told,) if isinstance(told, str) else tuple(told)  # type: ignore[arg-type]


ALL: Final = [(package, language) for package in PACKAGES for language in TRANSLATED]


@pytest.mark.parametrize(("package", "language"), ALL)
def test_a_catalogue_holds_the_texts_of_the_sources_and_no_others(package: str, language: str) -> None:
    translated = {forms(message.id) for message in messages(package, language)}
    assert told(package) - translated == frozenset()
    assert translated - told(package) == set()
    assert dict(catalogue(package, language).obsolete) == {}


@pytest.mark.parametrize(("package", "language"), ALL)
def test_nothing_is_untranslated_or_in_doubt(package: str, language: str) -> None:
    found = list(messages(package, language))
    assert [message.id for message in found if message.fuzzy or not all(forms(message.string))] == []
    alike = [
        text
        for message in found
        for text, said in zip(forms(message.id), forms(message.string), strict=False)
        if text == said and len(text) > LONG and not SAME.fullmatch(PLACEHOLDER.sub("", text))
    ]
    assert alike == []


@pytest.mark.parametrize(("package", "language"), ALL)
def test_plural_forms_are_complete(package: str, language: str) -> None:
    count = {"es": 2, "pl": 3, "pt": 2}[language]
    assert catalogue(package, language).num_plurals == count
    plural = [message for message in messages(package, language) if message.pluralizable]
    assert [message.id for message in plural if len(forms(message.string)) != count] == []


@pytest.mark.parametrize(("package", "language"), ALL)
def test_a_translation_says_the_same_values(package: str, language: str) -> None:
    wrong = {
        form: forms(message.id)
        for message in messages(package, language)
        for form in forms(message.string)
        if sorted(set(PLACEHOLDER.findall(form))) != sorted(set(PLACEHOLDER.findall(forms(message.id)[-1])))
    }
    assert wrong == {}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_word_that_two_packages_share_is_the_same_word(language: str) -> None:
    words = [{message.id: message.string for message in messages(package, language)} for package in PACKAGES]
    shared = words[0].keys() & words[1].keys()
    assert {text: (words[0][text], words[1][text]) for text in shared if words[0][text] != words[1][text]} == {}


def environments() -> Iterator[tuple[str, Environment]]:
    yield "extranet", templates()
    yield "issuer", pages._TEMPLATES
    for package in sorted(path.parent for path in (ROOT / "cdp").rglob("letters") if path.is_dir()):
        name = ".".join(package.relative_to(ROOT).parts)
        yield name, Letters(name)._environment


HELD: Final = [
    pytest.param(environment, name, id=f"{room}/{name}")
    for room, environment in environments()
    for name in sorted(environment.list_templates())
    if name.endswith((".html", ".txt")) and name != "styleguide.html"  # for who builds pages, in English
]


@pytest.mark.parametrize(("environment", "name"), HELD)
def test_every_word_of_a_template_can_be_translated(environment: Environment, name: str) -> None:
    assert environment.loader
    source = environment.loader.get_source(environment, name)[0].removeprefix("Subject: ")
    constant = "".join(
        value if kind == "data" else "{}"
        for _line, kind, value in environment.lex(source)
        if kind in {"data", "variable_begin"}
    )
    spoken = re.findall(r'(?:aria-label|title|alt|placeholder|data-label|data-known|data-unused)="([^"]*)"', constant)
    written = re.sub(r'<[^>]*>|[\w-]+="[^"]*"', " ", constant)
    assert re.findall(r"[^\W\d_]{2,}", " ".join([written, *spoken]).replace("doctype", "")) == []


def test_a_language_is_spoken_until_the_block_ends() -> None:
    issuer = Catalogues(ROOT / "cdp" / "locales")
    with speaking("pl"):
        assert issuer.translated(N_("Sign in")) == "Zaloguj się"
        assert [issuer.translated_plural("%(count)s left", "%(count)s left", count) for count in (1, 2, 5)] == [
            "Pozostał %(count)s",
            "Pozostały %(count)s",
            "Pozostało %(count)s",
        ]
        with speaking("pt"):
            assert issuer.translated("Sign in") == "Iniciar sessão"
    assert issuer.translated("Sign in") == "Sign in"
