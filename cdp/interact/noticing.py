"""The worker's side of notices: finds what is to be told, writes letters in their readers' languages, and sends them.

No transaction is open while the mail server takes its time: notices are claimed, sent, and settled. A worker that is killed
between sending and settling sends again when its claim runs out, under the same Message-ID, so that a mailbox can tell. Several
notices of one kind that are due to one reader become one letter.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import structlog
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency
from psycopg import Connection

from cdp.access.unsubscribing import unsubscribe_url
from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.interact.notices import ROLES, STATEMENTS, Claimed, Outcome, claim, plan, plan_due, settle
from cdp.interact.preferences import letter_choices
from cdp.languages import formats_of, language_of
from cdp.mail import Letter, LetterRefused, Letters, MailUnavailable, NoMailServer, send_now, sends
from cdp.settings import Settings

LETTERS: Final = Letters("cdp.interact")
LEASE: Final = timedelta(minutes=10)
MOST_AT_ONCE: Final = 200
MOST_ATTEMPTS: Final = 20
LONGEST_REST_MINUTES: Final = 60
POLL_SECONDS: Final = 5.0
DUE_EVERY: Final = timedelta(hours=1)
_log = structlog.stdlib.get_logger("cdp.notices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whom a letter goes to. `later`: not before then, by what they chose meanwhile; None: now. `sites`: those that they are
    limited to; None: they aren't.
    """

    email: str
    name: str
    locale: str
    time_zone: str
    later: datetime | None = None
    sites: Sequence[str] | None = None

    def sees(self, item: Mapping[str, Any]) -> bool:
        """Whether what is told of is still there for them."""
        if self.sites is None:
            return True
        return not item["of_ledger"] and (not item["of_order"] or item["site"] in self.sites)


def run_notices(
    settings: Settings,
    stop: threading.Event,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Tell people until `stop` is set. Survives a database and a mail server that go away. In production without a mail server
    there are no notices.
    """
    if settings.database_url is None:
        raise AssertionError("notices are sent from a database")
    if settings.is_production and not sends(settings):
        _log.info("no letters are sent: CDP_SMTP_URL is not set")
        stop.wait()
        return
    due_at = datetime.min.replace(tzinfo=UTC)
    while not stop.is_set():
        try:
            with connect(settings.database_url, "cdp_app", autocommit=True) as connection:
                while not stop.is_set():
                    if now() >= due_at:
                        _look_for_due(connection, settings, now())
                        due_at = now() + DUE_EVERY
                    if not run_round(connection, settings, now=now()):
                        stop.wait(poll_seconds)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            _log.warning("database away", reason=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))
            stop.wait(poll_seconds)
        except Exception:  # noqa: BLE001 — one bad round must not end the telling for good
            _log.exception("round failed")
            stop.wait(poll_seconds)


def run_round(connection: Connection[Any], settings: Settings, *, now: datetime) -> bool:
    """Find what is new, and send what is due. Whether there may be more at once. `connection` commits by itself."""
    more = plan(connection, now=now, today=_today(settings, now))
    claimed = claim(connection, now=now, lease=LEASE, most=MOST_AT_ONCE)
    if claimed:
        _send(connection, settings, claimed, now=now)
    return more or len(claimed) == MOST_AT_ONCE


def run_due(connection: Connection[Any], settings: Settings, *, now: datetime) -> None:
    """Find invoices that fall due soon; `run_round` sends."""
    _look_for_due(connection, settings, now)


def _look_for_due(connection: Connection[Any], settings: Settings, now: datetime) -> None:
    plan_due(connection, now=now, today=_today(settings, now))


def _today(settings: Settings, now: datetime) -> date:
    """The seller's date."""
    return now.astimezone(ZoneInfo(settings.seller_time_zone)).date()


def _send(connection: Connection[Any], settings: Settings, claimed: Sequence[Claimed], *, now: datetime) -> None:
    readers = _readers(connection, claimed, now=now)
    items = _items(connection, claimed, settings, now=now)

    def bundle(one: Claimed) -> tuple[str, str, str, str]:
        return one.recipient, one.recipient_id.hex, one.kind, one.account_id.hex

    for _key, notices in groupby(sorted(claimed, key=bundle), bundle):
        together = list(notices)
        first = together[0]
        reader = readers.get((first.recipient_id, first.account_id, first.topic))
        known = [
            one
            for one in together
            if (item := items.get((one.kind, one.subject_id))) is not None and (reader is None or reader.sees(item))
        ]
        outcomes = [
            Outcome(notice_id=one.notice_id, state="withheld", problem="over") for one in together if one not in known
        ]
        if reader is None:
            outcomes = [Outcome(notice_id=one.notice_id, state="withheld", problem="not_wanted") for one in together]
        elif reader.later is not None:
            outcomes += [Outcome(notice_id=one.notice_id, state="waiting", send_at=reader.later) for one in known]
        elif known:
            letter = _letter(settings, known, reader, [items[one.kind, one.subject_id] for one in known])
            outcomes += _sent(settings, letter, known, now=now)
        settle(connection, outcomes, now=now)


def _sent(settings: Settings, letter: Letter, notices: Sequence[Claimed], *, now: datetime) -> list[Outcome]:
    try:
        send_now(letter, settings)
    except LetterRefused as error:
        return [Outcome(notice_id=one.notice_id, state="failed", problem=error.message) for one in notices]
    except (MailUnavailable, NoMailServer) as error:
        outcomes = []
        for one in notices:
            rest = timedelta(minutes=min(2 ** min(one.attempts, 10), LONGEST_REST_MINUTES))
            is_over = one.attempts >= MOST_ATTEMPTS
            state, again = ("failed", None) if is_over else ("waiting", now + rest)
            outcomes.append(Outcome(notice_id=one.notice_id, state=state, problem=error.code, send_at=again))
        return outcomes
    return [Outcome(notice_id=one.notice_id, state="sent") for one in notices]


def _readers(
    connection: Connection[Any], claimed: Sequence[Claimed], *, now: datetime
) -> Mapping[tuple[UUID, UUID, str], Reader]:
    """Who still is to be told, by recipient, account and topic, as they chose by now."""
    members = [one for one in claimed if one.recipient == "member"]
    choices = letter_choices(connection, {(one.recipient_id, one.topic) for one in members})
    pairs = {"members": [one.recipient_id for one in members], "accounts": [one.account_id for one in members]}
    belong = {
        (member, account): (role, sites)
        for member, account, role, sites in connection.execute(STATEMENTS["still_may"], pairs)
    }
    found: dict[tuple[UUID, UUID, str], Reader] = {}
    for one in members:
        choice = choices.get((one.recipient_id, one.topic))
        send_at = choice.send_at(now) if choice else None
        role, sites = belong.get((one.recipient_id, one.account_id), (None, None))
        if choice is None or send_at is None or role not in ROLES[one.kind]:
            continue
        # What was collected goes at the hour it was collected for; only a pause that began meanwhile puts it off.
        is_paused = (
            choice.paused_until is not None and choice.paused_until > now.astimezone(ZoneInfo(choice.time_zone)).date()
        )
        found[one.recipient_id, one.account_id, one.topic] = Reader(
            email=choice.email,
            name=choice.name,
            locale=choice.locale,
            time_zone=choice.time_zone,
            later=send_at if is_paused else None,
            sites=sites,
        )
    staff = {one.recipient_id for one in claimed if one.recipient == "staff"}
    known = {row[0]: row[1:] for row in connection.execute(STATEMENTS["staff"], {"ids": list(staff)})}
    for one in claimed:
        if one.recipient == "staff" and one.recipient_id in known:
            email, name = known[one.recipient_id]
            found[one.recipient_id, one.account_id, one.topic] = Reader(
                email=email, name=name, locale="en", time_zone="UTC"
            )
    return found


def _items(
    connection: Connection[Any], claimed: Sequence[Claimed], settings: Settings, *, now: datetime
) -> Mapping[tuple[str, UUID], Mapping[str, Any]]:
    """What is told of, by kind and subject, one statement a kind; what there is nothing to tell of any more is left out."""

    def ids(*kinds: str) -> list[UUID]:
        return [one.subject_id for one in claimed if one.kind in kinds]

    site = settings.extranet_url
    today = _today(settings, now)
    found: dict[tuple[str, UUID], Mapping[str, Any]] = {}
    for entry, number, due_on, currency, amount, reference, account in connection.execute(
        STATEMENTS["invoices"], {"ids": ids("invoice_due"), "today": today}
    ):
        found["invoice_due", entry] = {
            "number": number, "due_on": due_on, "currency": currency, "amount": amount, "reference": reference,
            "account": account, "link": f"{site}/invoices/{format_id('ent', entry)}",
            "of_ledger": True, "of_order": False,
        }  # fmt: skip
    for shipment, order, number, reference, carrier, promised, account, location in connection.execute(
        STATEMENTS["shipments"], {"ids": ids("order_shipped")}
    ):
        found["order_shipped", shipment] = {
            "number": number, "reference": reference, "carrier": carrier, "promised_on": promised, "account": account,
            "link": f"{site}/orders/{format_id('ord', order)}", "of_ledger": False, "of_order": True, "site": location,
        }  # fmt: skip
    for (
        message,
        case,
        number,
        subject,
        event,
        author,
        respond_by,
        account,
        client,
        of_ledger,
        of_order,
        location,
    ) in connection.execute(STATEMENTS["messages"], {"ids": ids("case_answered", "case_waiting")}):
        told = {
            "number": number, "subject": " ".join(subject.split()), "is_closed": event == "closed", "author": author,
            "respond_by": respond_by, "account": account, "client": client, "id": format_id("cas", case),
            "link": f"{site}/cases/{format_id('cas', case)}", "of_ledger": of_ledger, "of_order": of_order, "site": location,
        }  # fmt: skip
        found["case_answered", message] = found["case_waiting", message] = told
    return found


def _letter(
    settings: Settings, notices: Sequence[Claimed], reader: Reader, items: Sequence[Mapping[str, Any]]
) -> Letter:
    first = notices[0]
    locale = formats_of(reader.locale).replace("-", "_")
    zone = ZoneInfo(reader.time_zone)
    is_member = first.recipient == "member"
    return LETTERS.write(
        first.kind,
        to=reader.email,
        settings=settings,
        language=language_of(reader.locale),
        unsubscribe_url=(
            unsubscribe_url(settings, member_id=first.recipient_id, topic=first.topic) if is_member else None
        ),
        about=" ".join(sorted(one.notice_id.hex for one in notices)),
        name=reader.name,
        items=items,
        preferences=f"{settings.extranet_url}/preferences",
        money=lambda amount, currency: format_currency(amount, currency, locale=locale),
        day=lambda day: format_date(day, "long", locale=locale),
        instant=lambda at: format_datetime(at, "medium", tzinfo=zone, locale=locale),
    )
