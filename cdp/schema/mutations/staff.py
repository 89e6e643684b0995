"""Mutations of the company's staff: adding and changing people, when they are away, and letting no tool act for them any more."""

from collections.abc import Callable
from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from cdp.access.managing_staff import Absence, StaffDesk, StaffDetails
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.schema.mutations.acting import user_error, work
from cdp.schema.mutations.administering import NEEDS, StaffPayload, administrator
from cdp.schema.subscription import made
from cdp.settings import Settings


@strawberry.input(description="Somebody new of the staff.")
class StaffAddInput:
    """Input of staffAdd."""

    email: str = strawberry.field(description="E-mail address; clients see it of their account manager.")
    name: str = strawberry.field(description="Name.")
    title: str | None = strawberry.field(default=None, description="Position.")
    phone: str | None = strawberry.field(default=None, description="Phone number.")
    subject: str | None = strawberry.field(
        default=None, description="What the issuer calls them, so that they can let tools act for them."
    )


@strawberry.input(description="Other details of somebody of the staff.")
class StaffUpdateInput:
    """Input of staffUpdate."""

    staff_id: strawberry.ID = strawberry.field(description="Who.")
    name: str = strawberry.field(description="Name.")
    title: str | None = strawberry.field(default=None, description="Position; null for none.")
    phone: str | None = strawberry.field(default=None, description="Phone number; null for none.")


@strawberry.input(description="When somebody of the staff is away, and who stands in.")
class StaffSetAbsenceInput:
    """Input of staffSetAbsence."""

    staff_id: strawberry.ID = strawberry.field(description="Who.")
    from_: date = strawberry.field(name="from", description="First day away.")
    to: date = strawberry.field(description="Last day away.")
    deputy_id: strawberry.ID = strawberry.field(description="Who stands in meanwhile.")


@strawberry.input(description="Somebody of the staff.")
class StaffInput:
    """Input of the mutations of one person that need no more."""

    staff_id: strawberry.ID = strawberry.field(description="Who.")


async def _add(
    info: strawberry.Info, input: Annotated[StaffAddInput, strawberry.argument(description="Who.")]
) -> StaffPayload:
    details = StaffDetails(name=input.name, title=input.title, phone=input.phone)
    return await _at_desk(
        info,
        lambda desk, settings: desk.add(input.email, details, issuer=settings.issuer, subject=input.subject),
    )


async def _update(
    info: strawberry.Info, input: Annotated[StaffUpdateInput, strawberry.argument(description="Who, and what of them.")]
) -> StaffPayload:
    details = StaffDetails(name=input.name, title=input.title, phone=input.phone)
    return await _of_person(info, input.staff_id, lambda desk, staff_id: desk.change(staff_id, details))


async def _set_absence(
    info: strawberry.Info,
    input: Annotated[StaffSetAbsenceInput, strawberry.argument(description="Who, when, who instead.")],
) -> StaffPayload:
    deputy_id = parse_id(input.deputy_id, "stf")
    if deputy_id is None:
        return await _at_desk(info, lambda _desk, _settings: _not_an_id("deputyId"))
    absence = Absence(from_on=input.from_, to_on=input.to, deputy_id=deputy_id)
    return await _of_person(info, input.staff_id, lambda desk, staff_id: desk.set_absence(staff_id, absence))


Which = Annotated[StaffInput, strawberry.argument(description="Who.")]


async def _disable(info: strawberry.Info, input: Which) -> StaffPayload:
    return await _of_person(info, input.staff_id, lambda desk, staff_id: desk.disable(staff_id))


async def _enable(info: strawberry.Info, input: Which) -> StaffPayload:
    return await _of_person(info, input.staff_id, lambda desk, staff_id: desk.enable(staff_id))


async def _end_absence(info: strawberry.Info, input: Which) -> StaffPayload:
    return await _of_person(info, input.staff_id, lambda desk, staff_id: desk.set_absence(staff_id, None))


def _not_an_id(field: str) -> Mistake:
    message = "An id of this type looks like stf_0123456789abcdef0123456789abcdef."
    return Mistake(code="not_an_id", message=message, field=(field,))


async def _of_person(
    info: strawberry.Info, text: str, act: Callable[[StaffDesk, UUID], UUID | Mistake]
) -> StaffPayload:
    staff_id = parse_id(text, "stf")
    mistake = _not_an_id("staffId")
    return await _at_desk(info, lambda desk, _: mistake if staff_id is None else act(desk, staff_id))


async def _at_desk(info: strawberry.Info, act: Callable[[StaffDesk, Settings], UUID | Mistake]) -> StaffPayload:
    _, actor, settings = administrator(info)
    outcome = await work(info, lambda connection: act(StaffDesk(connection, actor), settings))
    if isinstance(outcome, Mistake):
        return made(StaffPayload, staff_id=None, user_errors=[user_error(outcome)])
    return made(StaffPayload, staff_id=outcome, user_errors=[])


@strawberry.type
class StaffMutation:
    """Roots; the mutation root has them."""

    staff_add: StaffPayload | None = strawberry.field(
        resolver=_add, description=f"Adds somebody to the company's staff. {NEEDS}"
    )
    staff_update: StaffPayload | None = strawberry.field(
        resolver=_update, description=f"Changes what clients see of somebody. {NEEDS}"
    )
    staff_set_absence: StaffPayload | None = strawberry.field(
        resolver=_set_absence,
        description="Says when somebody is away and who stands in: clients are told so, and letters about their cases go there"
        f" meanwhile. Takes the place of an absence said before. {NEEDS}",
    )
    staff_end_absence: StaffPayload | None = strawberry.field(
        resolver=_end_absence, description=f"Somebody is back, or isn't going to be away. {NEEDS}"
    )
    staff_disable: StaffPayload | None = strawberry.field(
        resolver=_disable,
        description=f"Lets no tool act for somebody any more; their sessions at the embedded issuer end, tokens with"
        f" them. {NEEDS}",
    )
    staff_enable: StaffPayload | None = strawberry.field(
        resolver=_enable, description=f"Lets tools act for somebody again. {NEEDS}"
    )
