"""Managing endpoints: who gets which changes. In the caller's transaction; mistakes are values, and on a mistake nothing changed.

A secret is answered once, by whatever made it, and kept sealed. All of it is on the audit record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import Connection

from cdp.access.audit import Actor, record
from cdp.db.ids import format_id, time_ordered_id
from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.feed import KINDS, SUBJECTS
from cdp.settings import Settings, secret_key
from cdp.webhooks.payload import body_of_test
from cdp.webhooks.signing import new_webhook_secret, seal_webhook_secret
from cdp.webhooks.targets import Targets

MOST_ENDPOINTS: Final = 100
MOST_LIVE_SECRETS: Final = 5
LONGEST_OVERLAP_HOURS: Final = 24 * 30
USUAL_OVERLAP_HOURS: Final = 24
LONGEST_DESCRIPTION_CHARACTERS: Final = 1_000
Replayed = Literal["missed", "everything"]
_SQL: Final = load_statements("cdp.webhooks")
_FEED: Final = load_statements("cdp.feed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An endpoint, and a secret that nobody can read again."""

    endpoint_id: UUID
    secret: str


class Desk:
    """Managing endpoints as `actor`, in one transaction. Whatever the worker should see it sees when that commits."""

    def __init__(self, connection: Connection[Any], settings: Settings, *, actor: Actor) -> None:
        self._connection = connection
        self._settings = settings
        self._actor = actor

    def create(self, *, url: str, kinds: Sequence[str] = (), description: str | None = None) -> Made | Mistake:
        """An endpoint for changes from now on, with its first secret. No kinds: every kind."""
        wrong = self._wrong_url(url) or _wrong_kinds(kinds) or _wrong_description(description)
        if wrong is None and self._value("count_endpoints") >= MOST_ENDPOINTS:
            wrong = Mistake(
                code="too_many_endpoints", message=f"There are {MOST_ENDPOINTS} endpoints; delete one first."
            )
        if wrong is not None:
            return wrong
        given = {"url": url, "kinds": sorted(set(kinds)), "description": description, "actor": self._actor.actor}
        endpoint_id: UUID = self._value("create_endpoint", **given)
        self._note("webhook_created", endpoint_id)
        return Made(endpoint_id=endpoint_id, secret=self._add_secret(endpoint_id, overlap_hours=0))

    def update(
        self,
        endpoint_id: UUID,
        *,
        url: str | None = None,
        kinds: Sequence[str] | None = None,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> UUID | Mistake:
        """Change what is given. One that is enabled anew gets changes from then on; `replay` what it missed."""
        wrong = None if url is None else self._wrong_url(url)
        wrong = wrong or _wrong_kinds(kinds or ()) or _wrong_description(description)
        wrong = wrong or self._wrong_endpoint(endpoint_id)
        if wrong is not None:
            return wrong
        wanted = None if kinds is None else sorted(set(kinds))
        self._run("update_endpoint", endpoint_id=endpoint_id, url=url, kinds=wanted, description=description)
        if enabled is not None:
            self._run("enable_endpoint" if enabled else "disable_endpoint", endpoint_id=endpoint_id)
        self._note("webhook_updated", endpoint_id, enabled=enabled)
        self._run("wake")
        return endpoint_id

    def delete(self, endpoint_id: UUID) -> UUID | Mistake:
        """Delete an endpoint, its secrets at once, its deliveries by and by."""
        if self._value("delete_endpoint", endpoint_id=endpoint_id) is None:
            return _no_endpoint()
        self._note("webhook_deleted", endpoint_id)
        return endpoint_id

    def rotate_secret(self, endpoint_id: UUID, *, overlap_hours: int = USUAL_OVERLAP_HOURS) -> Made | Mistake:
        """A new secret; those before it sign beside it for so many hours more. 0: no longer."""
        wrong = self._wrong_endpoint(endpoint_id)
        if wrong is None and not 0 <= overlap_hours <= LONGEST_OVERLAP_HOURS:
            message = f"The overlap is between 0 and {LONGEST_OVERLAP_HOURS} hours."
            wrong = Mistake(code="overlap_invalid", message=message, field=("overlapHours",))
        is_full = overlap_hours > 0 and self._value("live_secrets", endpoint_id=endpoint_id) >= MOST_LIVE_SECRETS
        if wrong is None and is_full:
            message = (
                f"{MOST_LIVE_SECRETS} secrets sign already; wait until one of them ends, or rotate without overlap."
            )
            wrong = Mistake(code="too_many_secrets", message=message)
        if wrong is not None:
            return wrong
        secret = self._add_secret(endpoint_id, overlap_hours=overlap_hours)
        self._note("webhook_secret_rotated", endpoint_id, overlap_hours=overlap_hours)
        return Made(endpoint_id=endpoint_id, secret=secret)

    def replay_delivery(self, delivery_id: UUID) -> UUID | Mistake:
        """One delivery again, as if never tried, whatever became of it; the endpoint's id."""
        row = self._connection.execute(_SQL["replay_delivery"], {"delivery_id": delivery_id}).fetchone()
        if row is None:
            return Mistake(code="delivery_not_found", message="There is no such delivery.", field=("deliveryId",))
        endpoint_id: UUID = row[0]
        if row[1] != "enabled":
            return _is_disabled("deliveryId")
        self._note("webhook_replayed", endpoint_id, delivery=format_id("whd", delivery_id))
        self._run("wake")
        return endpoint_id

    def replay(self, endpoint_id: UUID, *, since: datetime, what: Replayed = "missed") -> int | Mistake:
        """All since an instant again: what was missed (died, or was never made), or everything. Dead letters that go at once.

        The worker goes through the feed for the rest, so what the feed no longer keeps and never became a delivery is lost.
        """
        wrong = self._wrong_endpoint(endpoint_id, must_be_enabled=True)
        if wrong is not None:
            return wrong
        row = self._connection.execute(_FEED["position_at"], {"since": since}).fetchone()
        transaction_id = row[0] if row else 0
        given = {"endpoint_id": endpoint_id, "since": since, "what": what, "transaction_id": transaction_id}
        self._run("request_replay", **given)
        dead: int = self._value("replay_dead", endpoint_id=endpoint_id, since=since)
        self._note("webhook_replayed", endpoint_id, since=since.isoformat(), what=what)
        self._run("wake")
        return dead

    def test(self, endpoint_id: UUID, *, now: datetime) -> UUID | Mistake:
        """A delivery of the kind `webhook.test`, sent once, also to an endpoint that is disabled; its id."""
        wrong = self._wrong_endpoint(endpoint_id)
        if wrong is not None:
            return wrong
        delivery_id = time_ordered_id()
        body = body_of_test(endpoint_id, now)
        self._run("create_test", delivery_id=delivery_id, endpoint_id=endpoint_id, now=now, body=body)
        self._run("wake")
        return delivery_id

    def _add_secret(self, endpoint_id: UUID, *, overlap_hours: int) -> str:
        secret = new_webhook_secret()
        sealed = seal_webhook_secret(secret_key(self._settings), secret)
        self._run("add_secret", endpoint_id=endpoint_id, sealed=sealed, overlap_hours=overlap_hours)
        return secret

    def _wrong_url(self, url: str) -> Mistake | None:
        targets = Targets.of(self._settings.webhook_networks, https_only=self._settings.is_production)
        problem = targets.problem(url)
        return None if problem is None else Mistake(code="url_invalid", message=f"The URL {problem}", field=("url",))

    def _wrong_endpoint(self, endpoint_id: UUID, *, must_be_enabled: bool = False) -> Mistake | None:
        state = self._value("endpoint", endpoint_id=endpoint_id)
        if state is None:
            return _no_endpoint()
        return _is_disabled("id") if must_be_enabled and state != "enabled" else None

    def _note(self, event: str, endpoint_id: UUID, **details: Any) -> None:
        record(self._connection, self._actor.did(event, format_id("whe", endpoint_id), **details))

    def _run(self, statement: str, **given: Any) -> None:
        self._connection.execute(_SQL[statement], given)

    def _value(self, statement: str, **given: Any) -> Any:
        row = self._connection.execute(_SQL[statement], given).fetchone()
        return None if row is None else row[0]


def _wrong_kinds(kinds: Sequence[str]) -> Mistake | None:
    known = KINDS | {f"{subject}.*" for subject in SUBJECTS}
    for place, kind in enumerate(kinds):
        if kind not in known:
            message = "Kinds are such as order.placed, or order.* for all about orders; docs/webhooks.md lists them."
            return Mistake(code="kind_unknown", message=message, field=("kinds", str(place)))
    return None


def _wrong_description(description: str | None) -> Mistake | None:
    if description is None or (len(description) <= LONGEST_DESCRIPTION_CHARACTERS and "\0" not in description):
        return None
    message = f"At most {LONGEST_DESCRIPTION_CHARACTERS:,} characters, none of them U+0000."
    return Mistake(code="text_invalid", message=message, field=("description",))


def _no_endpoint() -> Mistake:
    return Mistake(code="endpoint_not_found", message="There is no such endpoint.", field=("id",))


def _is_disabled(field: str) -> Mistake:
    message = "The endpoint is disabled; enable it first, then replay what it missed."
    return Mistake(code="endpoint_disabled", message=message, field=(field,))
