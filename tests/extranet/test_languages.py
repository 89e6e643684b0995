"""Which language somebody is answered in."""

import pytest

from cdp.access.portal import CrossSiteRequest, NoAccount, SignInFailed
from cdp.errors import CdpError, Forbidden, Invalid
from extranet import refusals, uploads
from extranet.failures import SENTENCES
from extranet.languages import language_of, language_wanted

REFUSALS = (
    CrossSiteRequest,
    NoAccount,
    SignInFailed,
    *(
        refusal
        for room in (refusals, uploads)
        for refusal in vars(room).values()
        if isinstance(refusal, type)
        and issubclass(refusal, Invalid | Forbidden)
        and refusal.__module__ == room.__name__
    ),
)


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


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.code)
def test_a_refusal_that_tells_people_what_to_do_says_so_in_their_language(refusal: type[CdpError]) -> None:
    assert SENTENCES[refusal.code] == refusal._template
