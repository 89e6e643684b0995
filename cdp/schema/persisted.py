"""Documents that callers name instead of sending: trusted ones, which operators keep in a directory, and automatic ones, which
callers teach us.

Trusted documents are the files `*.graphql` of `CDP_TRUSTED_DOCUMENTS`, read and validated when the process starts. A caller runs
one by `documentId` (GraphQL over HTTP, appendix A): the file's name without its ending, or `sha256:` and the hash of its text.
An OAuth client that is held to trusted documents runs nothing else, whichever way it asks; their very text is accepted too.

Automatic persisted queries are Apollo's: `extensions.persistedQuery` has the SHA-256 of a document; whoever sends it with the
document teaches it, from then on the hash is enough. They live in the memory of one process, bounded by count and bytes; a
caller whose hash is unknown (another process, a restart, fallen out) is told so and sends the document again.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from graphql import GraphQLError, OperationDefinitionNode, parse, validate

from cdp.access.viewer import Tool, Viewer
from cdp.errors import Forbidden, Invalid
from cdp.settings import SettingsError

MOST_LEARNT: Final = 1_000
MOST_LEARNT_BYTES: Final = 8 * 1024 * 1024
SHA256: Final = "sha256:"


class RequestMalformed(Invalid):
    """{problem}"""  # noqa: D400 - the problem brings its full stop

    problem: str


class DocumentNotTrusted(Forbidden):
    """This client may run trusted documents only, and this is none of them."""


class DocumentNotFound(Invalid):
    """There is no document of this id."""


class PersistedQueryNotFound(Invalid):
    """PersistedQueryNotFound"""  # noqa: D400 - the word that Apollo's clients look for

    code = "PERSISTED_QUERY_NOT_FOUND"


class PersistedQueryHashMismatch(Invalid):
    """provided sha does not match query"""  # noqa: D400 - the words of Apollo's servers

    code = "PERSISTED_QUERY_HASH_MISMATCH"


class TrustedDocuments:
    """The trusted documents. Made by `load_trusted`."""

    def __init__(self, by_name: Mapping[str, str]) -> None:
        self._by_id = dict(by_name)
        for text in by_name.values():
            # Tools hash what they send, which may lack the file's last line break.
            for spelling in (text, text.strip()):
                self._by_id[SHA256 + _hash(spelling)] = text
        self._texts = {text.strip(): text for text in by_name.values()}

    def by_id(self, document_id: str) -> str | None:
        """The text of a document by its name, or by `sha256:` and its hash in hexadecimal."""
        return self._by_id.get(document_id)

    def same_as(self, text: str) -> str | None:
        """The document with this text, white space around it aside."""
        return self._texts.get(text.strip())


class LearntDocuments:
    """Automatic persisted queries by their hash; the least recently used fall out."""

    def __init__(self, *, most: int = MOST_LEARNT, most_bytes: int = MOST_LEARNT_BYTES) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._most = most
        self._most_bytes = most_bytes
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._texts)

    def get(self, sha256: str) -> str | None:
        """The document of a hash, freshened; None when it was never taught or fell out."""
        text = self._texts.get(sha256)
        if text is not None:
            self._texts.move_to_end(sha256)
        return text

    def learn(self, text: str) -> None:
        """Keep a document, unless it's larger than all that may be kept."""
        size = len(text.encode())
        sha256 = _hash(text)
        if sha256 in self._texts or size > self._most_bytes:
            return
        self._texts[sha256] = text
        self.bytes += size
        while len(self._texts) > self._most or self.bytes > self._most_bytes:
            _, dropped = self._texts.popitem(last=False)
            self.bytes -= len(dropped.encode())


class Documents:
    """What a request names or brings, made the text that is run. One per process."""

    def __init__(self, trusted: TrustedDocuments) -> None:
        self.trusted = trusted
        self.learnt = LearntDocuments()

    def text_of(self, asked: Mapping[str, Any], viewer: Viewer) -> str:
        """The document that a request asks to run: its `query`, `documentId` or `extensions.persistedQuery`.

        Raises RequestMalformed, DocumentNotFound, PersistedQueryNotFound, PersistedQueryHashMismatch; DocumentNotTrusted for a
        client that is held to trusted documents and asks for another.
        """
        query, document_id, sha256 = asked.get("query"), asked.get("documentId"), _persisted_hash(asked)
        _check_shape(query, document_id, has_other=sha256 is not None)
        if query is not None and sha256 is not None and _hash(query) != sha256:
            raise PersistedQueryHashMismatch
        if isinstance(viewer, Tool) and viewer.trusted_only:
            return self._trusted(query, document_id or SHA256 + (sha256 or ""))
        if document_id is not None:
            found = self.trusted.by_id(document_id)
            if found is None:
                raise DocumentNotFound
            return found
        if query is None and sha256 is not None:
            found = self.learnt.get(sha256) or self.trusted.by_id(SHA256 + sha256)
            if found is None:
                raise PersistedQueryNotFound
            return found
        return str(query)

    def learn(self, asked: Mapping[str, Any], viewer: Viewer) -> None:
        """Keep a document that was sent with its hash, now that it has been run: what can't be run is never kept."""
        held = isinstance(viewer, Tool) and viewer.trusted_only
        if asked.get("query") is not None and not held and _persisted_hash(asked) is not None:
            self.learnt.learn(asked["query"])

    def _trusted(self, query: str | None, document_id: str) -> str:
        found = self.trusted.same_as(query) if query is not None else self.trusted.by_id(document_id)
        if found is None:
            raise DocumentNotTrusted
        return found


def load_trusted(directory: Path | None, schema: Any) -> TrustedDocuments:
    """The trusted documents in a directory, validated against a graphql-core schema; none without a directory.

    Raises SettingsError, one line, naming the first file that can't be run and why.
    """
    if directory is None:
        return TrustedDocuments({})
    if not directory.is_dir():
        raise SettingsError(variable="CDP_TRUSTED_DOCUMENTS", problem=f"{directory} is no directory.")
    found: dict[str, str] = {}
    for path in sorted(directory.glob("*.graphql")):
        text, problem = _read(path, schema)
        if problem is not None:
            line = " ".join(problem.split())
            raise SettingsError(variable="CDP_TRUSTED_DOCUMENTS", problem=f"{path.name} can't be run: {line}")
        found[path.stem] = text
    return TrustedDocuments(found)


def _read(path: Path, schema: Any) -> tuple[str, str | None]:
    """Text of a file, and what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return "", "it is not a readable text in UTF-8."
    try:
        document = parse(text)
    except GraphQLError as error:
        return text, _located(error)
    errors = validate(schema, document)
    if errors:
        return text, _located(errors[0])
    if not any(isinstance(each, OperationDefinitionNode) for each in document.definitions):
        return text, "it has no operation."
    return text, None


def _located(error: GraphQLError) -> str:
    where = error.locations[0] if error.locations else None
    return f"{error.message} (line {where.line}, column {where.column})" if where else error.message


def _persisted_hash(asked: Mapping[str, Any]) -> str | None:
    """The hash of an automatic persisted query, in hexadecimal; None where there is none."""
    persisted = (asked.get("extensions") or {}).get("persistedQuery")
    if persisted is None:
        return None
    sha256 = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(sha256, str) or persisted.get("version") != 1:
        raise RequestMalformed(problem='extensions.persistedQuery must be {"version": 1, "sha256Hash": …}.')
    return sha256.lower()


def _check_shape(query: object, document_id: object, *, has_other: bool) -> None:
    if document_id is not None and (not isinstance(document_id, str) or query is not None or has_other):
        raise RequestMalformed(problem="documentId must be a text, and stands in the place of query.")
    if query is None and (document_id is not None or has_other):
        return
    if not isinstance(query, str) or not query.strip():
        raise RequestMalformed(problem="query must be a GraphQL document.")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
