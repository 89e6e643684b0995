"""What the demo remembers in its data directory: what it is made of, the secrets it handed out, and whether it is whole.

`demo.json` tells programs where things are and how to get in; a start writes it when all is ready. The memory beside it
is the demo's own, so that a start that was killed goes on where it stopped. Both are for the owner's eyes only.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from cdp.demo.errors import AlreadyRunning

SEED: Final = 1905
FOR_OWNER_ONLY: Final = 0o600


class Client(msgspec.Struct, frozen=True):
    """An OAuth client with its secret."""

    client_id: str
    client_secret: str
    scopes: tuple[str, ...]


class Role(msgspec.Struct, frozen=True):
    """What a member may see of an account."""

    number: str
    role: str


class Member(msgspec.Struct, frozen=True):
    """Somebody who may sign in to the extranet."""

    email: str
    name: str
    locale: str
    password: str
    accounts: tuple[Role, ...]


class Figures(msgspec.Struct, frozen=True):
    """What is told of the business; `shopper` is the e-mail of somebody whom several sources know."""

    customers: int
    accounts: int
    shopper: str


class Memory(msgspec.Struct, kw_only=True):
    """What must survive between starts: what the business is made of, what was handed out, and whether all is loaded.

    `customers` are those asked for; `issuer` is where the members signed in last.
    """

    customers: int
    now: datetime
    seed: int = SEED
    issuer: str | None = None
    api_port: int = 0
    extranet_port: int = 0
    write_keys: dict[str, str] = {}
    clients: dict[str, Client] = {}
    members: tuple[Member, ...] = ()
    figures: Figures | None = None
    """None: not all is loaded."""


def new_password() -> str:
    """Sixteen hexadecimal digits, in groups that can be typed."""
    return "-".join(secrets.token_hex(2) for _ in range(4))


class Keeper:
    """The data directory, held by one demo at a time."""

    def __init__(self, data_dir: Path, lock: TextIO) -> None:
        self.data_dir = data_dir
        self._lock = lock
        self._lock.seek(0)
        self.left_postgres_running = self._lock.read() == _RUNNING

    @property
    def demo_json(self) -> Path:
        """What programs read."""
        return self.data_dir / "demo.json"

    @property
    def logs(self) -> Path:
        """Folder of the servers' logs."""
        folder = self.data_dir / "logs"
        folder.mkdir(exist_ok=True)
        return folder

    def remember(self, memory: Memory) -> None:
        """Keep the memory, whole or not at all."""
        _write(self.data_dir / _MEMORY, msgspec.json.encode(memory))

    def recall(self) -> Memory | None:
        """The memory of the last start; None for a new directory."""
        try:
            return msgspec.json.decode((self.data_dir / _MEMORY).read_bytes(), type=Memory)
        except FileNotFoundError:
            return None

    def tell(self, told: dict[str, Any]) -> None:
        """Write demo.json."""
        _write(self.demo_json, json.dumps(told, indent=2).encode() + b"\n")

    def note_postgres(self, *, is_running: bool) -> None:
        """Note that this demo started the embedded server, so that the next one stops it, should this one be killed."""
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(_RUNNING if is_running else "")
        self._lock.flush()


_MEMORY: Final = "demo-memory.json"
_RUNNING: Final = "postgres runs"


@contextmanager
def keep(data_dir: Path) -> Iterator[Keeper]:
    """The data directory, made if need be, until the block ends. Raises AlreadyRunning."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "demo.lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(data_dir=data_dir) from None
        keeper = Keeper(data_dir, lock)
        keeper.demo_json.unlink(missing_ok=True)
        yield keeper


def _write(path: Path, content: bytes) -> None:
    """Under another name first, then renamed: a reader sees all of it or nothing."""
    unfinished = path.with_suffix(".new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FOR_OWNER_ONLY)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    unfinished.replace(path)
