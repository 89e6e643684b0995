"""Cases: the list, opening one, its thread, answering, closing, and the files in it.

A case about an invoice or order is opened from there: the address of the form names it. A mistake comes back with the form that
made it; files have to be chosen again, since browsers don't let a page fill them in.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response

from extranet import texts
from extranet.cases import (
    KINDS,
    OF_LEDGER,
    SHOWN,
    STATUSES,
    About,
    CaseDetail,
    CaseFile,
    CaseList,
    CasePayload,
    kinds_of,
    read_cases,
    require_cases,
)
from extranet.forms import UserError
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.texts import N_, _
from extranet.uploads import Upload

PAGE_SIZE: Final = 25
THREAD_SHOWN: Final = 100
_ABOUT: Final = re.compile(r"(ent|ord)_[0-9a-f]{32}", re.ASCII)
_CASE: Final = re.compile(r"cas_[0-9a-f]{32}", re.ASCII)
_FILE: Final = re.compile(r"cfi_[0-9a-f]{32}", re.ASCII)
MISTAKES: Final[Mapping[str, str]] = MappingProxyType({
    "text_missing": N_("Please write something here."),
    "text_invalid": N_("That is too long."),
    "file_kind": N_("Files may be PDF, PNG, JPEG, text, CSV, XLSX or DOCX."),
    "file_empty": N_("That file is empty."),
    "file_too_large": N_("A file may have 10 MB."),
    "file_content": N_("That file is not what its name says, or holds what may not be sent, such as macros."),
    "file_harmful": N_("That file holds a virus. It was not taken."),
    "too_many_files": N_("At most 5 files a message."),
    "too_many_cases": N_("You have opened very many cases today. Please write in one of them, or call us."),
    "case_full": N_("This case is very long. Please open another."),
    "about_not_found": N_("What this case is about is not there, or isn’t yours to see."),
})  # fmt: skip
NO_MISTAKES: Final[tuple[UserError, ...]] = ()


async def listing(visit: Visit) -> Response:
    """The cases that the member's role sees, latest written in first."""
    require_cases(visit)
    asked = read_cases(visit.query)
    words: dict[str, Any] = {"asked": asked, "shown": SHOWN, "kinds": KINDS, "statuses": STATUSES}
    if asked.filter is None:
        return visit.page("cases.html", status=HTTPStatus.BAD_REQUEST, cases=None, **words)
    place = visit.place(PAGE_SIZE)
    cases = await visit.ask("cases", CaseList, ("viewer", "account", "cases"), filter=asked.filter, **place)
    if cases is None:
        raise PageNotFound
    return visit.page("cases.html", cases=cases, **words)


async def new(visit: Visit) -> Response:
    """The form of a new case; `kind` and one of `invoice` and `order` in the address fill it in."""
    require_cases(visit)
    kind = visit.query.get("kind", "").upper()
    invoice, order = visit.query.get("invoice", ""), visit.query.get("order", "")
    about = await _about(visit, invoice or order)
    form = {"kind": OF_LEDGER if about and about.document_number and not kind else kind, "subject": "", "message": ""}
    if about and about.document_number:
        form |= {
            "invoice": about.id,
            "subject": f"{texts.named(texts.ENTRY_KIND, about.kind or '')} {about.document_number}",
        }
    elif about:
        form |= {"order": about.id, "subject": _("Order %(number)s") % {"number": about.number}}
    return _form(visit, form, about)


async def open_one(visit: Visit) -> Response:
    """Open it, and show it."""
    require_cases(visit)
    form, files = await visit.read_own_upload()
    kind = form.get("kind", "").upper()
    about = await _about(visit, form.get("invoice") or form.get("order") or "")
    if kind not in kinds_of(visit):
        return _form(visit, form, about, (UserError(message="", code="kind_missing", field=("input", "kind")),))
    payload, mistakes = await visit.change(
        "case_open",
        CasePayload,
        "caseOpen",
        kind=kind,
        subject=form.get("subject", ""),
        message=form.get("message", ""),
        entryId=about.id if about and about.document_number else None,
        orderId=about.id if about and about.number else None,
        isDispute=bool(form.get("dispute") and about and about.kind == "INVOICE"),
        files=_files(files),
    )
    return _form(visit, form, about, mistakes) if payload is None else _to(payload)


async def detail(visit: Visit) -> Response:
    """A case and its thread."""
    return _detail(visit, await _case(visit))


async def reply(visit: Visit) -> Response:
    """Write in it."""
    require_cases(visit)
    form, files = await visit.read_own_upload()
    found = await _case(visit)
    payload, mistakes = await visit.change(
        "case_reply", CasePayload, "caseReply", id=found.id, message=form.get("message", ""), files=_files(files)
    )
    return _detail(visit, found, form, mistakes) if payload is None else _to(payload)


async def close(visit: Visit) -> Response:
    """Close it; `satisfied` is yes, no, or not said."""
    require_cases(visit)
    form = await visit.read_own_form()
    found = await _case(visit)
    satisfied = {"yes": True, "no": False}.get(form.get("satisfied", ""))
    payload, _mistakes = await visit.change("case_close", CasePayload, "caseClose", id=found.id, satisfied=satisfied)
    if payload is None:
        raise PageNotFound
    return _to(payload)


async def file(visit: Visit) -> Response:
    """A file of a thread, to be kept, never to be shown in place."""
    require_cases(visit)
    named = visit.request.path_params["id"]
    found = await visit.ask("case_file", dict[str, Any], ("node",), id=named) if _FILE.fullmatch(named) else None
    if not found:
        raise PageNotFound
    kept = msgspec.convert(found, CaseFile)
    await visit.portal.access.take_away(visit.request, what="case file", form=kept.media_type)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(kept.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return Response(base64.b64decode(kept.content), media_type=kept.media_type, headers=headers)


async def _case(visit: Visit) -> CaseDetail:
    require_cases(visit)
    named = visit.request.path_params["id"]
    if not _CASE.fullmatch(named):
        raise PageNotFound
    variables = {"id": named, "ledger": visit.sees_ledger, **visit.place(THREAD_SHOWN)}
    found = await visit.ask("case", dict[str, Any], ("node",), **variables)
    if not found:
        raise PageNotFound
    return msgspec.convert(found, CaseDetail)


async def _about(visit: Visit, named: str) -> About | None:
    """What a new case is about. None where nothing is named, or it isn't the member's to see."""
    if not _ABOUT.fullmatch(named) or (named.startswith("ent_") and not visit.sees_ledger):
        return None
    found = await visit.ask("case_about", dict[str, Any], ("node",), id=named, ledger=visit.sees_ledger)
    return msgspec.convert(found, About) if found else None


def _form(
    visit: Visit, form: Mapping[str, str], about: About | None, mistakes: Sequence[UserError] = NO_MISTAKES
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK
    return visit.page(
        "case_new.html", status=status, form=form, about=about, kinds=kinds_of(visit), problems=_problems(mistakes)
    )


def _detail(
    visit: Visit, found: CaseDetail, form: Mapping[str, str] | None = None, mistakes: Sequence[UserError] = NO_MISTAKES
) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if mistakes else HTTPStatus.OK
    words = {"kinds": KINDS, "statuses": STATUSES, "problems": _problems(mistakes), "form": form or {}}
    return visit.page("case.html", status=status, case=found, **words)


def _problems(mistakes: Sequence[UserError]) -> dict[str, str]:
    """What is wrong, by the form's field: the last name in a mistake's path that is no place in a list."""
    told: dict[str, str] = {}
    for mistake in mistakes:
        path = [name for name in mistake.field or () if name in {"kind", "subject", "message", "files"}]
        told[path[0] if path else "whole"] = _(MISTAKES.get(mistake.code, N_("Please choose what it is about.")))
    return told


def _files(files: Sequence[Upload]) -> list[dict[str, str]]:
    return [{"name": each.name, "content": base64.b64encode(each.content).decode()} for each in files]


def _to(payload: CasePayload) -> Response:
    return RedirectResponse(f"/cases/{payload.case.id}", status_code=303)
