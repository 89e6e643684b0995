"""The rules of deterministic identity: blocked values, limits, priorities, when a value is shared and when a customer is full.

Each number is named with its reason. What an operator sets instead is read by `ruling`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from cdp.identify.identifier import ANONYMOUS_ID, EMAIL, USER_ID, Identifier

SHARED_ABOVE_PROFILES: Final = 3
"""N of rule 4. A source that knows one person under two or three of its own keys has duplicates; one that shows a
value under four keys is showing info@ or a shop tablet. It must stay below the limit of 5, else the limits would glue
what it parts.
"""

MOST_PROFILES: Final = 500
MOST_IDENTIFIERS: Final = 500
"""Rule 5. A person has tens of profiles and identifiers, a busy organisation some hundreds; beyond that it is a mistake."""

MOST_STATEMENTS: Final = 1_000
"""Rule 5. Of so many different claims about one profile or value nobody learns more; they bound what is read again."""

WINDOWS: Final = MappingProxyType({"year": timedelta(days=365), "month": timedelta(days=30), "week": timedelta(days=7)})

ANY: Final = "any"
"""In place of a namespace: whatever the namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many values of a namespace one customer may take up, ever or within any window of that length."""

    count: int
    window: Literal["ever", "year", "month", "week"] = "ever"

    def holds(self, taken_at: Iterable[datetime]) -> bool:
        """Whether values first taken up at these times keep the limit."""
        times = list(taken_at)
        if len(times) <= self.count:
            return True
        if self.window == "ever":
            return False
        times.sort()
        span = WINDOWS[self.window]
        return all(later - earlier >= span for earlier, later in zip(times, times[self.count :], strict=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Rule 5: how large a customer grows by itself, and how many claims count about one profile or value."""

    profiles: int = MOST_PROFILES
    identifiers: int = MOST_IDENTIFIERS
    statements: int = MOST_STATEMENTS

    @property
    def least(self) -> int:
        """Where nothing is more than this, nothing is too large."""
        return min(self.profiles, self.identifiers, self.statements)

    @property
    def largest(self) -> int:
        """The largest of the three."""
        return max(self.profiles, self.identifiers, self.statements)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Rule 2: more values that point at nobody, by namespace or `any`: exact (case-folded), and as patterns of the whole."""

    values: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    patterns: Mapping[str, tuple[re.Pattern[str], ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __bool__(self) -> bool:
        return bool(self.values or self.patterns)

    def holds(self, identifier: Identifier) -> bool:
        """Whether the identifier points at nobody."""
        folded = identifier.value.casefold()
        return any(
            folded in self.values.get(namespace, ())
            or any(pattern.fullmatch(folded) for pattern in self.patterns.get(namespace, ()))
            for namespace in (identifier.namespace, ANY)
        )


DEFAULT_LIMIT: Final = Limit(count=5)
"""Rule 3: one person has a handful of devices and mailboxes, not dozens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What resolution obeys. `limits` and `priorities` by namespace; a namespace in neither has the default limit and
    comes last. `survivorship`: sources by name, the first outranks, for traits by name (rule 7).
    """

    limits: Mapping[str, Limit] = field(
        default_factory=lambda: MappingProxyType({USER_ID: Limit(count=1), EMAIL: Limit(count=5)})
    )
    default_limit: Limit = DEFAULT_LIMIT
    priorities: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({USER_ID: 1, EMAIL: 2}))
    shared_above_profiles: int = SHARED_ABOVE_PROFILES
    device_namespaces: frozenset[str] = frozenset({ANONYMOUS_ID, "device_id", "device_token"})
    """Keys of devices, not of people: however many devices claim a value, that doesn't make it shared."""
    size: Size = field(default_factory=Size)
    blocked: Blocked = field(default_factory=Blocked)
    survivorship: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def limit(self, namespace: str) -> Limit:
        """How many values of a namespace one customer may own."""
        return self.limits.get(namespace, self.default_limit)

    def priority(self, namespace: str) -> tuple[int, str]:
        """Sort key, highest priority first: those named, then the others by name."""
        return self.priorities.get(namespace, len(self.priorities) + 1), namespace


DEFAULT_RULES: Final = Rules()
