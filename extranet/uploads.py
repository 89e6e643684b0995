"""Forms that come with files (multipart/form-data): read to a bound, whatever is sent, before anything in them is believed."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from cdp.errors import Invalid, TooLarge
from extranet.forms import read_form

MOST_FILES: Final = 5
LONGEST_UPLOAD_BYTES: Final = 25_000_000
_MOST_FIELDS: Final = 20
_LONGEST_FIELD_BYTES: Final = 65_536
_MULTIPART: Final = "multipart/form-data"


class FormUnreadable(Invalid):
    """This form arrived damaged, or with more files than are taken. Please try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file as it came: its name and bytes are the sender's."""

    name: str
    content: bytes


async def read_upload(request: Request) -> tuple[Mapping[str, str], list[Upload]]:
    """The fields and files of a form, empty choices of a file left out. A form without files may come as any other does.

    Raises TooLarge, FormUnreadable.
    """
    if not request.headers.get("content-type", "").lower().startswith(_MULTIPART):
        return await read_form(request), []
    parser = MultiPartParser(
        request.headers,
        _bounded(request),
        max_files=MOST_FILES,
        max_fields=_MOST_FIELDS,
        max_part_size=_LONGEST_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except (
        MultiPartException,
        KeyError,
        ValueError,
    ) as error:  # a boundary that is missing or none, a wrong character set
        raise FormUnreadable from error
    try:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
        files = [
            Upload(name=each.filename, content=await each.read())
            for _name, each in form.multi_items()
            if isinstance(each, UploadFile) and each.filename
        ]
    finally:
        await form.close()
    return fields, files


async def _bounded(request: Request) -> AsyncGenerator[bytes]:
    taken = 0
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > LONGEST_UPLOAD_BYTES:
            raise TooLarge(limit_bytes=LONGEST_UPLOAD_BYTES)
        yield chunk
