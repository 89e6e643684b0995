"""Reading: files of records into DuckDB, every value as it stands, with the id that the caller knows each record by.

What can't be matched is refused here, with a sentence that names the file: no such column, no id, an id twice, no records.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.errors import Invalid
from cdp.identify.claims import Kind
from cdp.identify.matching.fields import FIELDS, UnknownColumn, columns_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DELIMITERS: Final = (",", ";", "\t", "|")


class NoRecords(Invalid):
    """{file} holds no records."""

    file: str


class UnreadableFile(Invalid):
    """{file} can't be read as CSV in UTF-8: {problem}"""  # noqa: D400 - the problem brings its full stop

    file: str
    problem: str


class MissingIds(Invalid):
    """{file}: each record needs an id in the column {column}; records without one: {count}."""

    file: str
    column: str
    count: int


class DuplicateIds(Invalid):
    """{file}: each record needs an id of its own in the column {column}; told twice: {count}, such as {examples}."""

    file: str
    column: str
    count: int
    examples: str


class SameNames(Invalid):
    """Several inputs are called {name}: rename one, for pairs name the file that a record is from."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file to read: its name in what is written, the column with its ids, and its columns by the field each tells."""

    name: str
    path: Path
    id_column: str
    header: tuple[str, ...]
    delimiter: str
    columns: Mapping[str, str]

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns that nothing is done with."""
        used = {self.id_column, *self.columns.values()}
        return tuple(column for column in self.header if column not in used)


def understand(paths: Sequence[Path], kind: Kind, *, id_column: str, given: Mapping[str, str]) -> tuple[Input, ...]:
    """The files as they will be read; nothing but their first lines is looked at.

    Raises AmbiguousColumns, NoRecords, NothingUnderstood, SameNames, UnknownColumn, UnknownField, UnreadableFile.
    """
    inputs = tuple(_understand(path, kind, id_column, given) for path in paths)
    names = [one.name for one in inputs]
    for name in names:
        if names.count(name) > 1:
            raise SameNames(name=name)
    for column in given.values():
        if not any(column in one.header for one in inputs):
            raise UnknownColumn(
                file=", ".join(names),
                column=column,
                columns=", ".join(dict.fromkeys(sum((i.header for i in inputs), ()))),
            )
    return inputs


def read(connection: "DuckDBPyConnection", inputs: Sequence[Input], kind: Kind) -> int:
    """Make the table `given`: a row a record, with `record` (counted from 1), `source` (from 0), `id`, and the kind's fields.

    Returns how many. Raises DuplicateIds, MissingIds, NoRecords, UnreadableFile.
    """
    fields = [field.name for field in FIELDS[kind]]
    columns = ", ".join(f"{name} VARCHAR" for name in fields)
    connection.execute(f"CREATE TABLE given (record BIGINT, source INTEGER, id VARCHAR, {columns})")
    total = 0
    for source, one in enumerate(inputs):
        count = _read(connection, one, source, fields, after=total)
        _check_ids(connection, one, source)
        total += count
    return total


def _understand(path: Path, kind: Kind, id_column: str, given: Mapping[str, str]) -> Input:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = next(csv.reader([line := file.readline()]), [])
            delimiter = max(DELIMITERS, key=lambda one: len(next(csv.reader([line], delimiter=one), [])))
            first = next(csv.reader([line], delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        raise UnreadableFile(file=path.name, problem="its first line isn't text in UTF-8.") from error
    except OSError as error:
        raise UnreadableFile(file=path.name, problem=f"{error.strerror}.") from error
    header = tuple(column.strip() for column in first)
    if not any(header):
        raise NoRecords(file=path.name)
    if id_column not in header:
        raise UnknownColumn(file=path.name, column=id_column, columns=", ".join(header))
    twice = [column for column in header if column and header.count(column) > 1]
    if twice:
        raise UnreadableFile(file=path.name, problem=f"it has two columns called {twice[0]}.")
    columns = columns_of(path.name, header, kind, given, not_for=id_column)
    return Input(name=path.stem, path=path, id_column=id_column, header=header, delimiter=delimiter, columns=columns)


def _read(connection: "DuckDBPyConnection", one: Input, source: int, fields: Sequence[str], *, after: int) -> int:
    from duckdb import Error

    place = {column: f"c{number}" for number, column in enumerate(one.header)}
    shape = ", ".join(f"'{name}': 'VARCHAR'" for name in place.values())
    cells = [place[one.columns[name]] if name in one.columns else "NULL" for name in fields]
    statement = f"""
        INSERT INTO given
        SELECT row_number() OVER () + {after}, {source}, nullif(trim({place[one.id_column]}), ''), {", ".join(cells)}
        FROM read_csv({quoted(one.path.as_posix())}, delim = {quoted(one.delimiter)}, header = true, auto_detect = false,
                      columns = {{{shape}}}, quote = '"', escape = '"')
    """
    try:
        ((count,),) = connection.execute(statement).fetchall()
    except Error as error:
        problem = next(iter(str(error).strip().splitlines()), "")
        raise UnreadableFile(file=one.path.name, problem=f"{problem.removeprefix('Invalid Input Error: ')}.") from error
    if count == 0:
        raise NoRecords(file=one.path.name)
    return int(count)


def _check_ids(connection: "DuckDBPyConnection", one: Input, source: int) -> None:
    ((without,),) = connection.execute(
        "SELECT count(*) FROM given WHERE source = ? AND id IS NULL", [source]
    ).fetchall()
    if without:
        raise MissingIds(file=one.path.name, column=one.id_column, count=without)
    ((count, examples),) = connection.execute(
        """SELECT count(*), array_to_string(list(id ORDER BY id)[:3], ', ')
        FROM (SELECT id FROM given WHERE source = ? GROUP BY id HAVING count(*) > 1)""",
        [source],
    ).fetchall()
    if count:
        raise DuplicateIds(file=one.path.name, column=one.id_column, count=count, examples=examples)


def quoted(text: str) -> str:
    """A text as SQL has it, where a value can't be bound."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
