"""Files in, files out: the records of CSV files matched without a server, a database or anything that stays.

Pairs: both records by file and id, weight, probability, verdict and explanation, heaviest first. Clusters: each record with the
number of its cluster, a cluster for each customer that there seems to be; only matches tie, pairs to be reviewed don't.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdp.identify.matching.reading import Input, quoted, read, understand
from cdp.identify.matching.running import Options, Run, Tell, run, workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMatch:
    """What came of it: the run, what was read how, and how many clusters the records make."""

    run: Run
    inputs: tuple[Input, ...]
    clusters: int


def match_files(
    paths: Sequence[Path],
    *,
    id_column: str,
    given: Mapping[str, str],
    pairs: Path,
    clusters: Path | None,
    options: Options,
    tell: Tell,
) -> FileMatch:
    """Match the records of these files with one another, and write the pairs (and clusters) that come of it.

    Raises the errors of `reading`, `fields`, `preparing` and `running`; then nothing is written.
    """
    inputs = understand(paths, options.kind, id_column=id_column, given=given)
    with workplace(options) as (connection, folder):
        tell("Reading")
        read(connection, inputs, options.kind)
        done = run(connection, folder, options, tell)
        tell("Writing")
        names = ", ".join(f"({number}, {quoted(one.name)})" for number, one in enumerate(inputs))
        connection.execute(f"""
            CREATE TEMP VIEW known AS
            SELECT record, id, input.name FROM given JOIN (VALUES {names}) AS input (source, name) USING (source)
        """)
        connection.execute(f"""
            COPY (
                SELECT
                    one.name AS source_1, one.id AS id_1, other.name AS source_2, other.id AS id_2,
                    round(weight, 2) AS weight, round(probability, 6) AS probability, verdict, explanation
                FROM pair JOIN known AS one ON one.record = pair.one JOIN known AS other ON other.record = pair.other
                ORDER BY pair.weight DESC, pair.one, pair.other
            ) TO {quoted(pairs.as_posix())} (FORMAT csv, HEADER)
        """)
        connection.execute("""
            CREATE TEMP TABLE placed AS
            SELECT unique_id AS record, dense_rank() OVER (ORDER BY first) AS number
            FROM (SELECT unique_id, min(unique_id) OVER (PARTITION BY cluster_id) AS first FROM clustered)
        """)
        if clusters is not None:
            connection.execute(f"""
                COPY (
                    SELECT placed.number AS "cluster", known.name AS source, known.id
                    FROM placed JOIN known USING (record) ORDER BY placed.number, record
                ) TO {quoted(clusters.as_posix())} (FORMAT csv, HEADER)
            """)
        ((count,),) = connection.execute("SELECT coalesce(max(number), 0) FROM placed").fetchall()
        return FileMatch(run=done, inputs=inputs, clusters=count)
