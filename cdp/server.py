"""Running the applications: Uvicorn with our logs and our way of stopping, and the worker beside or inside it.

Told to stop (SIGINT, SIGTERM), a process takes no new work, finishes what it began within `CDP_SHUTDOWN_SECONDS`, and
leaves with status 0; a second signal doesn't wait. Uvicorn writes no access log, because it would hold queries.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

import structlog
from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from cdp.logs import configure
from cdp.settings import Settings, load_settings

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1

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
        _exit_unless_ok(asyncio.run(_serve(config, settings, work_inside=work_inside)))


def work(settings: Settings) -> None:
    """Run the worker until a signal. Raises SystemExit with a status other than 0 when it failed."""
    _exit_unless_ok(asyncio.run(_work(settings)))


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


def _exit_unless_ok(status: int) -> None:
    if status != EXIT_OK:
        sys.exit(status)


async def _serve(config: Config, settings: Settings, *, work_inside: bool) -> int:
    """Serve until a signal. The worker inside stops after the server; a worker that dies takes the server with it."""
    server = QuietServer(config)

    def on_signal() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    _on_signals(on_signal)
    if not work_inside:
        await server.serve()
        return EXIT_OK

    def on_end(_: asyncio.Task[None]) -> None:
        server.should_exit = True

    stop = asyncio.Event()
    worker = _start_worker(settings, stop)
    worker.add_done_callback(on_end)
    await server.serve()
    return await _stop_worker(worker, stop, settings)


async def _work(settings: Settings) -> int:
    stop = asyncio.Event()
    _on_signals(stop.set)
    worker = _start_worker(settings, stop)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    return await _stop_worker(worker, stop, settings)


def _start_worker(settings: Settings, stop: asyncio.Event) -> asyncio.Task[None]:
    from cdp.worker import work as work_until  # noqa: PLC0415 - the extranet's process never loads the worker

    return asyncio.create_task(work_until(settings, stop))


async def _stop_worker(worker: asyncio.Task[None], stop: asyncio.Event, settings: Settings) -> int:
    """Let the worker finish what it began. Its failure is told by the log, which leaves out what an exception quotes."""
    unasked = worker.done() and not stop.is_set()
    stop.set()
    try:
        async with asyncio.timeout(settings.shutdown_seconds):
            await worker
    except TimeoutError:
        log.exception("the worker did not stop in time", seconds=settings.shutdown_seconds)
        return EXIT_FAILED
    except Exception:
        log.exception("the worker failed")
        return EXIT_FAILED
    if unasked:
        log.error("the worker ended unasked")
        return EXIT_FAILED
    return EXIT_OK


def _on_signals(act: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, act)
