"""What one operation of the graph may ask, by kind of viewer: tools with the scope `admin`, other tools, members.

Operators change them through `CDP_LIMITS_ADMIN`, `CDP_LIMITS_TOOL` and `CDP_LIMITS_MEMBER`, each a line such as
`nodes=50000 seconds=5`; what it doesn't name stays as it is here.

And how much somebody may ask in a while (`Rate`), which operators set as `600/minute`.
"""

import re
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one operation; each refusal names the limit, its value and what was asked.

    `bytes`, `tokens`: of its document. `aliases`: in it, fragments written out. `depth`: edges below one another. `nodes`:
    objects the answer can hold, the product of page sizes. `seconds`: of each statement. `statement_bytes`: of SQL, not set
    from outside.
    """

    bytes: int = 32_768
    tokens: int = 2_000
    aliases: int = 200
    depth: int = 20
    nodes: int = 100_000
    seconds: int = 15
    statement_bytes: int = 400_000


MOST_DIGITS: Final = 9
NAMES: Final = tuple(each.name for each in fields(Limits) if each.name != "statement_bytes")
ADMIN: Final = Limits(bytes=65_536, tokens=4_000, aliases=500, nodes=500_000, seconds=60)
TOOL: Final = Limits()
MEMBER: Final = Limits(aliases=100, seconds=10)


def read_limits(text: str, usual: Limits) -> Limits:
    """`usual` with the limits that `text` names, as `name=number`, apart by spaces. Raises ValueError with a sentence."""
    given: dict[str, int] = {}
    for part in text.split():
        name, _, value = part.partition("=")
        if name not in NAMES:
            raise ValueError(f"knows {', '.join(NAMES)}; not {name}.")
        if not (value.isascii() and value.isdecimal() and len(value) <= MOST_DIGITS and int(value) > 0):
            raise ValueError(f"needs a whole number above 0 for {name}, as in {name}={getattr(usual, name)}.")
        given[name] = int(value)
    return replace(usual, **given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many units in so many seconds, all at once if need be; what was taken is made up for evenly."""

    units: int
    seconds: int

    @property
    def seconds_each(self) -> float:
        """How long one unit takes to be made up for."""
        return self.seconds / self.units


PERIODS: Final = MappingProxyType({"second": 1, "minute": 60, "hour": 3_600, "day": 86_400})
OFF: Final = "off"
_RATE: Final = re.compile(r"([1-9][0-9]{0,11})/(second|minute|hour|day)")


def read_rate(text: str) -> Rate | None:
    """The rate of a line such as `600/minute`; None for `off`. Raises ValueError with a sentence."""
    if text == OFF:
        return None
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError("must look like 600/minute (second, minute, hour, day), or be off.")
    return Rate(units=int(found[1]), seconds=PERIODS[found[2]])


def written(limits: Limits) -> str:
    """The limits as `read_limits` reads them."""
    return " ".join(f"{name}={getattr(limits, name)}" for name in NAMES)
