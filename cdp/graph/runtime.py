"""Executing compiled fields: the plan cache, the one statement on its connection, and how finished JSON passes graphql-core.

`install` puts these resolvers into a Strawberry schema. A root field (of the query, a payload or an event) compiles its whole
selection and answers with `Answer`; `GraphExecutor` lets its bytes through untouched as an `orjson.Fragment`. In checked mode
the bytes are decoded and completed by graphql-core as if resolvers had answered, which proves types and nullability.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import orjson
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_non_null_type,
)
from graphql.utilities import type_from_ast
from psycopg import AsyncConnection, AsyncRawCursor, Connection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.errors import DataError, OperationalError, QueryCanceled
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from cdp.access.allowances import Allowance
from cdp.access.viewer import ENTER, Member, Viewer, entry
from cdp.db.ids import prefix_of
from cdp.errors import Unavailable
from cdp.graph.compiler import Compiler
from cdp.graph.declaration import GraphField, GraphType, Registry
from cdp.graph.given import Variables, nullable, shape
from cdp.graph.mixed import CONCRETE
from cdp.graph.plan import Execution, Plan
from cdp.graph.refusal import LimitExceeded, TooSlow, ValueInvalid, graphql_error
from cdp.graph.selection import collect
from cdp.graph.writing import Writing
from cdp.limits import Limits

PLANS_KEPT: Final = 2_000
JSON_OID: Final = 114
_bounds: Final = WeakKeyDictionary[AsyncConnection[Any], int]()  # seconds that a statement may take there


class RawJson(Loader):
    """Hands the server's JSON text on as bytes; nobody here looks inside."""

    def load(self, data: Buffer) -> bytes:
        """The bytes."""
        return bytes(data)


async def configure(connection: AsyncConnection[Any]) -> None:
    """Prepare a pool's connection for the graph: JSON stays bytes, many prepared statements are kept."""
    connection.adapters.register_loader(JSON_OID, RawJson)
    connection.prepared_max = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """A compiled field's outcome: finished JSON (None: null), and what was refused on the way."""

    json: bytes | None
    refusals: tuple[GraphQLError, ...]


CatchUp = Callable[[Connection[Any], Sequence[tuple[str, str]]], int]
"""Brings up to date what is known about identifiers (namespace, value), in the caller's transaction; how much there was to do."""


@dataclass(slots=True, kw_only=True)
class GraphContext:
    """What one operation runs with. `writing`: where mutations write; None where nothing can be changed. `catch_up`: what
    recognition does first about what was told and isn't concluded yet. `allowance`: what the viewer may ask in a while.

    `reveals_schema`: introspection and suggestions are for this viewer. The rest is what has been reckoned so far, over all
    root fields: `statements` sent to the database, `nodes` the answer can hold, `depth` of edges, `compiled` plans that were
    not in the cache, and the limit that is `exceeded`.
    """

    runner: "GraphRunner"
    viewer: Viewer
    today: date
    pool: AsyncConnectionPool[AsyncConnection[Any]]
    limits: Limits = field(default_factory=Limits)
    checked: bool = False
    reveals_schema: bool = True
    writing: Writing | None = None
    catch_up: CatchUp | None = None
    allowance: Allowance | None = None
    statements: int = 0
    nodes: int = 0
    depth: int = 0
    compiled: int = 0
    exceeded: LimitExceeded | None = None

    def admit(self) -> None:
        """Let the operation in. Raises TooManyRequests when the viewer asked too much in a while."""
        if self.allowance is not None:
            self.allowance.admit()


class PlanCache:
    """Plans by what SQL depends on; the least recently used falls out."""

    def __init__(self, most: int = PLANS_KEPT) -> None:
        self._plans: OrderedDict[Any, Plan] = OrderedDict()
        self._most = most

    def get(self, key: Any) -> Plan | None:
        """The plan, freshened; None when it was never made or fell out."""
        plan = self._plans.get(key)
        if plan is None:
            return None
        self._plans.move_to_end(key)
        return plan

    def clear(self) -> None:
        """Forget every plan."""
        self._plans.clear()

    def put(self, key: Any, plan: Plan) -> None:
        """Keep a plan."""
        self._plans[key] = plan
        if len(self._plans) > self._most:
            self._plans.popitem(last=False)


class GraphRunner:
    """Compiles and runs root fields of one schema."""

    def __init__(
        self, registry: Registry, schema: GraphQLSchema, roots: Mapping[str, Mapping[str, GraphField]]
    ) -> None:
        """`roots`: declarations of root fields by name, by the type that has them."""
        self.registry = registry
        self.schema = schema
        self.roots = roots
        self.plans = PlanCache()

    async def answer(
        self,
        declared: GraphField,
        info: GraphQLResolveInfo[GraphContext],
        *,
        node: GraphType | None = None,
        source: Any = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Answer a root field of `source`. `node`: the concrete type where the field's own is an interface. `arguments`: those
        of the field.

        Fields beside one another are all compiled before the first is run: where one exceeds a limit, or all together do,
        none of them reaches the database.
        """
        context = info.context
        plan, parameters = self._compiled(declared, info, node=node, source=source)
        context.depth = max(context.depth, plan.depth)
        context.nodes += plan.nodes
        if context.nodes > context.limits.nodes:
            context.exceeded = LimitExceeded(limit="nodes", asked=context.nodes, most=context.limits.nodes)
        if not _stands_alone(info):
            await asyncio.sleep(0)
        if context.exceeded is not None:
            raise graphql_error(context.exceeded, list(info.field_nodes))
        if plan.sql is None:
            return Answer(None, plan.refusals)
        if context.allowance is not None:
            context.allowance.spend(plan.nodes)
        if declared.before is not None:
            await declared.before(context, arguments or {})
        found = await run_statement(context, plan.sql, parameters, prepare=not plan.by_value)
        return Answer(found, plan.refusals)

    def prepare(self, info: GraphQLResolveInfo[GraphContext]) -> None:
        """Compile all that a mutation's payload asks of the graph, before anything is written.

        Raises GraphQLError for what would be refused afterwards: a scope that is missing, a limit, a value.
        """
        context = info.context
        payload = cast("GraphQLObjectType", get_named_type(info.return_type))
        declared = self.roots.get(payload.name, {})
        nodes = context.nodes
        fields = collect(info.field_nodes, frozenset({payload.name}), info.fragments, variables_of(info))
        for key, asked in fields.items():
            name = asked[0].name.value
            if name not in declared:
                continue
            below = info._replace(
                field_name=name,
                field_nodes=asked,
                return_type=payload.fields[name].type,
                parent_type=payload,
                path=info.path.add_key(key, payload.name),
            )
            plan, _ = self._compiled(declared[name], below, source=_Unwritten())
            if plan.refusals:
                raise plan.refusals[0]
            nodes += plan.nodes
        if nodes > context.limits.nodes:
            context.exceeded = LimitExceeded(limit="nodes", asked=nodes, most=context.limits.nodes)
            raise graphql_error(context.exceeded, list(info.field_nodes))

    def _compiled(
        self,
        declared: GraphField,
        info: GraphQLResolveInfo[GraphContext],
        *,
        node: GraphType | None = None,
        source: Any,
    ) -> tuple[Plan, list[Any]]:
        """A root field's plan and its parameters' values. Raises GraphQLError, and remembers which limit was exceeded."""
        context = info.context
        try:
            plan = self._plan(declared, info, context, node)
            return plan, plan.parameters(Execution(variables_of(info), context.viewer, context.today, source))
        except GraphQLError as error:
            if isinstance(error.original_error, LimitExceeded):
                context.exceeded = error.original_error
            raise

    def _plan(
        self,
        declared: GraphField,
        info: GraphQLResolveInfo[GraphContext],
        context: GraphContext,
        node: GraphType | None,
    ) -> Plan:
        viewer = context.viewer
        source = info.operation.loc
        key = (
            source.source.body if source else id(info.operation),
            info.operation.name.value if info.operation.name else None,
            tuple(step for step in info.path.as_list() if isinstance(step, str)),
            isinstance(viewer, Member),
            viewer.scopes,
            node.name if node else None,
            context.limits,
            context.checked,
            self._shapes(info),
        )
        plan = self.plans.get(key)
        if plan is None:
            compiler = Compiler(
                registry=self.registry,
                schema=self.schema,
                fragments=info.fragments,
                variables=variables_of(info),
                viewer=viewer,
                limits=context.limits,
                checked=context.checked,
            )
            kind = self.schema.type_map[node.name] if node else info.return_type
            plan = compiler.compile(declared, kind, info.field_nodes, info.path, node=node)
            self.plans.put(key, plan)
            context.compiled += 1
        return plan

    def _shapes(self, info: GraphQLResolveInfo[GraphContext]) -> tuple[Any, ...]:
        values = variables_of(info)
        if not values:
            return ()
        return tuple(
            (name, shape(values[name], type_from_ast(self.schema, definition.type)))
            for definition in info.operation.variable_definitions or ()
            if (name := definition.variable.name.value) in values
        )


class _Unwritten:
    """A payload before anything was written: what its compiled fields are asked of has no ids yet."""

    def __getattr__(self, name: str) -> None:
        return None


def _stands_alone(info: GraphQLResolveInfo[GraphContext]) -> bool:
    """Whether the operation has one root field, and this is it."""
    selections = info.operation.selection_set.selections
    return info.path.prev is None and len(selections) == 1 and isinstance(selections[0], FieldNode)


def variables_of(info: GraphQLResolveInfo[GraphContext]) -> Variables:
    """Coerced variables by name: Strawberry's info has the plain mapping where graphql-core's has its container."""
    return cast("Variables", info.variable_values)


async def run_statement(
    context: GraphContext, sql: str, parameters: list[Any], *, prepare: bool = True
) -> bytes | None:
    """As `_send`; what the database can't do becomes an error a caller can act on."""
    try:
        return await _send(context, sql, parameters, prepare=prepare)
    except QueryCanceled as error:
        raise TooSlow(most_seconds=context.limits.seconds, retry_after_seconds=5) from error
    except (OperationalError, PoolTimeout) as error:
        raise Unavailable(retry_after_seconds=5) from error
    except DataError as error:
        # A value the database's type can't hold, such as a date beyond its calendar.
        raise ValueInvalid(argument="a value", problem="it is out of range.") from error


async def _send(context: GraphContext, sql: str, parameters: list[Any], *, prepare: bool) -> bytes | None:
    """Send one statement; in one round trip with the viewer's settings where row-level security needs them.

    A statement that isn't prepared is planned for its parameters' values.
    """
    context.statements += 1
    async with context.pool.connection() as connection:
        await _bound(connection, context.limits.seconds)
        if not isinstance(context.viewer, Member):
            return await _fetch(connection, sql, parameters, prepare=prepare)
        async with connection.pipeline():
            await connection.execute("BEGIN READ ONLY")
            await connection.execute(ENTER, entry(context.viewer))
            cursor = AsyncRawCursor(connection)
            await cursor.execute(sql, parameters, prepare=prepare)
            await connection.execute("COMMIT")
            row = await cursor.fetchone()
        return None if row is None else cast("bytes | None", row[0])


async def _bound(connection: AsyncConnection[Any], seconds: int) -> None:
    """Bound the connection's statements to `seconds`, unless they are since somebody with the same bound used it."""
    if _bounds.get(connection) != seconds:
        await connection.execute("SELECT set_config('statement_timeout', %s, false)", (f"{seconds}s",))
        _bounds[connection] = seconds


async def _fetch(connection: AsyncConnection[Any], sql: str, parameters: list[Any], *, prepare: bool) -> bytes | None:
    cursor = AsyncRawCursor(connection)
    await cursor.execute(sql, parameters, prepare=prepare)
    row = await cursor.fetchone()
    return None if row is None else cast("bytes | None", row[0])


class GraphExecutor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, which hands an `Answer` through as finished JSON instead of completing it value by value."""

    def complete_value(  # noqa: PLR0917 — graphql-core's signature
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        """As graphql-core's, except for an Answer."""
        if type(result) is not Answer:
            if self.context_value.checked and isinstance(result, dict) and is_abstract_type(nullable(return_type)):
                return_type = self.schema.type_map[result[CONCRETE]]
            return super().complete_value(return_type, field_details_list, info, path, result, position_context)
        if result.json is None and is_non_null_type(return_type) and result.refusals:
            raise result.refusals[0]
        for refusal in result.refusals:
            self.collected_errors.add(refusal, None)
        if result.json is None:
            return super().complete_value(return_type, field_details_list, info, path, None, position_context)
        if not self.context_value.checked:
            return orjson.Fragment(result.json)
        decoded: Any = orjson.loads(result.json)
        return self.complete_value(return_type, field_details_list, info, path, decoded, position_context)

    def complete_leaf_value(self, return_type: Any, result: Any) -> Any:  # type: ignore[override] # static there; called on self
        """In checked mode a leaf is JSON already: it must be one the type accepts, and stays as it is.

        Not so what a resolver answered, such as a member of an enum: that is made JSON as always.
        """
        if self.context_value.checked and not isinstance(result, Enum | datetime):
            return_type.coerce_input_value(result)
            return result
        return super().complete_leaf_value(return_type, result)


def read_decoded(source: Any, info: GraphQLResolveInfo[GraphContext], **_arguments: Any) -> Any:
    """Resolver of nested graph fields, in checked mode: the value under the response key."""
    return source[info.path.key]


def install(runner: GraphRunner, connection_types: list[str]) -> None:
    """Put resolvers into the schema: compiled answers for the roots, decoded reads elsewhere."""
    schema = runner.schema
    for declared_type in runner.registry.types.values():
        _read_decoded_fields(schema, declared_type.name)
    for name in connection_types:
        _read_decoded_fields(schema, name)
    for type_name, fields in runner.roots.items():
        owner = cast("GraphQLObjectType", schema.type_map[type_name])
        for field_name, declared in fields.items():
            owner.fields[field_name].resolve = _resolver(runner, declared)


def _resolver(runner: GraphRunner, declared: GraphField) -> Any:
    async def resolve(source: Any, info: GraphQLResolveInfo[GraphContext], **arguments: Any) -> Answer:
        return await runner.answer(declared, info, source=source, arguments=arguments)

    async def resolve_node(_source: Any, info: GraphQLResolveInfo[GraphContext], *, id: str) -> Answer:
        node = runner.registry.by_prefix.get(prefix_of(id) or "")
        if node is None:
            problem = "it is not an id."
            raise graphql_error(ValueInvalid(argument=f"{declared.owner}.{declared.name}(id:)", problem=problem))
        return await runner.answer(declared, info, node=node)

    owner = cast("GraphQLObjectType", runner.schema.type_map[declared.owner])
    return resolve_node if is_abstract_type(nullable(owner.fields[declared.name].type)) else resolve


def _read_decoded_fields(schema: GraphQLSchema, name: str) -> None:
    for declared in cast("GraphQLObjectType", schema.type_map[name]).fields.values():
        declared.resolve = read_decoded
