"""`failedMessageReplay`: messages that failed are told again."""

from typing import Annotated, Any, Final

import strawberry
from psycopg import Connection

from cdp.access.audit import Actor, actor_of, record
from cdp.access.viewer import Scope, Tool
from cdp.errors import Mistake
from cdp.events.failures import STAGES, Which, clock, failures_to_replay, replay
from cdp.schema.mutations.acting import UserError, authorise, too_long, user_error, work
from cdp.schema.subscription import made

MOST_REPLAYED: Final = 1_000
LONGEST_TEXT_CHARACTERS: Final = 255


@strawberry.input(description="Which failed messages to tell again: all that fit what is given, the oldest first.")
class FailedMessageReplayInput:
    """Input of failedMessageReplay."""

    source: str | None = strawberry.field(default=None, description="Of the source of this name.")
    stage: str | None = strawberry.field(default=None, description="Of this stage: decode, identify or project.")
    code: str | None = strawberry.field(default=None, description="With this code.")
    message_id: str | None = strawberry.field(default=None, description="Of this id.")


@strawberry.type(description="What came of failedMessageReplay.")
class FailedMessageReplayPayload:
    """How many go back to work."""

    replayed: int = strawberry.field(description="Messages that wait again, at most 1,000; 0 when none fits.")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def failed_message_replay(
    info: strawberry.Info,
    input: Annotated[FailedMessageReplayInput, strawberry.argument(description="Which messages.")],
) -> FailedMessageReplayPayload:
    """Put them back to work; the worker does the rest."""
    viewer = authorise(info, scope=Scope.ADMIN)
    assert isinstance(viewer, Tool)  # noqa: S101 — no role of members may
    which = Which(source=input.source, stage=input.stage, code=input.code, message_id=input.message_id)
    for field, name in (("source", "source"), ("stage", "stage"), ("code", "code"), ("message_id", "messageId")):
        if (wrong := too_long(getattr(which, field), LONGEST_TEXT_CHARACTERS, name)) is not None:
            return _payload(0, wrong)
    if which.stage is not None and which.stage not in STAGES:
        message = f"There are {', '.join(STAGES)}."
        return _payload(0, Mistake(code="stage_unknown", message=message, field=("stage",)))
    return _payload(await work(info, lambda connection: _replay(connection, which, actor_of(viewer))))


def _replay(connection: Connection[Any], which: Which, actor: Actor) -> int:
    keys = failures_to_replay(connection, which, before=clock(connection), most=MOST_REPLAYED)
    replayed = replay(connection, keys) if keys else 0
    asked = {name: value for name, value in which.given().items() if value is not None}
    record(connection, actor.did("failed_messages_replayed", **asked, replayed=replayed))
    return replayed


def _payload(replayed: int, mistake: Mistake | None = None) -> FailedMessageReplayPayload:
    errors = [] if mistake is None else [user_error(mistake)]
    return made(FailedMessageReplayPayload, replayed=replayed, user_errors=errors)
