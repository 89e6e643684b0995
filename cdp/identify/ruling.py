"""Ruling: what operators set instead of the rules' defaults, read from a file of TOML, kept with who and when.

The rules lie in the database, so that every process obeys the same. What follows from claims already known is brought in line
by `cdp identify rebuild`. A part that isn't named keeps its default. Source: `docs/identity.md`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from psycopg import Connection

from cdp.errors import Invalid
from cdp.identify.queries import STATEMENTS
from cdp.identify.rules import DEFAULT_RULES, Blocked, Limit, Rules

LONGEST_PATTERN_CHARACTERS: Final = 200

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class UnusableRules(Invalid):
    """The rules cannot be used: {problem}."""

    problem: str


class UnknownSources(Invalid):
    """The rules name sources that there are not: {names}."""

    names: str


class _Limit(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    count: Count
    window: Literal["ever", "year", "month", "week"] = "ever"


class _Blocked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    values: list[str] = []
    patterns: list[Annotated[str, msgspec.Meta(max_length=LONGEST_PATTERN_CHARACTERS)]] = []


class _Size(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    profiles: Count | None = None
    identifiers: Count | None = None
    statements: Annotated[int, msgspec.Meta(ge=10, le=100_000)] | None = None


class _Shared(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    above_profiles: Count | None = None
    device_namespaces: list[str] | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The file. `limits`: by namespace, `default` for those not named; a bare number is a limit for ever."""

    limits: dict[str, _Limit | Count] = {}
    priorities: list[str] | None = None
    blocked: dict[str, _Blocked] = {}
    shared: _Shared = _Shared()
    size: _Size = _Size()
    survivorship: dict[str, list[str]] = {}


def read_rules(document: Mapping[str, Any]) -> Rules:
    """The rules that a document says, over the defaults. Raises UnusableRules."""
    try:
        told = msgspec.convert(document, _File)
    except msgspec.ValidationError as error:
        raise UnusableRules(problem=str(error)) from None
    limits = {namespace: _limit(one) for namespace, one in told.limits.items()}
    default = limits.pop("default", DEFAULT_RULES.default_limit)
    priorities = DEFAULT_RULES.priorities
    if told.priorities is not None:
        priorities = MappingProxyType({namespace: rank for rank, namespace in enumerate(told.priorities, 1)})
    devices = told.shared.device_namespaces
    size = {name: each for name, each in msgspec.structs.asdict(told.size).items() if each is not None}
    return replace(
        DEFAULT_RULES,
        limits=MappingProxyType({**DEFAULT_RULES.limits, **limits}),
        default_limit=default,
        priorities=priorities,
        blocked=Blocked(
            values=_by_namespace({name: frozenset(map(_folded, one.values)) for name, one in told.blocked.items()}),
            patterns=_by_namespace({name: tuple(map(_pattern, one.patterns)) for name, one in told.blocked.items()}),
        ),
        size=replace(DEFAULT_RULES.size, **size),
        survivorship=MappingProxyType({trait: tuple(names) for trait, names in told.survivorship.items()}),
        shared_above_profiles=told.shared.above_profiles or DEFAULT_RULES.shared_above_profiles,
        device_namespaces=DEFAULT_RULES.device_namespaces if devices is None else frozenset(devices),
    )


def rules_in_force(connection: Connection[Any]) -> Rules:
    """The rules that were set last, or the defaults."""
    found = connection.execute(STATEMENTS["rules_in_force"]).fetchone()
    return DEFAULT_RULES if found is None else _stored(found[0])


def document_in_force(connection: Connection[Any]) -> dict[str, Any]:
    """What was set last, as it was given; empty when nothing was."""
    found = connection.execute(STATEMENTS["rules_in_force"]).fetchone()
    document: dict[str, Any] = {} if found is None else msgspec.json.decode(found[0])
    return document


def set_rules(connection: Connection[Any], document: Mapping[str, Any], *, actor: str) -> Rules:
    """Put rules in force; the caller holds the customers' lock and commits. Raises UnusableRules, UnknownSources."""
    rules = read_rules(document)
    named = {name for names in rules.survivorship.values() for name in names}
    known = dict(connection.execute(STATEMENTS["sources_named"], {"names": sorted(named)}).fetchall())
    if named - known.keys():
        raise UnknownSources(names=", ".join(sorted(named - known.keys())))
    given = {"rules": msgspec.json.encode(document).decode(), "actor": actor}
    connection.execute(STATEMENTS["put_rules"], given)
    ranked = [
        (trait, known[name], rank)
        for trait, names in rules.survivorship.items()
        for rank, name in enumerate(dict.fromkeys(names), 1)
    ]
    columns = {
        "traits": [trait for trait, _, _ in ranked],
        "source_ids": [source_id for _, source_id, _ in ranked],
        "ranks": [rank for _, _, rank in ranked],
    }
    connection.execute(STATEMENTS["delete_trait_ranks"])
    connection.execute(STATEMENTS["put_trait_ranks"], columns)
    return rules


@lru_cache(maxsize=8)
def _stored(text: str) -> Rules:
    return read_rules(msgspec.json.decode(text))


def _limit(told: _Limit | int) -> Limit:
    return Limit(count=told) if isinstance(told, int) else Limit(count=told.count, window=told.window)


def _folded(value: str) -> str:
    return value.strip().casefold()


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise UnusableRules(problem=f"{text!r} is no regular expression: {error}") from None


def _by_namespace(found: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType({namespace: each for namespace, each in found.items() if each})
