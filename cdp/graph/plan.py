"""What compiling yields: SQL with numbered parameters, and how each run fills them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from graphql import GraphQLError

from cdp.access.viewer import Viewer
from cdp.graph.given import Variables


@dataclass(frozen=True, slots=True)
class Execution:
    """What parameters are taken from: this run's variables, who asks, the seller's date, and what the root field is a field of:
    an event or a payload.
    """

    variables: Variables
    viewer: Viewer
    today: date
    source: Any = None


Getter = Callable[[Execution], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A compiled field: SQL (None: nothing to ask), a getter for each numbered parameter, what was refused, how many nodes the
    answer can hold, and how many edges stand below one another. `by_value`: how it's best executed depends on values, so the
    database plans it anew each time.
    """

    sql: str | None
    getters: tuple[Getter, ...]
    refusals: tuple[GraphQLError, ...]
    nodes: int
    depth: int
    by_value: bool = False

    def parameters(self, execution: Execution) -> list[Any]:
        """Values of the numbered parameters. Raises GraphQLError for a value that cannot be one."""
        return [getter(execution) for getter in self.getters]
