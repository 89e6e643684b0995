"""Structured logs that cannot carry personal data: the last step lets through only what is known to be safe.

Ours and every library's records take one way: keys outside an allow-list are dropped and counted, nested values are
replaced by their size, an exception is told by type, code and frames but not by its message, and what is left is
searched for e-mails, phone numbers, tokens and credentials. JSON in production, key=value for people in development.
`RequestLog` writes one line per request with the route's template in place of path and query.
"""

import logging
import re
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import orjson
import structlog
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor, WrappedLogger

from cdp.settings import Settings

# What a record may hold besides its event. A new key is a decision: can a person ever stand in its value?
ALLOWED_KEYS: Final = frozenset({
    "event", "level", "timestamp", "logger", "dropped", "exception",
    "request_id", "method", "route", "status", "duration_ms", "bytes",
    "code", "stage", "kind", "reason", "problem", "variable", "operation", "statement", "sqlstate", "constraint",
    "accepted", "rejected", "failed", "stored", "duplicates", "merged", "count", "rows", "remaining", "attempt",
    "source", "job", "task", "queue", "scope", "role", "setting", "table", "version", "revision",
    "host", "port", "pid", "signal", "seconds",
    "account_id", "batch_id", "change_id", "client_id", "customer_id", "endpoint_id", "job_id", "member_id", "merge_id",
    "message_id", "order_id", "profile_id", "source_id",
})  # fmt: skip

# Libraries whose messages are about themselves. From any other, only numbers survive as a message's arguments.
TRUSTED_LOGGERS: Final = ("cdp", "extranet", "uvicorn", "alembic")
# Libraries that tell each request at INFO.
TALKATIVE_LOGGERS: Final = (
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "procrastinate",
    "multipart",
    "python_multipart",
)

_SAFE_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_SAFE_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_SENSITIVE: Final = (
    (re.compile(r"(?<=://)[^/\s@]+@"), "[credentials]@"),
    (re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+"), r"\1?[query]"),
    (re.compile(r"\b(Bearer|Basic)\s+[^\s'\",]+", re.IGNORECASE), r"\1 [token]"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(\.[\w-]*)*"), "[token]"),
    (re.compile(r"[^\s@<>\"'=:,;()\[\]{}]+(?:@|%40)[^\s@<>\"'=:,;()\[\]{}]+\.\w+"), "[email]"),
    (re.compile(r"(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)(?<![\w-])[\w-]{32,}"), "[token]"),
    (re.compile(r"\b[0-9a-f]{40,}\b"), "[token]"),
    (re.compile(r"(?<![\w.-])(?:\+|00)?\d(?:[\s().-]{0,2}\d){7,}(?![\w-])"), "[number]"),
)

SWITCHED: Final = 101  # a websocket that was accepted; one that was refused counts as 403

Observer = Callable[[str, str, int, float], None]
"""Told of each answered request: method, route template, status, seconds."""


def configure(settings: Settings) -> None:
    """Send every log record of this process, ours and the libraries', through the safe chain to standard error."""
    tell_messages = settings.log_level == "debug" and not settings.is_production
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and settings.is_production)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=lambda event, **_: orjson.dumps(event, default=str).decode())
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, tame_foreign],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                ExceptionsByFrame(with_messages=tell_messages),
                keep_allowed,
                redact,
                renderer,
            ],
            # Foreign records keep their arguments apart from the message until `tame_foreign` has seen them.
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "procrastinate"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)  # whatever configured it before, the root's level counts
        logger.propagate = name != "uvicorn.access"  # it holds queries; RequestLog stands in its place
    for name in TALKATIVE_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def keep_allowed(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop keys outside the allow-list (`dropped` says how many) and replace nested values by their size."""
    kept: EventDict = {}
    for key, value in event.items():
        if key not in ALLOWED_KEYS:
            continue
        if value is None or isinstance(value, str | bool | int | float):
            kept[key] = value
        elif isinstance(value, dict | list | tuple | set | frozenset):
            kept[key] = f"{type(value).__name__}({len(value)})"
        else:
            kept[key] = str(value)
    if len(kept) < len(event):
        kept["dropped"] = len(event) - len(kept)
    return kept


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what looks like personal data or a secret; a key that promises an id may hold nothing but one."""
    for key, value in event.items():
        if not isinstance(value, str) or key in {"timestamp", "level", "logger"}:
            continue
        if key.endswith("_id"):
            event[key] = value if _SAFE_ID.fullmatch(value) else "[redacted]"
        else:
            event[key] = scrub(value)
    return event


def scrub(text: str) -> str:
    """`text` with e-mails, phone numbers, card numbers, tokens, credentials and query strings replaced."""
    for pattern, replacement in _SENSITIVE:
        text = pattern.sub(replacement, text)
    return text


def tame_foreign(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A library's message: its first line, and of its arguments only numbers unless the library is trusted."""
    arguments: Any = event.pop("positional_args", None)
    name = str(event.get("logger", ""))
    template = str(event["event"])
    if arguments:
        trusted = name.split(".", 1)[0] in TRUSTED_LOGGERS
        safe = tuple(value if trusted or isinstance(value, int | float) else "…" for value in _positional(arguments))
        try:
            template = template % safe
        except (TypeError, ValueError):
            template = template.split("%", 1)[0] + "…"
    if template.startswith("Traceback "):
        # An application that fails while it starts reaches Uvicorn as the text of its traceback.
        event["event"] = "failed"
        event["exception"] = "\n".join(_told_by_frame(template))
        return event
    event["event"] = template.split("\n", 1)[0]
    return event


class ExceptionsByFrame:
    """Tell an exception by type, code and frames. Its message stays out: it may quote what the customer sent.

    `with_messages` (development at level debug) adds messages, which are then redacted like any text.
    """

    def __init__(self, *, with_messages: bool) -> None:
        self._with_messages = with_messages

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Replace `exc_info` by `exception`, lines of text."""
        error = event.pop("exc_info", None)
        event.pop("stack_info", None)
        if error is True:
            error = sys.exc_info()
        if isinstance(error, tuple):
            error = error[1]
        if isinstance(error, BaseException):
            event["exception"] = "\n".join(self._tell(error))
        return event

    def _tell(self, error: BaseException, depth: int = 0) -> Iterator[str]:
        most_links = 8
        marks = [
            str(mark)
            for mark in (
                getattr(error, "code", None),
                getattr(error, "sqlstate", None),
                getattr(getattr(error, "diag", None), "constraint_name", None),
            )
            if isinstance(mark, str | int)
        ]
        told = f": {error}" if self._with_messages else ""
        yield (
            f"{type(error).__module__}.{type(error).__qualname__}" + (f" [{', '.join(marks)}]" if marks else "") + told
        )
        traceback = error.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            yield f"  {frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno} in {frame.f_code.co_name}"
            traceback = traceback.tb_next
        inner: Iterable[BaseException | None] = [
            error.__cause__ or (None if error.__suppress_context__ else error.__context__),
            *(error.exceptions if isinstance(error, BaseExceptionGroup) else ()),
        ]
        for cause in inner:
            if cause is not None and depth < most_links:
                yield "because of"
                yield from self._tell(cause, depth + 1)


class RequestLog:
    """ASGI middleware, inside Starlette's stack: one line per request, a request id in every line and in the answer.

    The id is the caller's `X-Request-ID` when it is an id, else a new one. Path and query never reach the log.
    """

    def __init__(self, app: ASGIApp, *, observe: Observer | None = None) -> None:
        self._app = app
        self._observe = observe
        self._log = structlog.stdlib.get_logger("cdp.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the inner application does, and tell it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        route = route_template(scope)
        status, sent, began = 500, 0, time.perf_counter()

        async def send_marked(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", request_id.encode())]}
            elif message["type"] == "http.response.body":
                sent += len(message.get("body", b""))
            elif message["type"] == "websocket.accept":
                status = SWITCHED
            elif message["type"] == "websocket.close" and status != SWITCHED:
                status = 403
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        finally:
            seconds = time.perf_counter() - began
            method = scope.get("method", "WEBSOCKET")
            if self._observe is not None:
                self._observe(method, route, status, seconds)
            self._log.info(
                "answered",
                method=method,
                route=route,
                status=status,
                bytes=sent,
                duration_ms=round(seconds * 1000, 1),
            )


def route_template(scope: Scope) -> str:
    """The template of the route that will answer, such as `/orders/{id}`; `unmatched` when none will."""
    application = scope.get("app")
    return _template(getattr(application, "routes", None) or [], scope) or "unmatched"


def _template(routes: Iterable[BaseRoute], scope: Scope) -> str | None:
    for route in routes:
        match, child = route.matches(scope)
        if match is Match.NONE:
            continue
        if isinstance(route, Mount):
            return route.path + (_template(route.routes or [], {**scope, **child}) or "/…")
        if isinstance(route, Route | WebSocketRoute):
            return route.path
    return None


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            if _SAFE_REQUEST_ID.fullmatch(given):
                return str(given)
    return uuid.uuid4().hex


def _told_by_frame(traceback: str) -> Iterator[str]:
    """Frames and types of a printed traceback; source lines and messages stay out, but for ours about settings."""
    for line in traceback.splitlines():
        if frame := re.match(r'\s+File ".*?([^/"]+/[^/"]+)\.py", line (\d+), in (\S+)', line):
            yield f"  {frame[1].replace('/', '.')}:{frame[2]} in {frame[3]}"
        elif line.startswith("cdp.settings.SettingsError:"):
            yield line
        elif kind := re.match(r"([A-Za-z_][\w.]*)(:|$)", line):
            yield kind[1]


def _positional(arguments: Any) -> tuple[Any, ...]:
    return arguments if isinstance(arguments, tuple) else (arguments,)
