"""What the demo's company announces to its clients, as staff would by `announcementCreate`."""

from typing import Final

from cdp.db.engine import connect
from cdp.interact.announcements import Announcement, publish

ANNOUNCED: Final = (
    ("Delivery notes with every order", "From this month each shipment carries its delivery note here, under the order.", None),
    ("A second account manager for you", "When yours is away, a colleague who knows your account answers your cases.", "key"),
)  # fmt: skip


def announce(database_url: str) -> None:
    """Tell it."""
    with connect(database_url, "cdp_app") as connection:
        for title, body, tier in ANNOUNCED:
            told = Announcement(
                title=title, body=body, tier=tier, account_id=None, ends_on=None, written_by="command line"
            )
            publish(connection, told)
