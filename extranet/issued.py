"""Issued statements read back: a snapshot's document as the statement it was, for the page and for the files made of it."""

import base64
import re
from dataclasses import dataclass
from typing import Final

import msgspec

from extranet.answers import IssuedStatement, KeptFile, PageInfo, StatementAccount, StatementLines
from extranet.periods import Kind, Period
from extranet.portal import Visit
from extranet.refusals import PageNotFound
from extranet.statements import Answered

KINDS: Final = {"BALANCE_FORWARD": Kind.BALANCE_FORWARD, "OPEN_ITEM": Kind.OPEN_ITEM}
_ID: Final = re.compile(r"sta_[0-9a-f]{32}", re.ASCII)
_ALL_OF_THEM: Final = PageInfo(has_next_page=False, has_previous_page=False, start_cursor=None, end_cursor=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An issued statement, and the files that were made of it."""

    issued: IssuedStatement

    @property
    def kind(self) -> Kind:
        """Which kind."""
        return KINDS[self.issued.kind]

    @property
    def period(self) -> Period:
        """Its days; an open-item statement has but one."""
        return Period(first=self.issued.from_ or self.issued.to, last=self.issued.to)

    def answered(self) -> Answered:
        """The statement as it stood. Asked for `whole`."""
        account = msgspec.json.decode(self.issued.document or "", type=StatementAccount)
        statement, lines = account.statement, account.statement.activity or []
        if self.kind is Kind.BALANCE_FORWARD:
            shown = StatementLines(total_count=len(lines), nodes=lines, page_info=_ALL_OF_THEM)
            statement = msgspec.structs.replace(statement, lines=shown, activity=None)
        return Answered(
            account=msgspec.structs.replace(account, statement=statement), kind=self.kind, period=self.period
        )

    def file(self, ending: str) -> bytes | None:
        """The file of that ending as it was first downloaded; None when it never was."""
        return kept(self.issued.files, ending)


def kept(files: list[KeptFile], ending: str) -> bytes | None:
    """The file of that ending among `files`."""
    return next((base64.b64decode(each.content) for each in files if each.format.lower() == ending), None)


async def snapshot(visit: Visit, *, whole: bool) -> Snapshot:
    """The issued statement that the address names. Raises PageNotFound when there is none, or it is not the member's."""
    named = visit.request.path_params["id"]
    if not visit.sees_ledger or not _ID.fullmatch(named):
        raise PageNotFound
    found = await visit.ask("issued_statement", dict[str, object], ("node",), id=named, whole=whole)
    if not found:
        raise PageNotFound
    return Snapshot(issued=msgspec.convert(found, IssuedStatement))
