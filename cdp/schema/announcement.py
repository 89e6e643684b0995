"""Announcements in the contract: what clients are told on their home pages."""

from datetime import date, datetime

import strawberry

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, scalar
from cdp.interact.tables import announcement
from cdp.resolvers import announcement as resolvers
from cdp.schema.base import graph, node_id


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=announcement,
    key=("announcement_id",),
    order=(by("published_at", descending=True),),
    visible=resolvers.is_for_account,
)
class Announcement:
    """Something the company tells clients: all, a tier, or one account. Default order: latest first."""

    id: strawberry.ID = node_id("ann", "announcement_id")
    title: str = scalar("title", "In a few words.")
    body: str = scalar("body", "In full; lines apart are paragraphs.")
    published_at: datetime = scalar("published_at", "Since when it is told.")
    ends_on: date | None = scalar("ends_on", "Last day it is told; null: until it is withdrawn.")
    account_id: strawberry.ID | None = scalar(resolvers.account_id, "The account it is for; null: for all.")
