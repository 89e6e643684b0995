"""The schema made, and executed in process: the same path for HTTP requests and for the extranet's stored operations."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson
import strawberry
import structlog
from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse, validate
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig

from cdp.access.allowances import Allowances
from cdp.access.limits import ViewerLimits
from cdp.access.viewer import Scope, Viewer
from cdp.db.engine import Role, open_pool
from cdp.errors import Invalid
from cdp.graph.contract import complete
from cdp.graph.refusal import Internal, graphql_error, shown
from cdp.graph.runtime import CatchUp, GraphContext, GraphExecutor, GraphRunner, configure, install
from cdp.graph.writing import Writing
from cdp.limits import Limits
from cdp.schema.base import SCALARS, Currency, graph
from cdp.schema.customer import Affiliation
from cdp.schema.events import install_events
from cdp.schema.history import LinkPath
from cdp.schema.limits import excess, introspection, too_long
from cdp.schema.merge import Merge
from cdp.schema.mutations import PAYLOADS, Mutation
from cdp.schema.persisted import Documents, load_trusted
from cdp.schema.query import Query
from cdp.schema.query import Viewer as ViewerType
from cdp.schema.statement import Statement
from cdp.schema.subscription import CustomerChange, OrderStatusChange, Subscription
from cdp.settings import Settings

log = structlog.stdlib.get_logger("cdp.schema")
DOCUMENTS_KEPT: Final = 1_000
CONNECTION_PARTS: Final = ("Connection", "Edge", "PageInfo")

_roots = complete(
    graph, [Query, ViewerType, LinkPath, Subscription, CustomerChange, OrderStatusChange, *PAYLOADS], currency=Currency
)


class _Documents(SchemaExtension):
    """Reads, measures and validates each document once, however often it is sent by viewers of the same limits.

    Why not Strawberry's own caches: each extension's hook costs every request some 20 µs, and measuring would have none.
    """

    def on_parse(self) -> Iterator[None]:
        """Give the operation its document and what is wrong with it, which is told once its type is known to be allowed.

        Raises GraphQLError when it is too long to be parsed, or no document.
        """
        asked = self.execution_context
        if asked.query:
            context: GraphContext = asked.context
            if (refusal := too_long(asked.query, context.limits)) is not None:
                raise graphql_error(refusal)
            asked.graphql_document = _parsed(asked.query)
            # Several operations and no name is a request error (specification §6.1); Strawberry would run the first.
            named = asked._provided_operation_name is not None  # noqa: SLF001 - `operation_name` names the first
            asked.pre_execution_errors = _faults(
                asked.query, named=named, limits=context.limits, reveals_schema=context.reveals_schema
            )
        yield


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _parsed(text: str) -> DocumentNode:
    return parse(text)


@lru_cache(maxsize=DOCUMENTS_KEPT)
def _faults(text: str, *, named: bool, limits: Limits, reveals_schema: bool) -> list[GraphQLError]:
    """Why a viewer of these limits can't have the document executed; empty when it can be.

    Kept by all that it depends on, so what was found for one viewer is never told to another.
    """
    document = _parsed(text)
    if (refusal := excess(document, limits)) is not None:
        return [refusal]
    if not reveals_schema and (refusal := introspection(document)) is not None:
        return [refusal]
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) > 1 and not named:
        return [GraphQLError("operationName must name one of the document's operations.", operations)]
    return validate(schema._schema, document)  # noqa: SLF001


class _Schema(strawberry.Schema):
    """Strawberry's schema, whose errors are logged by their code alone: messages may quote what somebody sent."""

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:  # noqa: ARG002 — Strawberry's
        """Log what is our fault; what callers got wrong is theirs to see."""
        for error in errors:
            code = shown(error)["extensions"]["code"]
            if code == Internal.code:
                log.error("a field failed", path=str(error.path), exc_info=error.original_error)


schema: Final = _Schema(
    Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Affiliation, Merge, Statement],
    config=StrawberryConfig(scalar_map=SCALARS),
    execution_context_class=GraphExecutor,
    extensions=[_Documents],
)
runner: Final = GraphRunner(graph, schema._schema, _roots)  # noqa: SLF001 — Strawberry's documented way to the graphql-core schema
install(
    runner,
    [name for name in schema._schema.type_map if name.endswith(CONNECTION_PARTS) and not name.startswith("__")],  # noqa: SLF001
)
install_events(runner, _roots["Subscription"])


class OperationInvalid(Invalid):
    """The stored operation {name} does not fit the schema: {problem}"""  # noqa: D400 - the problem brings its full stop

    name: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphResult:
    """Decoded outcome of an operation: `data` (None when nothing could be answered) and `errors`, each as GraphQL shows it."""

    data: dict[str, Any] | None
    errors: list[dict[str, Any]]
    statements: int


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """An operation kept in a file, checked against the schema when it is loaded."""

    name: str
    document: str

    @classmethod
    def load(cls, path: Path) -> "StoredOperation":
        """Read and validate a `.graphql` file. Raises OperationInvalid naming the file and what is wrong."""
        document = path.read_text(encoding="utf-8")
        try:
            errors = validate(schema._schema, parse(document))  # noqa: SLF001
        except GraphQLError as error:
            errors = [error]
        if errors:
            raise OperationInvalid(name=path.name, problem=str(errors[0]))
        return cls(path.stem, document)


class Graph:
    """The schema on a pool of connections. Made by `open_graph`."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        *,
        time_zone: str,
        limits: ViewerLimits,
        documents: Documents,
        reticent: bool,
    ) -> None:
        self.pool = pool
        self.limits = limits
        self.documents = documents
        self.writing: Writing | None = None
        self.catch_up: CatchUp | None = None
        self.allowances: Allowances | None = None
        self._reticent = reticent
        self._zone = ZoneInfo(time_zone)

    def context(self, viewer: Viewer, *, today: date | None = None, checked: bool = False) -> GraphContext:
        """What one operation runs with; `today` is the seller's date unless a test sets it."""
        return GraphContext(
            runner=runner,
            viewer=viewer,
            pool=self.pool,
            today=today or datetime.now(self._zone).date(),
            limits=self.limits.of(viewer),
            checked=checked,
            reveals_schema=not self._reticent or Scope.ADMIN in viewer.scopes,
            writing=self.writing,
            catch_up=self.catch_up,
            allowance=self.allowances.of(viewer) if self.allowances else None,
        )

    async def execute(
        self,
        document: str | StoredOperation,
        variables: Mapping[str, Any] | None,
        viewer: Viewer,
        *,
        operation_name: str | None = None,
        today: date | None = None,
        checked: bool = False,
    ) -> GraphResult:
        """Run an operation as `viewer` and decode the answer. Raises TooManyRequests when they asked too much in a while."""
        context = self.context(viewer, today=today, checked=checked)
        context.admit()
        text = document.document if isinstance(document, StoredOperation) else document
        result = await schema.execute(
            text, variable_values=dict(variables or {}), context_value=context, operation_name=operation_name
        )
        data = None if result.data is None else orjson.loads(orjson.dumps(result.data))
        errors = [shown(error, suggests=context.reveals_schema) for error in result.errors or ()]
        return GraphResult(data=data, errors=errors, statements=context.statements)


@asynccontextmanager
async def open_graph(
    database_url: str,
    role: Role,
    *,
    time_zone: str = "UTC",
    limits: ViewerLimits | None = None,
    trusted: Path | None = None,
    reticent: bool = False,
    max_connections: int = 10,
    writes: str | None = None,
    catch_up: CatchUp | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[Graph]:
    """A Graph on its own pool, playing `role`; read-only, with a bound on each statement's time.

    `writes`: the database that mutations write to in that role, which `database_url` may be a replica of; without it there are
    none.
    `catch_up`: what recognition does first about what was told and isn't concluded yet; it needs `writes`.
    `settings`: for mutations that need them, such as those that seal secrets; without them they are refused.
    `trusted`: directory of trusted documents. `reticent`: introspection and suggestions are for viewers with the scope `admin`.
    Raises SettingsError when a trusted document can't be run.
    """
    documents = Documents(load_trusted(trusted, schema._schema))  # noqa: SLF001
    limits = limits or ViewerLimits()
    bounds = {"default_transaction_read_only": "on", "statement_timeout": f"{limits.longest_seconds}s", "jit": "off"}

    def open_for(url: str) -> AbstractAsyncContextManager[AsyncConnectionPool[AsyncConnection[Any]]]:
        return open_pool(url, role, max_size=max_connections, autocommit=True, configure=configure, settings=bounds)

    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_for(database_url))
        opened = Graph(pool, time_zone=time_zone, limits=limits, documents=documents, reticent=reticent)
        if writes is not None:
            written = pool if writes == database_url else await stack.enter_async_context(open_for(writes))
            opened.writing = Writing(writes, role, written, settings)
            opened.catch_up = catch_up
        yield opened


def print_contract() -> str:
    """The schema in GraphQL's schema definition language, as committed in schema.graphql."""
    return schema.as_str() + "\n"
