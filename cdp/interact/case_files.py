"""Files that come with a message: which kinds there are, and whether one is what its name says. Pure.

A file is taken when its name and its content tell the same kind, and that kind is one of few that nothing runs: no HTML, SVG,
macros, archives or programs. It is handed out under the media type that was found here, never under one that was given.
"""

import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from cdp.errors import Mistake

LARGEST_BYTES: Final = 10_000_000
MOST_FILES: Final = 5
LONGEST_NAME: Final = 120
LARGEST_UNPACKED_BYTES: Final = 200_000_000
MOST_PARTS: Final = 5_000
# The test file that every scanner knows, in pieces, so that no scanner takes this module for it.
EICAR: Final = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS" + b"-TEST-FILE!$H+H*"
_MARKUP: Final = re.compile(rb"\s*<(!doctype|html|svg|script|\?xml|head|body|iframe|!--)", re.IGNORECASE)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_READ_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFile:
    """A file as it came: whatever name, whatever bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """A file that may be kept: a harmless name, and the media type of what it is."""

    name: str
    media_type: str
    content: bytes


def check_file(given: GivenFile) -> CheckedFile | Mistake:
    """The file as it may be kept, or why it may not."""
    name = plain_name(given.name)
    kind = KINDS.get(PurePosixPath(name).suffix.lower().removeprefix("."))
    if kind is None:
        return _mistake("file_kind", f"Files may be {', '.join(NAMES)}.")
    if not given.content:
        return _mistake("file_empty", "The file is empty.")
    if len(given.content) > LARGEST_BYTES:
        return _mistake("file_too_large", f"A file may have {LARGEST_BYTES // 1_000_000} MB.")
    if not kind.fits(given.content):
        return _mistake("file_content", "The file is not what its name says, or holds what may not be sent.")
    if EICAR in given.content or (kind.is_packed and _holds_eicar(given.content)):
        return _mistake("file_harmful", "The file holds a virus.")
    return CheckedFile(name=name, media_type=kind.media_type, content=given.content)


def plain_name(name: str) -> str:
    """The last part of a path as any system writes it, without what doesn't show or turns the reading direction."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    shown = "".join(one for one in last if unicodedata.category(one)[0] != "C").strip(" .")
    stem, dot, ending = shown.rpartition(".")
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}{dot}{ending}" if len(shown) > LONGEST_NAME else shown


@dataclass(frozen=True, slots=True)
class _Kind:
    media_type: str
    fits: Callable[[bytes], bool]
    is_packed: bool = False


def _is_pdf(content: bytes) -> bool:
    return content.startswith(b"%PDF-") and b"%%EOF" in content[-2048:]


def _is_png(content: bytes) -> bool:
    return content.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")


def _is_jpeg(content: bytes) -> bool:
    return content.startswith(b"\xff\xd8\xff") and content.rstrip(b"\x00")[-2:] == b"\xff\xd9"


def _is_text(content: bytes) -> bool:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8"
        if _MARKUP.match(content.removeprefix(b"\xef\xbb\xbf")):
            return False
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if encoding == "utf-16":
            return False
        text = content.decode("latin-1")  # what older spreadsheets write
    return _CONTROLS.search(text) is None


def _is_office(part: str) -> Callable[[bytes], bool]:
    """Whether it is a workbook or document in Office Open XML (ECMA-376), whose main part is `part`, without macros."""

    def fits(content: bytes) -> bool:
        if not content.startswith(b"PK\x03\x04"):
            return False
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                parts = archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False
        names = {one.filename for one in parts}
        return (
            {"[Content_Types].xml", part} <= names
            and len(parts) <= MOST_PARTS
            and sum(one.file_size for one in parts) <= LARGEST_UNPACKED_BYTES
            and not any(one.flag_bits & 1 for one in parts)
            and not any(
                PurePosixPath(name).name.lower() in _MACROS or ".." in PurePosixPath(name).parts for name in names
            )
        )

    return fits


_MACROS: Final = frozenset({"vbaproject.bin", "vbadata.xml"})


def _holds_eicar(content: bytes) -> bool:
    """Whether a part of the archive holds it. What can't be unpacked, or is larger than it says, counts as holding it."""
    left = LARGEST_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for each in archive.infolist():
                before = b""
                with archive.open(each) as part:
                    while piece := part.read(_READ_AT_ONCE):
                        left -= len(piece)
                        if left < 0 or EICAR in before + piece:
                            return True
                        before = piece[-len(EICAR) :]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError):
        return True
    return False


def _mistake(code: str, message: str) -> Mistake:
    return Mistake(code=code, message=message)


_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_JPEG: Final = _Kind("image/jpeg", _is_jpeg)
KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "pdf": _Kind("application/pdf", _is_pdf),
        "png": _Kind("image/png", _is_png),
        "jpg": _JPEG,
        "jpeg": _JPEG,
        "txt": _Kind("text/plain", _is_text),
        "csv": _Kind("text/csv", _is_text),
        "xlsx": _Kind(_OFFICE + "spreadsheetml.sheet", _is_office("xl/workbook.xml"), is_packed=True),
        "docx": _Kind(_OFFICE + "wordprocessingml.document", _is_office("word/document.xml"), is_packed=True),
    }
)
"""By ending."""
NAMES: Final = ("PDF", "PNG", "JPEG", "text", "CSV", "XLSX", "DOCX")
