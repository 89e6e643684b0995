"""How a mistake in what was asked ends a command: its sentence on standard error, status 1, nothing changed."""

from typing import TypeVar

import typer

from cdp.errors import CdpError, Mistake

commands = typer.Typer()
T = TypeVar("T")


class NotDone(CdpError):
    """{problem}"""  # noqa: D400 - the problem brings its full stop

    problem: str


def done(outcome: T | Mistake) -> T:
    """What came of it. Raises NotDone, so that the transaction around it is rolled back, for a mistake."""
    if isinstance(outcome, Mistake):
        raise NotDone(problem=outcome.message)
    return outcome
