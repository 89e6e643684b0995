"""The change feed: what changed in the graph, appended by the rooms above in the transaction of the change, read by cursor."""

from cdp.feed.changes import Change, append
from cdp.feed.cursor import BEGINNING, CursorExpired, CursorInvalid, Position
from cdp.feed.following import ChangeFeed, Follower, open_feed
from cdp.feed.kinds import KINDS, SUBJECTS
from cdp.feed.pruning import prune_changes
from cdp.feed.reading import Recorded

__all__ = [
    "BEGINNING",
    "KINDS",
    "SUBJECTS",
    "Change",
    "ChangeFeed",
    "CursorExpired",
    "CursorInvalid",
    "Follower",
    "Position",
    "Recorded",
    "append",
    "open_feed",
    "prune_changes",
]
