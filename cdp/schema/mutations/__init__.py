"""The roots of changing: object first, one action each, one file each. Every payload has the object and `userErrors`."""

import strawberry

from cdp.schema.mutations.administering import PAYLOADS as OF_ADMINISTRATORS
from cdp.schema.mutations.announcements import AnnouncementMutation, AnnouncementPayload
from cdp.schema.mutations.cases import CaseMutation, CasePayload
from cdp.schema.mutations.customer_merge import CustomerMergePayload, customer_merge
from cdp.schema.mutations.customer_unmerge import CustomerUnmergePayload, customer_unmerge
from cdp.schema.mutations.deciding import NEEDS as NEEDS_IDENTITY
from cdp.schema.mutations.failed_message_replay import FailedMessageReplayPayload, failed_message_replay
from cdp.schema.mutations.identifier_block import IdentifierBlockPayload, identifier_block
from cdp.schema.mutations.identifier_link import IdentifierLinkPayload, identifier_link
from cdp.schema.mutations.identifier_unblock import IdentifierUnblockPayload, identifier_unblock
from cdp.schema.mutations.identifier_unlink import IdentifierUnlinkPayload, identifier_unlink
from cdp.schema.mutations.managing_webhooks import NEEDS
from cdp.schema.mutations.members import MemberMutation
from cdp.schema.mutations.oauth_clients import OAuthClientMutation
from cdp.schema.mutations.preferences import PreferencesMutation
from cdp.schema.mutations.review_accept import ReviewAcceptPayload, review_accept
from cdp.schema.mutations.review_assign import ReviewAssignPayload, review_assign
from cdp.schema.mutations.review_refuse import ReviewRefusePayload, review_refuse
from cdp.schema.mutations.staff import StaffMutation
from cdp.schema.mutations.statement_file_keep import StatementFileKeepPayload, statement_file_keep
from cdp.schema.mutations.statement_issue import StatementIssuePayload, statement_issue
from cdp.schema.mutations.view_as_start import ViewAsStartPayload, view_as_start
from cdp.schema.mutations.webhook_create import WebhookCreatePayload, webhook_create
from cdp.schema.mutations.webhook_delete import WebhookDeletePayload, webhook_delete
from cdp.schema.mutations.webhook_replay import WebhookReplayPayload, webhook_replay
from cdp.schema.mutations.webhook_rotate_secret import WebhookRotateSecretPayload, webhook_rotate_secret
from cdp.schema.mutations.webhook_test import WebhookTestPayload, webhook_test
from cdp.schema.mutations.webhook_update import WebhookUpdatePayload, webhook_update

__all__ = ["PAYLOADS", "Mutation"]

PAYLOADS = (
    *OF_ADMINISTRATORS,
    AnnouncementPayload,
    CasePayload,
    CustomerMergePayload,
    CustomerUnmergePayload,
    IdentifierBlockPayload,
    IdentifierLinkPayload,
    IdentifierUnblockPayload,
    IdentifierUnlinkPayload,
    ReviewAcceptPayload,
    ReviewAssignPayload,
    ReviewRefusePayload,
    FailedMessageReplayPayload,
    StatementFileKeepPayload,
    StatementIssuePayload,
    WebhookCreatePayload,
    WebhookDeletePayload,
    WebhookReplayPayload,
    WebhookRotateSecretPayload,
    WebhookTestPayload,
    WebhookUpdatePayload,
)
"""Types whose fields are compiled with the payload as their source."""


@strawberry.type(
    description="Everything that can be changed, by POST only. Mutations of one operation run one after the other."
)
class Mutation(
    AnnouncementMutation, CaseMutation, OAuthClientMutation, MemberMutation, StaffMutation, PreferencesMutation
):
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
    identifier_link: IdentifierLinkPayload | None = strawberry.field(
        resolver=identifier_link,
        description="An identifier is this customer's from now on, also if no source ever claims it; `identifierUnlink` takes it"
        " back, and it takes back that. " + NEEDS_IDENTITY,
    )
    identifier_unlink: IdentifierUnlinkPayload | None = strawberry.field(
        resolver=identifier_unlink,
        description="An identifier isn't this customer's, whichever of its profiles claim it, now or later. Who was part of the"
        " customer by it alone leaves with it. " + NEEDS_IDENTITY,
    )
    identifier_block: IdentifierBlockPayload | None = strawberry.field(
        resolver=identifier_block,
        description="A value points at nobody, whoever claims it, until `identifierUnblock`. " + NEEDS_IDENTITY,
    )
    identifier_unblock: IdentifierUnblockPayload | None = strawberry.field(
        resolver=identifier_unblock,
        description="A blocked value counts again, as if it had never been blocked. " + NEEDS_IDENTITY,
    )
    review_accept: ReviewAcceptPayload | None = strawberry.field(
        resolver=review_accept,
        description="What was found is right: two are one customer, a value is shared, a customer may grow. The same again is"
        " harmless. " + NEEDS_IDENTITY,
    )
    review_refuse: ReviewRefusePayload | None = strawberry.field(
        resolver=review_refuse,
        description="What was found is wrong, and never comes back: two are never one, a value isn't shared, a customer stays as"
        " it is. " + NEEDS_IDENTITY,
    )
    review_assign: ReviewAssignPayload | None = strawberry.field(
        resolver=review_assign,
        description="Hands a review to somebody of the staff, or to nobody in particular. " + NEEDS_IDENTITY,
    )
    statement_issue: StatementIssuePayload | None = strawberry.field(
        resolver=statement_issue,
        description="Issues a statement of account: all that stands on it is kept under a number, and later postings don't change"
        " it. For tools with ledger:read, and for members who see the ledger, of their account.",
    )
    failed_message_replay: FailedMessageReplayPayload | None = strawberry.field(
        resolver=failed_message_replay,
        description="Tells messages again that were acknowledged and could not be applied; what has landed of them already isn't"
        " doubled. Needs the scope admin.",
    )
    statement_file_keep: StatementFileKeepPayload | None = strawberry.field(
        resolver=statement_file_keep,
        description="Keeps a file of an issued statement as it was first downloaded, so that it never changes. For members who"
        " see the ledger, of their account; the extranet does it.",
    )
    view_as_start: ViewAsStartPayload | None = strawberry.field(
        resolver=view_as_start,
        description="Makes a link by which somebody of the staff sees the extranet as a client sees it: once, for half an hour,"
        " to read alone. For tools that act for them, with the scope admin; it is on record, with its reason, and the client"
        " reads it.",
    )
    webhook_create: WebhookCreatePayload | None = strawberry.field(
        resolver=webhook_create,
        description="Sends changes to an address from now on, each signed; the secret is shown once. " + NEEDS,
    )
    webhook_delete: WebhookDeletePayload | None = strawberry.field(
        resolver=webhook_delete, description="Sends nothing there any more; its deliveries are forgotten. " + NEEDS
    )
    webhook_replay: WebhookReplayPayload | None = strawberry.field(
        resolver=webhook_replay,
        description="Sends again: one delivery, or what an endpoint missed since an instant, or everything since then. The same"
        " message has the same id again. " + NEEDS,
    )
    webhook_rotate_secret: WebhookRotateSecretPayload | None = strawberry.field(
        resolver=webhook_rotate_secret,
        description="Makes a new secret, shown once; messages carry signatures of the old one too for a while. "
        + NEEDS,
    )
    webhook_test: WebhookTestPayload | None = strawberry.field(
        resolver=webhook_test,
        description="Sends a message of the kind webhook.test once, so that a receiver can be tried. " + NEEDS,
    )
    webhook_update: WebhookUpdatePayload | None = strawberry.field(
        resolver=webhook_update,
        description="Changes an endpoint's address or kinds, or enables or disables it. " + NEEDS,
    )
