"""`statementFileKeep`: the file of an issued statement that was made first is the one that everybody gets from then on."""

import base64
import binascii
from typing import Annotated, Any, Final
from uuid import UUID

import strawberry
from psycopg import Connection

from cdp.access.viewer import Member, Role
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.ledger import issuing
from cdp.resolvers import issued as resolvers
from cdp.schema.issued_statement import IssuedStatement, StatementFormat
from cdp.schema.mutations.acting import UserError, authorise, user_error, work
from cdp.schema.statement import LEDGER
from cdp.schema.subscription import made

LARGEST_BYTES: Final = 20_000_000


@strawberry.input(description="A file of an issued statement.")
class StatementFileKeepInput:
    """Input of statementFileKeep."""

    statement_id: strawberry.ID = strawberry.field(description="The issued statement.")
    format: StatementFormat = strawberry.field(description="Which kind of file.")
    content: str = strawberry.field(description="The file in Base64; at most 20 MB.")


@strawberry.type(description="What came of statementFileKeep.")
class StatementFileKeepPayload:
    """`statement_id` is for the compiled field."""

    statement: IssuedStatement | None = one(
        resolvers.issued,
        "The statement with its files: where one of that kind was kept before, that one. Null after a mistake.",
        scope=LEDGER,
        member=LEDGER,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was kept; empty when all went well.")


async def statement_file_keep(
    info: strawberry.Info,
    input: Annotated[StatementFileKeepInput, strawberry.argument(description="The file.")],
) -> StatementFileKeepPayload:
    """Keep a file."""
    viewer = authorise(info, scope=None, roles=(Role.FINANCE, Role.CLIENT_ADMIN))
    assert isinstance(viewer, Member)  # noqa: S101 — no tool may
    statement_id = parse_id(input.statement_id, "sta")
    content = _read(input.content)
    if statement_id is None:
        return _payload(_NO_STATEMENT)
    if isinstance(content, Mistake):
        return _payload(content)

    def act(connection: Connection[Any]) -> UUID | Mistake:
        is_there = issuing.keep_file(
            connection,
            account_id=viewer.account_id,
            statement_id=statement_id,
            kind=str(input.format.value),
            content=content,
        )
        return statement_id if is_there else _NO_STATEMENT

    return _payload(await work(info, act))


_NO_STATEMENT: Final = Mistake(
    code="statement_not_found", message="There is no such statement, or it is not yours to see.", field=("statementId",)
)


def _read(content: str) -> bytes | Mistake:
    if len(content) > LARGEST_BYTES * 4 // 3 + 4:
        return Mistake(code="file_too_large", message=f"At most {LARGEST_BYTES:,} bytes.", field=("content",))
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        return Mistake(code="not_base64", message="That is not Base64.", field=("content",))


def _payload(outcome: UUID | Mistake) -> StatementFileKeepPayload:
    if isinstance(outcome, UUID):
        return made(StatementFileKeepPayload, statement_id=outcome, user_errors=[])
    return made(StatementFileKeepPayload, statement_id=None, user_errors=[user_error(outcome)])
