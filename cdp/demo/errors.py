"""What can keep the demo from starting; each is one line for whoever typed the command."""

from pathlib import Path

from cdp.errors import CdpError


class DemoError(CdpError):
    """The demo can't go on."""


class PortTaken(DemoError):
    """Port {port} is taken; choose another with {option}, or 0 for a free one."""

    port: int
    option: str


class AlreadyRunning(DemoError):
    """Another `cdp demo` serves from {data_dir}; stop it, or choose another --data-dir."""

    data_dir: Path


class ServerEnded(DemoError):
    """The {name} ended; its log is {log}. Its last line: {last_line}"""  # noqa: D400 - quoted as it is

    name: str
    log: Path
    last_line: str


class NotReady(DemoError):
    """The {name} did not get ready within {seconds} seconds; its log is {log}."""

    name: str
    seconds: int
    log: Path


class DoorRefused(DemoError):
    """{door} refused what the demo delivers: {answer}"""  # noqa: D400 - quoted as it is

    door: str
    answer: str


class NotCaughtUp(DemoError):
    """The worker has not caught up within {seconds} seconds; {pending} messages wait."""

    seconds: int
    pending: int
