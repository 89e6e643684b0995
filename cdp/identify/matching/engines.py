"""Engines: DuckDB inside this process, or Spark. Both run the same model by Splink and leave the same two tables in DuckDB.

`scored`: each pair that weighs enough to be kept, with Splink's columns (`gamma_…` the level, `mw_…` its weight). `clustered`:
each record's cluster, the records connected by pairs at or above a weight. Spark reads what was prepared from a Parquet file and
writes Parquet back; `spark.py` starts it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cdp.identify.matching.reading import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from splink import Linker

EngineName = Literal["duckdb", "spark"]


class Engine(Protocol):
    """What runs a model over the table `record`."""

    jaro_winkler: str

    def score(self, settings: dict[str, Any], least: float) -> None:
        """Make the table `scored` of the pairs that weigh at least so."""

    def cluster(self, least: float) -> None:
        """Make the table `clustered` (`unique_id`, `cluster_id`) of the pairs scored at least so."""


@contextmanager
def start(name: EngineName, connection: "DuckDBPyConnection", folder: Path) -> Iterator[Engine]:
    """The engine, until the block ends. Raises SparkMissing, JavaMissing."""
    if name == "duckdb":
        yield DuckDBEngine(connection)
        return
    from cdp.identify.matching.spark import session

    with session(folder) as running:
        yield SparkEngine(connection, running, folder)


class DuckDBEngine:
    """In this process, spilling to disk where memory ends."""

    jaro_winkler = "jaro_winkler_similarity"

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        self._connection = connection
        self._linker: Linker | None = None
        self._scored: Any = None

    def score(self, settings: dict[str, Any], least: float) -> None:
        """Make the table `scored`."""
        from splink import DuckDBAPI, Linker

        self._linker = Linker(DuckDBAPI(self._connection).register("record"), settings, log_level=None)
        self._scored = self._linker.inference.predict(threshold_match_weight=least, warning_mode="never")
        self._connection.execute(f"CREATE OR REPLACE VIEW scored AS FROM {self._scored.physical_name}")

    def cluster(self, least: float) -> None:
        """Make the table `clustered`."""
        clustered = _cluster(self._linker, self._scored, least)
        self._connection.execute(
            f"CREATE OR REPLACE VIEW clustered AS SELECT unique_id, cluster_id FROM {clustered.physical_name}"
        )


class SparkEngine:
    """On Spark, by way of Parquet files in a folder that its executors can reach."""

    jaro_winkler = "jaro_winkler"

    def __init__(self, connection: "DuckDBPyConnection", session: Any, folder: Path) -> None:
        self._connection = connection
        self._session = session
        self._folder = folder
        self._linker: Linker | None = None
        self._scored: Any = None

    def score(self, settings: dict[str, Any], least: float) -> None:
        """Make the table `scored`."""
        from splink import Linker, SparkAPI

        records = self._folder / "record.parquet"
        self._connection.execute(f"COPY record TO {quoted(records.as_posix())} (FORMAT parquet)")
        frame = self._session.read.parquet(records.as_uri())
        api = SparkAPI(spark_session=self._session)  # type: ignore[no-untyped-call]
        self._linker = Linker(api.register(frame), settings, log_level=None)
        self._scored = self._linker.inference.predict(threshold_match_weight=least, warning_mode="never")
        self._bring("scored", self._scored, "*")

    def cluster(self, least: float) -> None:
        """Make the table `clustered`."""
        self._bring("clustered", _cluster(self._linker, self._scored, least), "unique_id, cluster_id")

    def _bring(self, name: str, found: Any, columns: str) -> None:
        """What Spark found, as a table of DuckDB."""
        folder = self._folder / name
        found.as_spark_dataframe().write.mode("overwrite").parquet(folder.as_uri())
        files = quoted(f"{folder.as_posix()}/*.parquet")
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {columns} FROM read_parquet({files})")


def _cluster(linker: "Linker | None", scored: Any, least: float) -> Any:
    if linker is None:
        msg = "pairs are scored before records are clustered"
        raise RuntimeError(msg)
    return linker.clustering.cluster_pairwise_predictions_at_threshold(scored, threshold_match_weight=least)
