"""Which language somebody is answered in."""

import pytest

from extranet.languages import language_of, language_wanted


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("pt-PT,pt;q=0.9,en;q=0.8", "pt"),
        ("de, es;q=0.5, en;q=0.4", "es"),
        ("en;q=0.1, pl", "pl"),
        ("pl;q=0, pt;q=0.1", "pt"),
        ("de", "en"),
        ("", "en"),
        ("*", "en"),
        ("es;q=high, pl;q=0.3", "pl"),
    ],
)
def test_the_first_language_of_ours_that_a_browser_asks_for(accept: str, language: str) -> None:
    assert language_wanted(accept) == language


@pytest.mark.parametrize(
    ("locale", "language"), [("pt-BR", "pt"), ("PL", "pl"), ("es_MX", "es"), ("fr", "en"), ("", "en")]
)
def test_a_locale_speaks_its_language_or_english(locale: str, language: str) -> None:
    assert language_of(locale) == language
