"""Running the applications: Uvicorn with our logs and our way of stopping, and the worker beside or inside it.

Told to stop (SIGINT, SIGTERM), a process takes no new work, finishes what it began within `CDP_SHUTDOWN_SECONDS`, and
leaves with status 0; a second signal doesn't wait. Uvicorn writes no access log, because it would hold queries.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from uvicorn import Config, Server
from uvicorn.supervisors import Multiprocess

from cdp.logs import configure
from cdp.settings import Settings, load_settings


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
    """Serve until a signal; in several processes when the configuration says so (then without a worker inside)."""
    if config.workers > 1:
        with TemporaryDirectory(prefix="cdp-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # so that /metrics of one process tells of all
            Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        asyncio.run(_serve(config, settings, work_inside=work_inside))


def work(settings: Settings) -> None:
    """Run the worker until a signal."""
    asyncio.run(_work(settings))


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


async def _serve(config: Config, settings: Settings, *, work_inside: bool) -> None:
    """Serve until a signal. The worker inside stops after the server; a worker that dies takes the server with it."""
    server = QuietServer(config)

    def on_signal() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    _on_signals(on_signal)
    if not work_inside:
        await server.serve()
        return
    from cdp.worker import work as work_until  # noqa: PLC0415 - the extranet's process never loads the worker

    def on_end(_: asyncio.Task[None]) -> None:
        server.should_exit = True

    stop = asyncio.Event()
    worker = asyncio.create_task(work_until(settings, stop))
    worker.add_done_callback(on_end)
    try:
        await server.serve()
    finally:
        stop.set()
        async with asyncio.timeout(settings.shutdown_seconds):
            await worker


async def _work(settings: Settings) -> None:
    from cdp.worker import work as work_until  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    _on_signals(stop.set)
    worker = asyncio.create_task(work_until(settings, stop))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    async with asyncio.timeout(settings.shutdown_seconds):
        await worker


def _on_signals(act: Callable[[], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, act)
