"""The examples in `docs/webhooks.md` have the details that rooms really tell, kind by kind."""

import re
from pathlib import Path
from uuid import UUID

import orjson

from cdp.feed import KINDS, Change
from cdp.feed.kinds import ANNOUNCED
from cdp.ledger import telling
from tests.feed.conftest import World, person

DOCUMENT = (Path(__file__).parents[2] / "docs/webhooks.md").read_text(encoding="utf-8")
ONE, TWO, THREE, FOUR = (UUID(int=number) for number in range(1, 5))


def of_the_ledger() -> list[Change]:
    placed = telling.PutOrder(ONE, TWO, THREE, "placed", is_new=True)
    settled = telling.SettledOrder(ONE, TWO, THREE, "placed", "shipped")
    shipment = telling.PutShipment(ONE, FOUR, TWO, THREE, "shipped", is_new=True)
    return [
        *telling.order_changes([placed], [], []),
        *telling.order_changes([], [telling.RelinedOrder(ONE, TWO, THREE)], [settled]),
        *telling.shipment_changes([shipment, shipment._replace(is_new=False)]),
        *telling.account_changes([telling.PutAccount(ONE, THREE, is_new=True)]),
        *telling.moved_account_changes([(THREE, ONE, TWO)]),
        *telling.entry_changes([{"customer_id": ONE, "account_id": THREE, "entry_id": TWO}]),
    ]


def test_the_details_shown_are_those_told(world: World) -> None:
    world.tell(person("ana", name="Ana"))
    world.tell({"type": "page", "anonymousId": "a1"})
    world.tell({**person("ana", name="Ana Ruiz", phone="+34612345678"), "timestamp": "2026-03-02T10:00:00Z"})
    world.tell(
        {"type": "identify", "userId": "ana", "anonymousId": "a1", "timestamp": "2026-03-02T10:00:00Z"},
    )
    world.tell({"type": "identify", "userId": "u0", "anonymousId": "a1", "timestamp": "2026-03-01T12:00:00Z"})
    told = {kind: set(data) for kind, data in world.rows("SELECT kind, data FROM change")}
    told |= {one.kind: set(one.data) for one in of_the_ledger()}
    (block,) = re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    shown = {one["type"]: set(one["data"]["details"]) for one in map(orjson.loads, block.splitlines())}
    assert set(told) == KINDS - ANNOUNCED
    assert {kind: shown[kind] for kind in told} == told
