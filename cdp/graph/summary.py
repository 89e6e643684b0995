"""Summaries: how many rows, their sums in each currency, the first and the last, in all or by group; in the one statement.

A summary is an edge to one row, `groups` below it an edge to several; both remember which rows they summarise (`Summarised`), so
that sums are asked of those rows only when they are selected.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Numeric, Select, func, literal_column

from cdp.graph.conditions import Conditions
from cdp.graph.declaration import Inline, Row, Rows, by

if TYPE_CHECKING:
    from cdp.graph.compiler import Arguments

Edge = Callable[..., Rows]
Group = Callable[[Row], ColumnElement[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summarised:
    """The rows behind a summary: an edge of a parent's row, filtered; `group` when only one group's rows are meant."""

    edge: Edge
    target: str
    time: str
    row: Row | None
    arguments: "Arguments"
    group: Group | None = None

    def select(self, columns: Callable[[Row], list[ColumnElement[Any]]], *, of: Row | None = None) -> Select[Any]:
        """`columns` of the rows; with `of`, a group's row, only of those in that group."""
        compiler = self.arguments.compiler
        target = compiler.registry.types[self.target]
        found = self.edge(self.row, self.arguments)
        statement = compiler.select(target, found, columns(found.source))
        if "filter" in self.arguments:
            conditions = Conditions(compiler, self.arguments.nodes, self.arguments.path)
            statement = statement.where(conditions.condition(target, found.source, self.arguments["filter"]))
        if of is None or self.group is None:
            return statement.correlate(*compiler.rows)
        in_group = self.group(found.source).is_not_distinct_from(of.c.key)
        return statement.where(in_group).correlate(*compiler.rows, of)

    def _figures(self, child: Row) -> list[ColumnElement[Any]]:
        moment = getattr(child.c, self.time)
        return [func.count().label("count"), func.min(moment).label("first"), func.max(moment).label("last")]

    def whole(self) -> Rows:
        """One row: count, first, last."""
        return self._remember(self.select(self._figures), None)

    def groups(self, group: Group) -> Rows:
        """One row for each group, by key: key, count, first, last."""
        statement = self.select(lambda child: [group(child).label("key"), *self._figures(child)])
        return self._remember(statement.group_by(literal_column("1")), group)

    def _remember(self, statement: Select[Any], group: Group | None) -> Rows:
        source = statement.subquery()
        self.arguments.compiler.summarised[source] = replace(self, group=group)
        return Rows(source, (), () if group is None else (by("key", nullable=True),))


def summary(edge: Edge, target: str, *, time: str) -> Callable[[Row | None, "Arguments"], Rows]:
    """Edge to the summary of the rows that `edge` leads to, of graph type `target`; `time` is the column of first and last."""

    def where(row: Row | None, arguments: "Arguments") -> Rows:
        return Summarised(edge=edge, target=target, time=time, row=row, arguments=arguments).whole()

    return where


def groups(kinds: Mapping[str, Group]) -> Callable[[Row, "Arguments"], Rows]:
    """Edge from a summary to its groups, by what the argument `by` names."""

    def where(row: Row, arguments: "Arguments") -> Rows:
        summarised: Summarised = arguments.compiler.summarised[row]
        return summarised.groups(kinds[arguments.plain("by").value])

    return where


def sums(row: Row, _arguments: "Arguments") -> Inline:
    """Edge from a summary or a group to its sums, which need to know it."""
    return Inline({"of": row})


def sum_of(column: str) -> Callable[[Row, "Arguments"], Rows]:
    """Edge from the sums to one of them: an amount for each currency, by code."""

    def where(row: Row, arguments: "Arguments") -> Rows:
        of = row.c.of
        summarised: Summarised = arguments.compiler.summarised[of]
        statement = summarised.select(
            lambda child: [
                child.c.currency.label("currency"),
                func.sum(getattr(child.c, column), type_=Numeric()).label("amount"),
            ],
            of=of,
        )
        return Rows(statement.group_by(literal_column("1")).subquery(), (), (by("currency"),))

    return where
