"""The three operations: what each contender is sent, and when two answers are the same.

Each operation stands in four files of `operations/`: ours, PostGraphile's, the resolvers' and the hand-written statement. They
ask for the same rows and columns. Answers are compared value by value after what differs by convention is levelled: ids
(typed or UUID), instants and amounts (by value), enums (by case), `{nodes: […]}` (a list), money (an object or two columns).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

CONTENDERS: Final = ("ours", "sql", "postgraphile", "strawberry")
FOLDER: Final = Path(__file__).parent / "operations"
SINGLE_CUSTOMERS: Final = 200
"""How many customers the operation `single` goes round, so that no answer is simply repeated."""
_ENUMS: Final = {"kind", "status", "tier", "direction"}
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT")
_TYPED_ID: Final = re.compile(r"[a-z]{3}_([0-9a-f]{32})")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_AMOUNT: Final = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation by name, with the variables of each request; the load generator goes round them."""

    name: str
    variables: tuple[Mapping[str, Any], ...]

    def text(self, contender: str) -> str:
        """What the contender's file holds: a document, or the statement."""
        names = {"ours": f"{self.name}.graphql", "sql": f"{self.name}.sql"}
        return (FOLDER / names.get(contender, f"{self.name}.{contender}.graphql")).read_text(encoding="utf-8").strip()

    def requests(self, contender: str) -> list[bytes]:
        """Request bodies for the contender."""
        if contender == "sql":
            return [json.dumps(given).encode() for given in self.variables]
        typed = [{**given, "id": f"cus_{given['id']}"} if "id" in given else given for given in self.variables]
        asked = typed if contender in {"ours", "strawberry"} else self.variables
        document = self.text(contender)
        return [json.dumps({"query": document, "variables": given}).encode() for given in asked]

    def path(self, contender: str) -> str:
        """Where the contender takes the operation."""
        return f"/{self.name}" if contender == "sql" else "/graphql"


def operations(customers: int) -> tuple[Operation, ...]:
    """The operations on a database of so many customers; `filtered` looks at the last 90 days."""
    since = (datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=90)).isoformat()
    step = customers // SINGLE_CUSTOMERS
    ids = [f"{2:08x}000070008000{1 + number * step:012x}" for number in range(SINGLE_CUSTOMERS)]
    return (
        Operation(name="nested", variables=({"first": 50},)),
        Operation(name="single", variables=tuple({"id": each} for each in ids)),
        Operation(name="filtered", variables=({"first": 50, "since": since},)),
    )


def levelled(value: Any, key: str = "") -> Any:
    """An answer with what differs by convention made equal; see the module."""
    if isinstance(value, list):
        return [levelled(each) for each in value]
    if isinstance(value, dict):
        if list(value) == ["nodes"]:
            return levelled(value["nodes"])
        found: dict[str, Any] = {}
        for name, inner in value.items():
            if isinstance(inner, dict) and set(inner) == {"amount", "currency"}:
                found[name] = levelled(inner["amount"])
                found["currency"] = inner["currency"]
            else:
                found[name] = levelled(inner, name)
        return found
    if isinstance(value, str):
        return _levelled_text(value, key)
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _levelled_text(text: str, key: str) -> Any:
    if key in _ENUMS:
        return text.upper()
    if _INSTANT.match(text):
        return datetime.fromisoformat(text)
    if typed := _TYPED_ID.fullmatch(text):
        return typed[1]
    if _UUID.fullmatch(text):
        return text.replace("-", "")
    return Decimal(text) if _AMOUNT.fullmatch(text) else text
