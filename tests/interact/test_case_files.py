"""Files of messages: which are taken, and that a name and a content must agree."""

import io
import zipfile

import pytest

from cdp.errors import Mistake
from cdp.interact.case_files import EICAR, CheckedFile, GivenFile, check_file, plain_name

TYPES = b"<?xml version='1.0'?><Types/>"
OFFICE = "application/vnd.openxmlformats-officedocument."


def archive(**parts: bytes) -> bytes:
    """Parts by name, where `__` is a dot and `_` a slash."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in parts.items():
            written.writestr(name.replace("__", ".").replace("_", "/"), content)
    return made.getvalue()


def workbook(**more: bytes) -> bytes:
    named = archive(xl_workbook__xml=b"<workbook/>", **more)
    with zipfile.ZipFile(io.BytesIO(named)) as read:
        parts = {name: read.read(name) for name in read.namelist()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("[Content_Types].xml", TYPES)
        for name, content in parts.items():
            written.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.PDF", b"%PDF-1.4\n%%EOF", "application/pdf"),
        ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 20, "image/png"),
        ("a.jpeg", b"\xff\xd8\xff\xe0" + b"\x00" * 20 + b"\xff\xd9", "image/jpeg"),
        ("a.txt", "Größe 42 < 43\n".encode(), "text/plain"),
        ("a.txt", "Größe".encode("latin-1"), "text/plain"),
        ("a.txt", "Größe".encode("utf-16"), "text/plain"),
        ("a.csv", b"\xef\xbb\xbfnumber;amount\r\n1;2\r\n", "text/csv"),
        ("a.xlsx", workbook(), OFFICE + "spreadsheetml.sheet"),
    ],
)
def test_a_file_that_is_what_its_name_says_is_taken_as_that(name: str, content: bytes, media_type: str) -> None:
    checked = check_file(GivenFile(name=name, content=content))
    assert checked == CheckedFile(name=name, media_type=media_type, content=content)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", archive(word_document__xml=b"x"), "file_content"),
        ("a.docx", workbook(), "file_content"),
        ("a.xlsx", workbook(xl_vbaProject__bin=b"macro"), "file_content"),
        ("a.xlsx", b"MZ" + workbook(), "file_content"),
        ("a.xlsx", workbook(xl_sheet__xml=EICAR), "file_harmful"),
        ("a.xlsx", workbook()[:-40], "file_content"),
        ("a.pdf", b"%PDF-1.4\n" + EICAR + b"\n%%EOF", "file_harmful"),
        ("a.txt", b"\x7fELF\x02\x01\x01\x00", "file_content"),
        ("a.csv", b"<script>alert(1)</script>", "file_content"),
        ("a.txt", b"\xef\xbb\xbf<svg/>", "file_content"),
        ("a.zip", archive(a__txt=b"x"), "file_kind"),
        ("a.pdf.exe", b"%PDF-1.4\n%%EOF", "file_kind"),
        ("pdf", b"%PDF-1.4\n%%EOF", "file_kind"),
    ],
)
def test_what_is_something_else_or_harmful_is_refused(name: str, content: bytes, code: str) -> None:
    outcome = check_file(GivenFile(name=name, content=content))
    assert isinstance(outcome, Mistake)
    assert outcome.code == code


def test_a_workbook_that_unpacks_to_more_than_it_should_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdp.interact.case_files.LARGEST_UNPACKED_BYTES", 100_000)
    content = workbook(xl_sheet__xml=b"0" * 1_000_000)
    outcome = check_file(GivenFile(name="a.xlsx", content=content))
    assert isinstance(outcome, Mistake)
    assert outcome.code == "file_content"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\Users\\me\\note.pdf", "note.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("fdp\u202etxt.pdf", "fdptxt.pdf"),
        ("a\r\nSet-Cookie: x.txt", "aSet-Cookie: x.txt"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
    ],
)
def test_a_name_is_made_harmless(given: str, kept: str) -> None:
    assert plain_name(given) == kept
