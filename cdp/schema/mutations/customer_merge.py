"""`customerMerge`: two customers are one after all."""

from collections.abc import Callable
from typing import Annotated, Any, Final

import strawberry
from psycopg import Connection

from cdp.access.viewer import Scope
from cdp.db.ids import format_id
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.identify import merging
from cdp.resolvers import event as event_resolvers
from cdp.resolvers import merge as resolvers
from cdp.schema.customer import Customer
from cdp.schema.merge import Merge
from cdp.schema.mutations.acting import UserError, author, read_ids, too_long, user_error, work
from cdp.schema.subscription import made

LONGEST_REASON_CHARACTERS: Final = 1_000
LONGEST_KEY_CHARACTERS: Final = 255


@strawberry.input(description="Which customers to merge.")
class CustomerMergeInput:
    """Input of customerMerge."""

    ids: list[strawberry.ID] = strawberry.field(
        description="Two customers, in any order, by any id they ever had; of more, merge one after the other."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for the ledger; at most 1,000 characters.")
    preview: bool | None = strawberry.field(
        default=False, description="Only tell what would happen; nothing is changed."
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description="The same key from the same caller again changes nothing and answers with the merge it made; at most 255"
        " characters.",
    )


@strawberry.type(description="What a merge would do.")
class MergePreview:
    """The preview of customerMerge."""

    survivor_id: strawberry.ID = strawberry.field(description="The customer that stays, the older one.")
    other_id: strawberry.ID = strawberry.field(description="The customer that becomes part of it.")
    profiles: int = strawberry.field(description="Profiles that come to the survivor.")
    identifiers: int = strawberry.field(description="Identifiers that come to the survivor.")
    accounts: int = strawberry.field(description="Accounts that come to the survivor.")
    orders: int = strawberry.field(description="Orders that come to the survivor.")
    interactions: int = strawberry.field(description="Interactions that come to the survivor.")
    conflicting_traits: list[str] = strawberry.field(
        description="Traits on which the two differ, by name; of each the newest statement will count."
    )


@strawberry.type(description="What came of customerMerge.")
class CustomerMergePayload:
    """`customer_id` and `merge_id` are for the compiled fields."""

    customer: Customer | None = one(
        event_resolvers.customer_of,
        "The survivor as it is now; with preview, as it is before. Null after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    merge: Merge | None = one(
        resolvers.merge_of,
        "The merge's record, by which it can be undone; null with preview and after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    preview: MergePreview | None = strawberry.field(description="What would happen; null unless asked for.")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def customer_merge(
    info: strawberry.Info,
    input: Annotated[CustomerMergeInput, strawberry.argument(description="Which customers, and why.")],
) -> CustomerMergePayload:
    """Merge, or tell what merging would do."""
    actor = author(info, input.reason)
    ids = read_ids(input.ids, "cus", "ids")
    wrong = too_long(input.reason, LONGEST_REASON_CHARACTERS, "reason")
    wrong = wrong or too_long(input.idempotency_key, LONGEST_KEY_CHARACTERS, "idempotencyKey")
    if wrong is not None or isinstance(ids, Mistake):
        return _payload(wrong if wrong is not None else ids)
    act: Callable[[Connection[Any]], merging.Merged | merging.MergePreview | Mistake]
    if input.preview:
        act = lambda connection: merging.preview_merge(connection, ids)  # noqa: E731 — one of two, in a word
    else:
        key = input.idempotency_key
        act = lambda connection: merging.merge(connection, ids, author=actor, request_key=key)  # noqa: E731
    return _payload(await work(info, act))


def _payload(outcome: merging.Merged | merging.MergePreview | Mistake | Any) -> CustomerMergePayload:
    told: dict[str, Any] = {"customer_id": None, "merge_id": None, "preview": None, "user_errors": []}
    if isinstance(outcome, Mistake):
        told["user_errors"] = [user_error(outcome)]
    elif isinstance(outcome, merging.Merged):
        told |= {"customer_id": outcome.customer_id, "merge_id": outcome.merge_id}
    else:
        told |= {"customer_id": outcome.customer_id, "preview": _preview(outcome)}
    return made(CustomerMergePayload, **told)


def _preview(told: merging.MergePreview) -> MergePreview:
    return MergePreview(
        survivor_id=strawberry.ID(format_id("cus", told.customer_id)),
        other_id=strawberry.ID(format_id("cus", told.other_customer_id)),
        profiles=told.profiles,
        identifiers=told.identifiers,
        accounts=told.accounts,
        orders=told.orders,
        interactions=told.interactions,
        conflicting_traits=list(told.conflicting_traits),
    )
