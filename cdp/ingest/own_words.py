"""What a visitor may hear of themselves: of what their source was told under the identifier that their token proves. Pure.

Nothing here comes through the graph. A page's write key is public, so whoever reads it can claim to be anybody; a claim may
decide whose customer a visitor is, and must not decide what a visitor is shown.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cdp.errors import CdpError
from cdp.events.queries import InboxMessage
from cdp.identify.claims import ClaimDraft
from cdp.identify.rules import DEFAULT_RULES
from cdp.ingest.reading import SourceTold, read_message

NAME_PARTS: Final = (("firstName", "lastName"), ("first_name", "last_name"))

Stated = Mapping[str, tuple[datetime, str, Any]]
"""By trait: when it was stated, in which message, and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWords:
    """`known`: the visitor said who they are. `name` and `traits`: of what they said, what the source lets them be told."""

    known: bool
    traits: Mapping[str, Any]

    @property
    def name(self) -> str | None:
        """The name, whole or of its parts; None where none may be told."""
        whole = self.traits.get("name")
        if isinstance(whole, str) and whole.strip():
            return whole.strip()
        for names in NAME_PARTS:
            parts = [self.traits[each] for each in names if isinstance(self.traits.get(each), str)]
            if joined := " ".join(part.strip() for part in parts if part.strip()):
                return joined
        return None


def of_visitor(messages: Sequence[InboxMessage], source: SourceTold, *, allowed: Collection[str]) -> OwnWords:
    """Of messages under one anonymous id: who was named last, and what was said of that one, the newest by event time.

    On a device that two people use, one hears nothing of the other.
    """
    drafts = _drafts(messages, source)
    if not drafts:
        return OwnWords(known=False, traits={})
    person = _key(max(drafts, key=_order))
    same = [draft for draft in drafts if _key(draft) == person]
    return OwnWords(known=any(map(_tells, same)), traits=_newest(same, {}, allowed))


def of_user(
    stated: Stated, waiting: Sequence[InboxMessage], source: SourceTold, *, known: bool, allowed: Collection[str]
) -> OwnWords:
    """Of a user vouched for: what is stitched under the user id, and what waits."""
    return OwnWords(known=known, traits=_newest(_drafts(waiting, source), stated, allowed))


def _newest(drafts: Sequence[ClaimDraft], stated: Stated, allowed: Collection[str]) -> dict[str, Any]:
    newest = dict(stated)
    for draft in drafts:
        for trait, value in draft.traits.items():
            held = newest.get(trait)
            if held is None or (draft.at, draft.message_id) > held[:2]:
                newest[trait] = draft.at, draft.message_id, value
    return {trait: newest[trait][2] for trait in sorted(newest) if trait in allowed and newest[trait][2] is not None}


def _drafts(messages: Sequence[InboxMessage], source: SourceTold) -> list[ClaimDraft]:
    drafts = []
    for message in messages:
        try:
            drafts.append(read_message(message, source).drafts[0])
        except CdpError:
            continue  # the stitcher tells why; it says nothing of anybody
    return drafts


def _key(draft: ClaimDraft) -> tuple[str, str]:
    return draft.namespace, draft.value


def _order(draft: ClaimDraft) -> tuple[datetime, str]:
    return draft.at, draft.message_id


def _tells(draft: ClaimDraft) -> bool:
    return any(namespace not in DEFAULT_RULES.device_namespaces for namespace, _ in draft.identifiers)
