"""The product's errors: one small tree, from which every room derives its own.

A class's docstring is its message, a template filled with the ids it is raised with; the ids are attributes,
keyword-only, and checked by mypy as a dataclass's fields are. `code` is stable and public: programs outside compare it.
The edges turn an error into an answer with `http_status` and `body()`; nothing else of it leaves the process. What people get
wrong in a form or a mutation is no error but a value: `Mistake`.

    class AccountNotFound(NotFound):
        \"\"\"There is no account {number}.\"\"\"

        number: str

    raise AccountNotFound(number="K-1001")  # code "account_not_found", status 404
"""

import inspect
import re
import string
from dataclasses import dataclass
from typing import Any, ClassVar, dataclass_transform


@dataclass_transform(kw_only_default=True)
class CdpError(Exception):
    """The request could not be carried out."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    _template: ClassVar[str] = "The request could not be carried out."

    def __init_subclass__(cls) -> None:
        """Derive the message template and the code, and refuse a class that could not build its message."""
        super().__init_subclass__()
        if not cls.__doc__:
            message = f"{cls.__name__} has no docstring, so no message"
            raise TypeError(message)
        cls._template = " ".join(inspect.cleandoc(cls.__doc__).split("\n\n", 1)[0].split())
        if "code" not in cls.__dict__:
            cls.code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        ids = {name for base in cls.__mro__ for name in inspect.get_annotations(base)}
        asked = {name for _, name, _, _ in string.Formatter().parse(cls._template) if name}
        if asked - ids:
            message = f"{cls.__name__}'s message asks for {sorted(asked - ids)}, which it does not declare"
            raise TypeError(message)

    def __init__(self, **ids: Any) -> None:
        for name, value in ids.items():
            setattr(self, name, value)
        self.ids = ids
        super().__init__(self._template.format_map(ids))

    @property
    def message(self) -> str:
        """A sentence for people."""
        return str(self)

    def body(self) -> dict[str, Any]:
        """The JSON object for an HTTP answer: code, message and the ids."""
        return {"code": self.code, "message": self.message, **self.ids}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.ids))


class Invalid(CdpError):
    """The request is not valid."""

    http_status = 400


class InvalidField(Invalid):
    """{field}: {problem}"""  # noqa: D400 - the problem brings its full stop

    field: str
    problem: str


class Unauthenticated(CdpError):
    """Sign in, or send a valid token or write key."""

    http_status = 401


class Forbidden(CdpError):
    """This is not allowed for you."""

    http_status = 403


class NotFound(CdpError):
    """There is no such thing, or it is not yours to see."""

    http_status = 404


class Conflict(CdpError):
    """The request contradicts what is stored."""

    http_status = 409


class TooLarge(CdpError):
    """The request is larger than {limit_bytes} bytes."""

    http_status = 413

    limit_bytes: int


class TooManyRequests(CdpError):
    """Too many requests; try again in {retry_after_seconds} seconds."""

    http_status = 429

    retry_after_seconds: int


class Unavailable(CdpError):
    """The service cannot answer now; try again in {retry_after_seconds} seconds."""

    http_status = 503

    retry_after_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """Why nothing was done: a stable code, a sentence, and the part of the input it is about (its path, or empty)."""

    code: str
    message: str
    field: tuple[str, ...] = ()


def _rebuild(kind: type[CdpError], ids: dict[str, Any]) -> CdpError:
    return kind(**ids)
