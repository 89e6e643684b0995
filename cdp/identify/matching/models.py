"""The two models, one for persons and one for organisations: what is compared, what is alike, which pairs are looked at.

After Fellegi and Sunter: each comparison has levels, and each level two likelihoods, `m` that two records of one customer show
it, and `u` that two of different customers do. A level weighs log2(m / u); the weights add up. The `m` here come from how people
write (nearly nine in ten dates of birth are copied without a slip), the `u` are what holds where there are too few records to
learn from; they are learned otherwise (`learning`). A value that few have weighs more than one that many have (`frequency_of`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdp.identify.claims import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A degree of likeness: what is said of it, its condition in SQL over `…_l` and `…_r` (of the last: ELSE), `m` and `u`."""

    says: str
    when: str
    m: float
    u: float
    frequency_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Something compared: its columns, the condition under which it says nothing, and its levels, most alike first."""

    name: str
    columns: tuple[str, ...]
    missing: str
    levels: tuple[Level, ...]

    @property
    def title(self) -> str:
        """As people read it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Which pairs are looked at: those that agree in all these columns. `is_strong`: who does, is mostly one customer."""

    columns: tuple[str, ...]
    is_strong: bool = True

    @property
    def title(self) -> str:
        """As people read it."""
        return " and ".join(column.replace("_", " ") for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchModel:
    """A model, named with its version: what it found says by which it was found."""

    name: str
    comparisons: tuple[Comparison, ...]
    rules: tuple[Rule, ...]


JARO_WINKLER: Final = "{jaro_winkler}"
"""Stands for the function's name, which differs from engine to engine."""


def _alike(one: str, other: str, least: float) -> str:
    return f"{JARO_WINKLER}({one}_l, {other}_r) >= {least}"


def _one_slip(column: str) -> str:
    """At most one character more, less, another, or two swapped. The dear distance is reckoned only where it can matter."""
    left, right = f"{column}_l", f"{column}_r"
    return (
        f"CASE WHEN levenshtein({left}, {right}) <= 1 THEN true "
        f"WHEN levenshtein({left}, {right}) = 2 THEN damerau_levenshtein({left}, {right}) <= 1 ELSE false END"
    )


def _null(column: str) -> str:
    return f"{column}_l IS NULL OR {column}_r IS NULL"


def _same(column: str, m: float, u: float, *, rarer_weighs_more: bool = True) -> Level:
    frequency_of = column if rarer_weighs_more else None
    return Level(says="the same", when=f"{column}_l = {column}_r", m=m, u=u, frequency_of=frequency_of)


def _otherwise(m: float) -> Level:
    return Level(says="different", when="ELSE", m=m, u=1 - 1e-2)


def _text(name: str, m: tuple[float, float, float, float], *, u: float = 1e-3) -> Comparison:
    levels = (
        _same(name, m[0], u),
        Level(says="nearly the same", when=_alike(name, name, 0.92), m=m[1], u=u / 2),
        Level(says="similar", when=_alike(name, name, 0.85), m=m[2], u=u * 2),
        _otherwise(m[3]),
    )
    return Comparison(name=name, columns=(name,), missing=_null(name), levels=levels)


def _number(name: str, m: tuple[float, float, float, float], u: tuple[float, float, float]) -> Comparison:
    levels = (
        _same(name, m[0], u[0], rarer_weighs_more=False),
        Level(says="one slip apart", when=_one_slip(name), m=m[1], u=u[1]),
        Level(says="two slips apart", when=f"levenshtein({name}_l, {name}_r) <= 2", m=m[2], u=u[2]),
        _otherwise(m[3]),
    )
    return Comparison(name=name, columns=(name,), missing=_null(name), levels=levels)


# Both change: people have several of each, and give up old ones. So "different" says little.
_EMAIL: Final = Comparison(
    name="email",
    columns=("email",),
    missing=_null("email"),
    levels=(
        _same("email", 0.6, 1e-5),
        Level(says="the same before the @", when="email_user_l = email_user_r", m=0.05, u=1e-4),
        Level(says="nearly the same", when=_alike("email", "email", 0.92), m=0.05, u=1e-4),
        _otherwise(0.3),
    ),
)
_PHONE: Final = _number("phone", (0.6, 0.04, 0.02, 0.34), (1e-5, 1e-4, 1e-3))

_STREET: Final = Comparison(
    name="street",
    columns=("street",),
    missing=_null("street"),
    levels=(
        _same("street", 0.7, 1e-3),
        Level(says="nearly the same", when=_alike("street", "street", 0.92), m=0.1, u=5e-4),
        Level(
            says="the other's second line of the address",
            when=f"{_alike('street', 'address_extra', 0.92)} OR {_alike('address_extra', 'street', 0.92)}",
            m=0.03,
            u=1e-4,
        ),
        Level(says="similar", when=_alike("street", "street", 0.85), m=0.04, u=2e-3),
        _otherwise(0.13),
    ),
)
_HOUSE_NUMBER: Final = Comparison(
    name="house_number",
    columns=("house_number",),
    missing=_null("house_number"),
    levels=(
        _same("house_number", 0.8, 1e-2, rarer_weighs_more=False),
        Level(
            says="one slip apart",
            when=(
                "house_number_l = reverse(house_number_r) OR "
                "length(house_number_l) > 2 AND length(house_number_r) > 2 AND levenshtein(house_number_l, house_number_r) <= 1"
            ),
            m=0.08,
            u=0.02,
        ),
        _otherwise(0.12),
    ),
)
_PLACE: Final = (
    _STREET,
    _HOUSE_NUMBER,
    _text("address_extra", (0.6, 0.1, 0.05, 0.25)),
    _text("city", (0.75, 0.1, 0.02, 0.13)),
    _number("postcode", (0.8, 0.08, 0.04, 0.08), (1e-3, 1e-2, 0.1)),
)

_PERSON_NAME: Final = Comparison(
    name="name",
    columns=("given_name", "family_name"),
    missing="(given_name_l IS NULL AND family_name_l IS NULL) OR (given_name_r IS NULL AND family_name_r IS NULL)",
    levels=(
        Level(says="the same", when="full_name_l = full_name_r", m=0.7, u=1e-5, frequency_of="full_name"),
        Level(
            says="nearly the same",
            when=f"{_alike('given_name', 'given_name', 0.88)} AND {_alike('family_name', 'family_name', 0.88)}",
            m=0.12,
            u=2e-5,
        ),
        Level(
            says="the same, given and family name swapped",
            when=f"{_alike('given_name', 'family_name', 0.88)} AND {_alike('family_name', 'given_name', 0.88)}",
            m=0.02,
            u=2e-6,
        ),
        Level(
            says="the same family name",
            when="family_name_l = family_name_r",
            m=0.05,
            u=3e-3,
            frequency_of="family_name",
        ),
        Level(
            says="the same given name", when="given_name_l = given_name_r", m=0.04, u=3e-3, frequency_of="given_name"
        ),
        Level(
            says="one of the names nearly the same",
            when=" OR ".join(
                _alike(one, other, 0.9)
                for one in ("given_name", "family_name")
                for other in ("given_name", "family_name")
            ),
            m=0.04,
            u=4e-3,
        ),
        _otherwise(0.03),
    ),
)

_ORGANISATION_NAME: Final = Comparison(
    name="name",
    columns=("name",),
    missing=_null("name"),
    levels=(
        _same("name", 0.6, 1e-4),
        Level(says="nearly the same", when=_alike("name", "name", 0.95), m=0.12, u=1e-4),
        Level(
            says="one begins like the other",
            when=(
                "length(name_l) > 4 AND length(name_r) > 4 AND "
                "(left(name_l, length(name_r)) = name_r OR left(name_r, length(name_l)) = name_l)"
            ),
            m=0.1,
            u=2e-4,
        ),
        Level(says="similar", when=_alike("name", "name", 0.88), m=0.08, u=1e-3),
        _otherwise(0.1),
    ),
)
_DOMAIN: Final = Comparison(
    name="domain",
    columns=("domain",),
    missing=_null("domain"),
    levels=(_same("domain", 0.75, 1e-3), _otherwise(0.25)),
)

MODELS: Final[Mapping[Kind, MatchModel]] = {
    "person": MatchModel(
        name="person-1",
        comparisons=(
            _PERSON_NAME,
            _number("date_of_birth", (0.85, 0.06, 0.05, 0.04), (3e-5, 1e-3, 1.3e-2)),
            _number("national_id", (0.88, 0.05, 0.03, 0.04), (1e-6, 1e-5, 2e-4)),
            _EMAIL,
            _PHONE,
            *_PLACE,
        ),
        rules=(
            Rule(columns=("national_id",)),
            Rule(columns=("email",)),
            Rule(columns=("phone",)),
            Rule(columns=("both_names",), is_strong=False),
            Rule(columns=("date_of_birth", "given_name")),
            Rule(columns=("date_of_birth", "family_name")),
            Rule(columns=("date_of_birth", "postcode")),
            Rule(columns=("date_of_birth", "city")),
            Rule(columns=("date_of_birth", "house_number")),
            Rule(columns=("date_of_birth", "street")),
            Rule(columns=("address_line",), is_strong=False),
            Rule(columns=("postcode", "house_number"), is_strong=False),
            Rule(columns=("postcode", "street"), is_strong=False),
            Rule(columns=("postcode", "city"), is_strong=False),
            Rule(columns=("postcode", "family_name")),
            Rule(columns=("postcode", "given_name")),
            Rule(columns=("city", "street"), is_strong=False),
        ),
    ),
    "organisation": MatchModel(
        name="organisation-1",
        comparisons=(
            _ORGANISATION_NAME,
            _number("tax_id", (0.85, 0.05, 0.02, 0.08), (1e-6, 1e-5, 2e-4)),
            _DOMAIN,
            _EMAIL,
            _PHONE,
            *_PLACE,
        ),
        rules=(
            Rule(columns=("tax_id",)),
            Rule(columns=("domain",)),
            Rule(columns=("email",)),
            Rule(columns=("phone",)),
            Rule(columns=("name",)),
            Rule(columns=("name_beginning", "city")),
            Rule(columns=("name_beginning", "postcode")),
            Rule(columns=("address_line", "city"), is_strong=False),
            Rule(columns=("postcode", "street"), is_strong=False),
        ),
    ),
}
