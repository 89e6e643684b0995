"""Running the applications: Uvicorn with our logs and our way of stopping, and the worker beside or inside it.

Told to stop (SIGINT, SIGTERM), a process takes no new work, finishes what it began within `CDP_SHUTDOWN_SECONDS`, and
leaves with status 0; a second signal doesn't wait. Uvicorn writes no access log, because it would hold queries.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

import structlog
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from cdp.logs import configure
from cdp.settings import Settings, SettingsError, load_settings

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
STOPPING: Final = (signal.SIGINT, signal.SIGTERM)

log = structlog.stdlib.get_logger("cdp.server")


def server_config(application: str, settings: Settings, *, host: str, port: int, workers: int = 1) -> Config:
    """Uvicorn's configuration for `application` ("module:attribute")."""
    return _Config(
        application,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def serve(config: Config, settings: Settings, *, work_inside: bool = False) -> None:
    """Serve until a signal; in several processes when the configuration says so (then without a worker inside).

    Raises SystemExit with a status other than 0 when the worker inside failed.
    """
    if config.workers > 1:
        with TemporaryDirectory(prefix="cdp-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # so that /metrics of one process tells of all
            Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # uvloop where there is one
            _exit_unless_ok(runner.run(_serve(config, settings, work_inside=work_inside)))


def work(settings: Settings) -> None:
    """Run the worker until a signal. Raises SystemExit with a status other than 0 when it failed."""
    told = threading.Event()
    for number in STOPPING:
        signal.signal(number, lambda *_: told.set())
    worker = Worker(settings, on_end=told.set, alone=True)
    told.wait()
    _exit_unless_ok(worker.stop(within_seconds=settings.shutdown_seconds))


class Worker:
    """The worker, at once at work in a thread of its own; `on_end` is called in that thread when it ends, asked or not. `alone`:
    nothing else is done in this process.
    """

    def __init__(self, settings: Settings, *, on_end: Callable[[], None], alone: bool = False) -> None:
        if settings.database_url is None:
            raise SettingsError(variable="CDP_DATABASE_URL", problem="is required where the worker runs.")
        self._settings = settings
        self._on_end = on_end
        self._alone = alone
        self._stop = threading.Event()
        self._failed = False
        # A daemon: one that does not stop in time must not keep the process.
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def stop(self, *, within_seconds: float) -> int:
        """Let it finish what it began; an exit status. Blocks for `within_seconds` at most."""
        unasked = not self._thread.is_alive()
        self._stop.set()
        self._thread.join(within_seconds)
        if self._thread.is_alive():
            log.error("the worker did not stop in time", seconds=within_seconds)
            return EXIT_FAILED
        if unasked and not self._failed:
            log.error("the worker ended unasked")
        return EXIT_FAILED if unasked or self._failed else EXIT_OK

    def _run(self) -> None:
        from cdp.worker import run_all  # noqa: PLC0415 - the extranet's process never loads the worker

        try:
            run_all(self._settings, self._stop, alone=self._alone)
        except Exception:  # told by the log, which leaves out what an exception quotes
            self._failed = True
            log.exception("the worker failed")
        finally:
            self._on_end()


class QuietServer(Server):
    """Leaves signals to whoever runs it: Uvicorn's own handling ends the process before its neighbours can stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


class _Config(Config):
    """Carries our logging into the processes that Uvicorn starts."""

    def configure_logging(self) -> None:
        configure(load_settings())


async def _serve(config: Config, settings: Settings, *, work_inside: bool) -> int:
    """Serve until a signal. The worker inside stops after the server; a worker that dies takes the server with it."""
    server = QuietServer(config)
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    def on_end() -> None:
        server.should_exit = True

    for number in STOPPING:
        loop.add_signal_handler(number, on_signal)
    worker = Worker(settings, on_end=on_end) if work_inside else None
    await server.serve()
    return worker.stop(within_seconds=settings.shutdown_seconds) if worker else EXIT_OK


def _exit_unless_ok(status: int) -> None:
    if status != EXIT_OK:
        sys.exit(status)
