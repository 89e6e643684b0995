"""The roots of changing: object first, one action each, one file each. Every payload has the object and `userErrors`."""

import strawberry

from cdp.schema.mutations.customer_merge import CustomerMergePayload, customer_merge
from cdp.schema.mutations.customer_unmerge import CustomerUnmergePayload, customer_unmerge

__all__ = ["PAYLOADS", "Mutation"]

PAYLOADS = (CustomerMergePayload, CustomerUnmergePayload)
"""Types whose fields are compiled with the payload as their source."""


@strawberry.type(
    description="Everything that can be changed, by POST only. Mutations of one operation run one after the other."
)
class Mutation:
    """The mutation root."""

    customer_merge: CustomerMergePayload | None = strawberry.field(
        resolver=customer_merge,
        description="Makes one customer of two that are the same, whatever they share; `customerUnmerge` undoes it exactly. The"
        " older id survives and the other keeps leading there. Needs the scope identity:write.",
    )
    customer_unmerge: CustomerUnmergePayload | None = strawberry.field(
        resolver=customer_unmerge,
        description="Undoes a merge, whether somebody or an identifier made it: profiles, with all that was told of them also"
        " since, go back to their customers, ids come back, and the two don't become one again by themselves. Needs the scope"
        " identity:write.",
    )
