"""Preparing: what records say becomes comparable, and each rule's pairs become few enough to look at.

Texts lose case, accents, spaces and punctuation ("Goodwin St." and "goodwinst" are one); dates become eight digits; a telephone
number its last nine. What people type when they know nothing ("unknown", 1900-01-01) becomes nothing.
A rule's column holds a number that two records share when they agree on its fields; values that so many share that the rule would
propose more than `PAIRS_PER_RECORD` are left out, largest first, so the work grows with the records and not with their square.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cdp.errors import Invalid
from cdp.identify.claims import Kind
from cdp.identify.matching.fields import FIELDS
from cdp.identify.matching.models import Comparison, MatchModel, Rule

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PAIRS_PER_RECORD: Final = 5
PAIRS_PER_RECORD_IF_WEAK: Final = 2
"""Of one rule, on average. A record has a handful of look-alikes; a rule that finds more finds strangers."""

PLACEHOLDERS: Final = (
    "null", "nil", "none", "undefined", "unknown", "anonymous", "notavailable", "notset", "notknown", "notprovided",
    "unbekannt", "desconocido", "inconnu", "xxx", "nonecom", "testtestcom", "nonenonecom", "noemailnoemailcom",
)  # fmt: skip
"""What stands in a field when nobody knew better, without spaces and punctuation. Words that are also names aren't here."""

PLACEHOLDER_DATES: Final = ("19000101", "18000101", "19700101", "11111111", "99991231", "00010101")

LEGAL_FORMS: Final = (
    "gmbh", "mbh", "ag", "kg", "kgaa", "ohg", "ug", "ek", "ev", "eg", "se", "co", "ltd", "limited", "plc", "llp", "llc", "lp",
    "inc", "incorporated", "corp", "corporation", "company", "pty", "pvt", "sa", "sas", "sasu", "sarl", "sl", "slu", "srl", "spa",
    "snc", "bv", "nv", "oy", "oyj", "ab", "as", "asa", "aps", "kft", "zrt", "sro", "spzoo", "doo", "lda", "ltda", "eirl",
)  # fmt: skip
"""Left out of an organisation's name: half of the sources write them, half don't."""


class NothingToCompare(Invalid):
    """What these records tell doesn't suffice to look for pairs: {told}. {kind} needs at least one of: {rules}."""

    told: str
    kind: str
    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRule:
    """A rule as it will be used: its column, how many pairs it proposes, and the records that share too common a value."""

    rule: Rule
    column: str
    pairs: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The table `record`: so many records, the comparisons that have something to compare, the rules that can be used."""

    records: int
    comparisons: tuple[Comparison, ...]
    rules: tuple[PreparedRule, ...]


def prepare(connection: "DuckDBPyConnection", model: MatchModel, kind: Kind) -> Prepared:
    """Make the table `record` from `given` (`reading`): `unique_id`, `source`, what is compared, and the rules' columns.

    Raises NothingToCompare.
    """
    _define(connection)
    shown = ", ".join(f"{expression} AS {name}" for name, expression in _told(kind).items())
    made = ", ".join(f"{expression} AS {name}" for name, expression in _DERIVED[kind].items())
    connection.execute(f"""
        CREATE TABLE comparable AS
        SELECT *, {made} FROM (SELECT record AS unique_id, source, {shown} FROM given)
    """)
    names = [*_told(kind), *_DERIVED[kind]]
    counts = connection.execute(f"SELECT {', '.join(f'count({name})' for name in names)}, count(*) FROM comparable")
    *filled, records = counts.fetchall()[0]
    told = {name for name, count in zip(names, filled, strict=True) if count}
    comparisons = tuple(one for one in model.comparisons if told & set(one.columns))
    rules = [one for one in model.rules if told >= set(one.columns)]
    if not comparisons or not rules:
        raise NothingToCompare(
            told=", ".join(field.name for field in FIELDS[kind] if field.name in told) or "nothing",
            kind="A person" if kind == "person" else "An organisation",
            rules="; ".join(one.title for one in model.rules),
        )
    blocks = ", ".join(f"{_block(one)} AS block_{number}" for number, one in enumerate(rules))
    connection.execute(f"CREATE TABLE record AS SELECT *, {blocks} FROM comparable")
    connection.execute("DROP TABLE comparable")
    return Prepared(records=records, comparisons=comparisons, rules=_within_bounds(connection, rules, records))


def _block(rule: Rule) -> str:
    """A number that stands for the values of the rule's columns; null when one is missing. Signed, for Spark knows no other."""
    told = " AND ".join(f"{column} IS NOT NULL" for column in rule.columns)
    return f"CASE WHEN {told} THEN (hash({', '.join(rule.columns)}) >> 1)::BIGINT END"


def _within_bounds(connection: "DuckDBPyConnection", rules: Sequence[Rule], records: int) -> tuple[PreparedRule, ...]:
    """Take the commonest values out of each rule's column until it proposes few enough pairs."""
    prepared = []
    for number, rule in enumerate(rules):
        column = f"block_{number}"
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE block AS
            SELECT {column} AS value, count(*) AS size FROM record WHERE {column} IS NOT NULL GROUP BY 1 HAVING size > 1
        """)
        ((largest, pairs),) = connection.execute(
            """SELECT coalesce(max(size), 1), coalesce(max(pairs), 0)
            FROM (SELECT size, sum(count(*) * size * (size - 1) // 2) OVER (ORDER BY size) AS pairs FROM block GROUP BY size)
            WHERE pairs <= ?""",
            [(PAIRS_PER_RECORD if rule.is_strong else PAIRS_PER_RECORD_IF_WEAK) * records],
        ).fetchall()
        ((left_out,),) = connection.execute(
            "SELECT coalesce(sum(size), 0) FROM block WHERE size > ?", [largest]
        ).fetchall()
        if left_out:
            connection.execute(
                f"UPDATE record SET {column} = NULL WHERE {column} IN (SELECT value FROM block WHERE size > ?)",
                [largest],
            )
        prepared.append(PreparedRule(rule=rule, column=column, pairs=int(pairs), left_out=int(left_out)))
    return tuple(prepared)


def _told(kind: Kind) -> Mapping[str, str]:
    """What each of the kind's fields becomes, as SQL over the table `given`."""
    expressions = {
        field.name: _SHAPES[field.shape].format(field.name) for field in FIELDS[kind] if field.shape in _SHAPES
    }
    if kind == "person":
        expressions["given_name"] = "coalesce(plain(given_name), plain(given_part(name)))"
        expressions["family_name"] = "coalesce(plain(family_name), plain(family_part(name)))"
    else:
        expressions["domain"] = "coalesce(domain_of(website), domain_of(split_part(email, '@', 2)))"
    return expressions


_SHAPES: Final = {
    "text": "plain({0})",
    "company": "company({0})",
    "number": "code({0})",
    "date": "day({0})",
    "email": "mailbox({0})",
    "phone": "telephone({0})",
}

_ADDRESS_DERIVED: Final = {
    "email_user": "nullif(split_part(email, '@', 1), '')",
    "address_line": "street || coalesce(house_number, '')",
}
_DERIVED: Final[Mapping[Kind, Mapping[str, str]]] = {
    "person": {
        "full_name": "given_name || ' ' || family_name",
        "both_names": "least(given_name, family_name) || ' ' || greatest(given_name, family_name)",
        **_ADDRESS_DERIVED,
    },
    "organisation": {"name_beginning": "left(name, 6)", **_ADDRESS_DERIVED},
}


def _define(connection: "DuckDBPyConnection") -> None:
    """The functions by which values become comparable."""
    placeholders = ", ".join(f"'{one}'" for one in PLACEHOLDERS)
    dates = ", ".join(f"'{one}'" for one in PLACEHOLDER_DATES)
    for definition in (
        r"bare(x) AS regexp_replace(strip_accents(lower(x)), '[^\p{L}\p{N}]', '', 'g')",
        f"known(x) AS CASE WHEN x = '' OR x IN ({placeholders}) THEN NULL ELSE x END",
        "plain(x) AS known(bare(x))",
        # 0000000 and 9999999 are nobody's.
        "code(x) AS CASE WHEN replace(bare(x), left(bare(x), 1), '') <> '' THEN known(bare(x)) END",
        "mailbox(x) AS CASE WHEN plain(x) IS NOT NULL AND contains(x, '@') THEN lower(trim(x)) END",
        "digits(x) AS regexp_replace(x, '[^0-9]', '', 'g')",
        "telephone(x) AS CASE WHEN length(digits(x)) >= 6 THEN code(right(digits(x), 9)) END",
        r"""ordered(x) AS CASE
            WHEN regexp_matches(x, '^\s*\d{4}\D\d{1,2}\D\d{1,2}(\D|$)') THEN
                regexp_extract(x, '(\d{4})', 1) || lpad(regexp_extract(x, '\d{4}\D(\d{1,2})', 1), 2, '0')
                || lpad(regexp_extract(x, '\d{4}\D\d{1,2}\D(\d{1,2})', 1), 2, '0')
            WHEN regexp_matches(x, '^\s*\d{1,2}\D\d{1,2}\D\d{4}(\D|$)') THEN
                regexp_extract(x, '\d{1,2}\D\d{1,2}\D(\d{4})', 1)
                || CASE WHEN try_cast(regexp_extract(x, '^\s*\d{1,2}\D(\d{1,2})', 1) AS INTEGER) > 12
                    THEN lpad(regexp_extract(x, '(\d{1,2})', 1), 2, '0')
                        || lpad(regexp_extract(x, '\d{1,2}\D(\d{1,2})', 1), 2, '0')
                    ELSE lpad(regexp_extract(x, '\d{1,2}\D(\d{1,2})', 1), 2, '0')
                        || lpad(regexp_extract(x, '(\d{1,2})', 1), 2, '0') END
            ELSE left(bare(x), 8) END""",
        f"day(x) AS CASE WHEN ordered(x) NOT IN ({dates}) THEN code(ordered(x)) END",
        r"""given_part(x) AS CASE WHEN contains(x, ',') THEN split_part(x, ',', 2)
            ELSE regexp_extract(x, '^\s*(.*\S)\s+\S+\s*$', 1) END""",
        r"""family_part(x) AS CASE WHEN contains(x, ',') THEN split_part(x, ',', 1)
            ELSE regexp_extract(x, '(\S+)\s*$', 1) END""",
        # A name that is nothing but its legal form stays as it is.
        rf"""company(x) AS coalesce(
            plain(regexp_replace(replace(strip_accents(lower(x)), '.', ''), '\b({"|".join(LEGAL_FORMS)})\b', ' ', 'g')),
            plain(x))""",
        r"""domain_of(x) AS nullif(
            regexp_replace(regexp_extract(lower(trim(x)), '^(?:[a-z]+://)?([^/:?#\s]+)', 1), '^www\.', ''), '')""",
    ):
        connection.execute(f"CREATE OR REPLACE MACRO {definition}")
