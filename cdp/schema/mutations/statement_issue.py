"""`statementIssue`: what stands on a statement now is kept under a number."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
import strawberry
from psycopg import Connection

from cdp.access.viewer import Member, Role, Scope, Tool, Viewer
from cdp.db.ids import format_id, parse_id
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.graph.runtime import GraphContext
from cdp.graph.stored import answer_within
from cdp.languages import ENGLISH, LANGUAGES
from cdp.ledger import issuing
from cdp.ledger.money import is_currency
from cdp.ledger.statement import AGEING_EDGES, read_edges
from cdp.resolvers import issued as resolvers
from cdp.schema.base import Currency
from cdp.schema.issued_statement import IssuedStatement
from cdp.schema.mutations.acting import UserError, authorise, user_error, work
from cdp.schema.statement import LEDGER, StatementKind
from cdp.schema.subscription import made

NO_ACCOUNT: Final = Mistake(
    code="account_not_found", message="There is no such account, or it is not yours to see.", field=("accountId",)
)
_MONEY: Final = "{ amount currency }"
_ORDER: Final = "order { id number }"
_ENTRY: Final = "postedOn kind documentNumber description purchaseOrder dueOn"
DOCUMENT: Final = f"""
query($id: ID!, $kind: StatementKind!, $from: Date, $to: Date!, $currency: Currency, $edges: [Int!]) {{
  account(id: $id) {{
    number name legalName taxId paymentTermsDays currency currencies
    statement(kind: $kind, from: $from, to: $to, currency: $currency, ageingEdges: $edges) {{
      kind from to currency postedCount
      opening {_MONEY} closing {_MONEY} totalDebit {_MONEY} totalCredit {_MONEY}
      activity {{ {_ENTRY} debit {_MONEY} credit {_MONEY} balance {_MONEY} disputed {_ORDER} }}
      openItems {{ {_ENTRY} originalAmount {_MONEY} openAmount {_MONEY} daysLate bucket disputed {_ORDER} }}
      unappliedCredits {{ postedOn kind documentNumber description originalAmount {_MONEY} openAmount {_MONEY} }}
      ageing {{ bucket fromDays toDays amount {_MONEY} }}
    }}
  }}
}}"""
"""All that stands on a statement. Its answer, the account, is the document that is kept."""


@strawberry.input(description="Which statement to issue.")
class StatementIssueInput:
    """Input of statementIssue."""

    kind: StatementKind = strawberry.field(description="Which kind.")
    to: date = strawberry.field(description="Last day, at most today.")
    account_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="The account; a member's is the one they are signed in to, whether it is given or not.",
    )
    from_: date | None = strawberry.field(
        name="from", default=None, description="First day; the beginning of the ledger unless given."
    )
    currency: Currency | None = strawberry.field(default=None, description="The account's own unless given.")
    ageing_edges: list[int] | None = strawberry.field(
        default=None,
        description="Last days late of the second, third and fourth ageing bucket, rising; 30, 60 and 90 unless given.",
    )
    language: str = strawberry.field(
        default=ENGLISH,
        description="The language that its files will be in: en, es, pl or pt. The document itself has no words of a language.",
    )


@strawberry.type(description="What came of statementIssue.")
class StatementIssuePayload:
    """`statement_id` is for the compiled field."""

    statement: IssuedStatement | None = one(
        resolvers.issued, "The statement, issued; null after a mistake.", scope=LEDGER, member=LEDGER
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was issued; empty when all went well.")


async def statement_issue(
    info: strawberry.Info,
    input: Annotated[StatementIssueInput, strawberry.argument(description="Which statement.")],
) -> StatementIssuePayload:
    """Issue a statement."""
    viewer = authorise(info, scope=Scope.LEDGER_READ, roles=(Role.FINANCE, Role.CLIENT_ADMIN))
    context: GraphContext = info.context
    account_id = account_of(viewer, input.account_id)
    wrong = NO_ACCOUNT if account_id is None else _wrong(input, context.today)
    if wrong is not None or account_id is None:
        return _payload(wrong)
    given = account_id  # narrowed, also for the closure

    def act(connection: Connection[Any]) -> UUID | Mistake:
        issuing.take_turn(connection, given)
        variables = {
            "id": format_id("acc", given),
            "kind": input.kind.name,
            "from": input.from_.isoformat() if input.from_ and input.kind is StatementKind.BALANCE_FORWARD else None,
            "to": input.to.isoformat(),
            "currency": input.currency,
            "edges": input.ageing_edges or list(AGEING_EDGES),
        }
        found = answer_within(connection, context.runner, DOCUMENT, variables, viewer=viewer, today=context.today)
        if found is None:
            return NO_ACCOUNT
        document = orjson.loads(found)
        wrong = _unfit(document)
        if wrong is not None:
            return wrong
        draft = _draft(given, document, input, issued_by=_name(viewer), issued_at=datetime.now(UTC))
        return issuing.issue(connection, draft) or NO_ACCOUNT

    return _payload(await work(info, act))


def account_of(viewer: Viewer, given: str | None) -> UUID | None:
    """The account that is meant: a member's own, and for them any other is as good as none."""
    asked = parse_id(given, "acc") if given is not None else None
    if isinstance(viewer, Member):
        return viewer.account_id if given is None or asked == viewer.account_id else None
    return asked


def _wrong(given: StatementIssueInput, today: date) -> Mistake | None:
    if given.to > today:
        return Mistake(
            code="period_not_over", message="A statement can be issued up to today, not beyond.", field=("to",)
        )
    if given.from_ is not None and given.from_ > given.to:
        return Mistake(code="period_backwards", message="The first day comes after the last.", field=("from",))
    if given.currency is not None and not is_currency(given.currency):
        return Mistake(
            code="currency_unknown", message="That is not an ISO 4217 currency code, such as EUR.", field=("currency",)
        )
    if given.language not in LANGUAGES:
        message = f"Files are made in {', '.join(LANGUAGES)}."
        return Mistake(code="language_unknown", message=message, field=("language",))
    return None if given.ageing_edges is None else _wrong_edges(given.ageing_edges)


def _wrong_edges(edges: list[int]) -> Mistake | None:
    try:
        read_edges(edges)
    except ValueError as error:
        return Mistake(code="edges_invalid", message=f"Ageing {error}", field=("ageingEdges",))
    return None


def _unfit(account: Mapping[str, Any]) -> Mistake | None:
    statement = account["statement"]
    if statement["currency"] not in account["currencies"]:
        return Mistake(
            code="currency_without_entries", message="The account has no entries in that currency.", field=("currency",)
        )
    entries = len(statement["activity"]) + len(statement["openItems"])
    if entries > issuing.MOST_ENTRIES:
        message = f"A statement can have {issuing.MOST_ENTRIES:,} lines; choose a shorter period."
        return Mistake(code="too_many_entries", message=message, field=("from",))
    return None


def _draft(
    account_id: UUID, document: Mapping[str, Any], given: StatementIssueInput, *, issued_by: str, issued_at: datetime
) -> issuing.StatementDraft:
    statement = document["statement"]
    return issuing.StatementDraft(
        account_id=account_id,
        kind=str(given.kind.value),
        currency=statement["currency"],
        from_on=None if statement["from"] is None else date.fromisoformat(statement["from"]),
        to_on=given.to,
        opening=Decimal(statement["opening"]["amount"]),
        closing=Decimal(statement["closing"]["amount"]),
        total_debit=Decimal(statement["totalDebit"]["amount"]),
        total_credit=Decimal(statement["totalCredit"]["amount"]),
        posted_count=statement["postedCount"],
        document=document,
        issued_by=issued_by,
        issued_at=issued_at,
        language=given.language,
    )


def _name(viewer: Viewer) -> str:
    if isinstance(viewer, Member):
        return f"member:{viewer.member_id}"
    assert isinstance(viewer, Tool)  # noqa: S101 — nobody else may
    return viewer.acting_for or f"client:{viewer.client_id}"


def _payload(outcome: UUID | Mistake | None) -> StatementIssuePayload:
    if isinstance(outcome, UUID):
        return made(StatementIssuePayload, statement_id=outcome, user_errors=[])
    return made(StatementIssuePayload, statement_id=None, user_errors=[user_error(outcome or NO_ACCOUNT)])
