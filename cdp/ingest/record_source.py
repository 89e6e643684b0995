"""Whose records an import brings, and what every kind of record asks of the graph: who a customer of that source is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.statements import load_statements
from cdp.identify import Attached, ProfileKey
from cdp.identify.identifier import identify
from cdp.identify.queries import profile_keys
from cdp.ingest.record_decoding import ReadRecord
from cdp.ingest.record_lines import Rejection
from cdp.ledger.refusals import Refusal

STATEMENTS: Final = load_statements("cdp.ingest", "imports.sql")

NO_CUSTOMER: Final = "There is no customer {} of this source."
NO_ACCOUNT: Final = "There is no account {}."
UNUSABLE_KEY: Final = "{} is a placeholder, so it can't be anybody's key."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSource:
    """The source whose records these are, with its defaults."""

    source_id: UUID
    name: str
    channel: str
    division: str | None
    location: str | None
    identifier_namespace: str
    default_region: str | None

    def key(self, external_id: str) -> ProfileKey | None:
        """Key of the source's profile of a customer; None for a value that points at nobody."""
        identifier = identify(self.identifier_namespace, external_id, region=self.default_region)
        return None if identifier is None else ProfileKey(self.source_id, identifier.namespace, identifier.value)


def profiles_of(
    connection: Connection[Any], source: ImportSource, external_ids: Collection[str]
) -> dict[str, Attached]:
    """The source's profiles of customers, by external id; unknown ones are absent."""
    keys = {external_id: source.key(external_id) for external_id in external_ids}
    found = profile_keys(connection, {key for key in keys.values() if key is not None})
    return {external_id: found[key] for external_id, key in keys.items() if key is not None and key in found}


def rejections_of(refusals: Sequence[Refusal], reads: Sequence[ReadRecord]) -> list[Rejection]:
    """The ledger's refusals, told by the lines they stand on; `reads` are the records in the batch's order."""
    return [reads[refusal.index].reject(refusal.field, refusal.code, refusal.message) for refusal in refusals]
