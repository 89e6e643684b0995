"""Messages at the door: a request's bytes become accepted messages, as they are stored, and rejections with their
reasons.

A message is stored as received: its fields' JSON text is kept byte for byte (`msgspec.Raw`), so no number loses a
digit; only what the batch says for all of its messages is merged in. Source: `tracking-api.md` and Segment's HTTP
tracking API.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from cdp.db.ids import time_ordered_id
from cdp.errors import CdpError, Invalid, TooLarge
from cdp.events.queries import Arrival
from cdp.events.waiting import fingerprint, fingerprint_of_email

MessageType = Literal["identify", "track", "page", "screen", "group", "alias"]

MESSAGE_TYPES: Final[frozenset[str]] = frozenset({"identify", "track", "page", "screen", "group", "alias"})
LARGEST_MESSAGE_BYTES: Final = 32 * 1024
LARGEST_BATCH_BYTES: Final = 500 * 1024
MOST_MESSAGES: Final = 2_500
LONGEST_MESSAGE_ID_CHARACTERS: Final = 100
LONGEST_ID_CHARACTERS: Final = 255
DEEPEST_NESTING: Final = 64
"""No tracking plan nests this deep; PostgreSQL and every reader stay far from their own limits."""


class MalformedJson(Invalid):
    """The body is not a JSON object."""


class TooManyMessages(CdpError):
    """The batch has more than {limit} messages."""

    http_status = 413

    limit: int


class Told(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """The fields of a message, of every type; ids that are numbers are read as text."""

    type: str | None = None
    message_id: str | int | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    event: str | None = None
    name: str | None = None
    category: str | None = None
    traits: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A message ready for the inbox: `body` is JSON in UTF-8, `sender` what its order is kept by.

    `visitor`: the anonymous id beside a user id; `mailbox`: the e-mail address it tells, as given; `introduces`: the anonymous
    id whose person an `identify` names.
    """

    index: int
    message_id: str
    sender: str
    body: bytes
    visitor: str | None = None
    mailbox: str | None = None
    introduces: str | None = None

    def arrival(self, lanes: int) -> Arrival:
        """As the inbox takes it."""
        sender = fingerprint(self.sender)
        return Arrival(
            self.message_id,
            sender % lanes,
            self.body,
            sender,
            fingerprint(self.visitor) if self.visitor else None,
            fingerprint_of_email(self.mailbox) if self.mailbox else None,
            fingerprint(self.introduces) if self.introduces else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A message refused, by its place in the batch; the message quotes nothing of it."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request's messages, not yet judged. `write_key`: the one in the body. `shared`: what the batch says for all."""

    items: tuple[bytes, ...]
    write_key: str | None
    type: MessageType | None
    shared: Mapping[str, bytes]


class _Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[][{}]")
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_TOLD: Final = msgspec.json.Decoder(Told)


def read_request(body: bytes, only: MessageType | None) -> Request:
    """Take a request's body apart; `only` is the endpoint's type, None for a batch.

    Raises MalformedJson, TooLarge, TooManyMessages, InvalidField.
    """
    limit = LARGEST_BATCH_BYTES if only is None else LARGEST_MESSAGE_BYTES
    if len(body) > limit:
        raise TooLarge(limit_bytes=limit)
    fields = _object(body)
    write_key = _text(fields.pop("writeKey", None))
    if only is not None:
        return Request(items=(_encode(fields),), write_key=write_key, type=only, shared={})
    if "batch" not in fields:
        raise MissingBatch
    try:
        items = _ITEMS.decode(fields["batch"])
    except msgspec.DecodeError:
        raise MissingBatch from None
    if len(items) > MOST_MESSAGES:
        raise TooManyMessages(limit=MOST_MESSAGES)
    shared = {name: bytes(text) for name, text in fields.items() if name in {"context", "integrations", "sentAt"}}
    return Request(items=tuple(bytes(item) for item in items), write_key=write_key, type=None, shared=shared)


class MissingBatch(Invalid):
    """A batch needs `batch`, a list of messages."""


def judge(request: Request) -> tuple[list[Accepted], list[Rejected]]:
    """Which messages are accepted, and which rejected and why; the order is the batch's."""
    accepted: list[Accepted] = []
    rejected: list[Rejected] = []
    alike: Counter[bytes] = Counter()
    for index, item in enumerate(request.items):
        try:
            accepted.append(_accept(index, item, request, alike))
        except _Refused as refused:
            rejected.append(Rejected(index=index, code=refused.code, message=refused.message))
    return accepted, rejected


def parse_time(text: str) -> datetime:
    """An ISO 8601 instant, UTC where no offset is given. Raises ValueError."""
    try:
        parsed = datetime.fromisoformat(text.strip())
        if parsed.tzinfo is UTC:
            return parsed
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(text) from None


def as_id(value: str | int | None) -> str | None:
    """An id as text, trimmed; None when it is absent or blank."""
    if value is None:
        return None
    return str(value).strip() or None


def _accept(index: int, item: bytes, request: Request, alike: Counter[bytes]) -> Accepted:
    if len(item) > LARGEST_MESSAGE_BYTES:
        raise _Refused("message_too_large", f"A message may have {LARGEST_MESSAGE_BYTES} bytes.")
    told = _told(item)
    kind = request.type or told.type
    if kind not in MESSAGE_TYPES:
        raise _Refused("unknown_type", "`type` must be identify, track, page, screen, group or alias.")
    _check(kind, told)
    fields = _FIELDS.decode(item)
    fields.pop("writeKey", None)
    message_id = as_id(told.message_id)
    if message_id is None:
        message_id = _assigned_id(item, told, alike)
        fields["messageId"] = _raw(message_id)
    fields["type"] = _raw(kind)
    for name, text in request.shared.items():
        fields[name] = msgspec.Raw(_merged(text, fields.get(name)))
    user, anonymous = as_id(told.user_id), as_id(told.anonymous_id)
    return Accepted(
        index=index,
        message_id=message_id,
        sender=user or anonymous or "",
        body=_encode(fields),
        visitor=anonymous if user else None,
        mailbox=_mailbox(kind, told),
        introduces=anonymous if kind == "identify" else None,
    )


def _mailbox(kind: str, told: Told) -> str | None:
    """The e-mail address that the message tells of the person who acts."""
    traits = told.context.get("traits") if told.context else None
    for stated in (told.traits if kind == "identify" else None, traits):
        address = stated.get("email") if isinstance(stated, dict) else None
        if isinstance(address, str):
            return address
    return None


def _told(item: bytes) -> Told:
    # Counting brackets is cheap and an upper bound of the depth; only a suspicious message is measured.
    if item.count(b"{") + item.count(b"[") > DEEPEST_NESTING and _depth(item) > DEEPEST_NESTING:
        raise _Refused("too_deep", f"A message may nest {DEEPEST_NESTING} levels deep.")
    try:
        return _TOLD.decode(item)
    except msgspec.ValidationError as error:
        raise _Refused("wrong_type", f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _Refused("malformed", "The message is not valid JSON in UTF-8.") from None


def _check(kind: str, told: Told) -> None:
    _check_ids(told)
    _check_times(told)
    user, anonymous = as_id(told.user_id), as_id(told.anonymous_id)
    if kind == "alias" and not (user and as_id(told.previous_id)):
        raise _Refused("missing_id", "alias needs `userId` and `previousId`.")
    if not (user or anonymous):
        raise _Refused("missing_id", f"{kind} needs `userId` or `anonymousId`.")
    if kind == "group" and not as_id(told.group_id):
        raise _Refused("missing_id", "group needs `groupId`.")
    if kind == "track" and not (told.event or "").strip():
        raise _Refused("missing_event", "track needs `event`.")


def _check_ids(told: Told) -> None:
    for name in ("message_id", "user_id", "anonymous_id", "previous_id", "group_id"):
        value = getattr(told, name)
        longest = LONGEST_MESSAGE_ID_CHARACTERS if name == "message_id" else LONGEST_ID_CHARACTERS
        if isinstance(value, str) and (len(value) > longest or "\x00" in value):
            camel = name.split("_", maxsplit=1)[0] + "Id"
            raise _Refused("invalid_id", f"`{camel}` may have {longest} characters, none of them NUL.")


def _check_times(told: Told) -> None:
    for name, text in (("timestamp", told.timestamp), ("originalTimestamp", told.original_timestamp)):
        if text is not None:
            try:
                parse_time(text)
            except ValueError:
                raise _Refused("invalid_timestamp", f"`{name}` must be an ISO 8601 date and time.") from None


def _assigned_id(item: bytes, told: Told, alike: Counter[bytes]) -> str:
    """An id for a message without one. With a time of its own the id follows from the content, so that a retry is
    one.
    """
    if told.timestamp is None and told.original_timestamp is None:
        return f"assigned-{time_ordered_id().hex}"
    digest = hashlib.blake2b(item, digest_size=16).digest()
    alike[digest] += 1
    return f"assigned-{digest.hex()}-{alike[digest]}"


def _merged(shared: bytes, own: msgspec.Raw | None) -> bytes:
    """A batch-level object under the message's own: the message's fields win."""
    if own is None or bytes(own) == b"null":
        return shared
    try:
        return _encode({**_FIELDS.decode(shared), **_FIELDS.decode(own)})
    except msgspec.DecodeError:
        return bytes(own)


def _object(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    # Python's own json writes NaN, and a lone surrogate spoils the whole batch for a strict reader. Read leniently,
    # write each message anew: what JSON cannot say is then refused with its message, and the others are kept.
    try:
        parsed = json.loads(body, parse_constant=_NotJson)
    except (ValueError, RecursionError):
        raise MalformedJson from None
    if not isinstance(parsed, dict):
        raise MalformedJson
    batch = parsed.pop("batch", None)
    fields = {name: _lenient(value) for name, value in parsed.items()}
    if isinstance(batch, list):
        fields["batch"] = msgspec.Raw(b"[" + b",".join(bytes(_lenient(item)) for item in batch) + b"]")
    return fields


class _NotJson:
    def __init__(self, constant: str) -> None:
        self.constant = constant


def _lenient(value: Any) -> msgspec.Raw:
    try:
        return msgspec.Raw(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, TypeError, RecursionError):
        return msgspec.Raw(b'"not JSON"')


def _depth(item: bytes) -> int:
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", item)):
        depth += 1 if bracket in b"{[" else -1
        deepest = max(deepest, depth)
    return deepest


def _text(raw: msgspec.Raw | None) -> str | None:
    try:
        return _TEXT.decode(raw) if raw is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(text))


def _encode(fields: Mapping[str, msgspec.Raw]) -> bytes:
    return msgspec.json.encode(fields)
