"""Sites that a member of an account is limited to: as they are given, and what is wrong with them, as the database says it.

A site is what orders of the account call one. Finance and client admins see the whole account's ledger, which can't be split by
site, so they see every site (decision 0027).
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from cdp.errors import Mistake

MOST_SITES: Final = 1_000
SITE_MISTAKES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType({
    "no_site": ("Name at least one site, or leave sites out for every one.", "sites"),
    "site_unknown": ("No order of this account names one of these sites.", "sites"),
    "too_many_sites": (f"Somebody can be limited to {MOST_SITES} sites; beyond that let them see every one.", "sites"),
    "role_sees_every_site": (
        "Finance and client admins see the whole account's ledger, so they see every site: limit buyers and viewers.",
        "sites",
    ),
})  # fmt: skip


def read_sites(given: Collection[str] | None) -> list[str] | None:
    """Each once, by name; None for every site."""
    return None if given is None else sorted(set(given))


def unfit_sites(sites: Collection[str] | None) -> Mistake | None:
    """What is wrong with sites before the database is asked: there are too many, or no text can hold one."""
    if sites is None:
        return None
    if len(sites) > MOST_SITES:
        return site_mistake("too_many_sites")
    return site_mistake("site_unknown") if any("\0" in each for each in sites) else None


def site_mistake(code: str) -> Mistake:
    """The mistake of a code of SITE_MISTAKES."""
    message, field = SITE_MISTAKES[code]
    return Mistake(code=code, message=message, field=(field,))
