"""Forms of the extranet: their fields as browsers send them, and mistakes as the graph tells them."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from cdp.errors import TooLarge

LONGEST_FORM_BYTES: Final = 16_384


class UserError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a mutation changed nothing. `field`: where in its input, `input` first; None for the whole."""

    message: str
    code: str
    field: tuple[str, ...] | None = None


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a form as browsers send it. Raises TooLarge; what is no form has no fields."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM_BYTES:
            raise TooLarge(limit_bytes=LONGEST_FORM_BYTES)
    return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
