"""Running: from the table `given` to the tables `pair` and `clustered`, step by step, with what happened for the summary.

The steps: prepare, learn, score, calibrate, explain, cluster. Where the records come from and where the pairs go is the business
of `files` and `customers`.
"""

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cdp.errors import CdpError, Invalid
from cdp.identify.claims import Kind
from cdp.identify.matching import engines
from cdp.identify.matching.engines import EngineName
from cdp.identify.matching.explaining import explain
from cdp.identify.matching.learning import Learned, calibrate, hopeless, learn, splink_settings
from cdp.identify.matching.models import MODELS, Comparison
from cdp.identify.matching.preparing import Prepared, prepare

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UPPER: Final = 10.0
"""A thousand to one: default of the weight from which a pair is a match."""

LOWER: Final = 0.0
"""Even odds: default of the weight from which a person should look."""

MEMORY: Final = "2GB"
"""For DuckDB, whatever the number of records; what is beyond goes to its folder on disk."""

Tell = Callable[[str], None]
"""Called with what is being done now."""


class MatchingMissing(CdpError):
    """Matching needs packages that aren't installed: pip install 'customer-graph[match]'."""


class ThresholdsCrossed(Invalid):
    """The upper threshold ({upper}) is below the lower one ({lower})."""

    upper: float
    lower: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to match: what kind of customers, on which engine, from which weights on.

    `across` leaves out pairs of records from one and the same input. `folder` is for what is kept meanwhile, on disk.
    """

    kind: Kind = "person"
    engine: EngineName = "duckdb"
    upper: float = UPPER
    lower: float = LOWER
    across: bool = False
    folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """A level of a comparison as it was used: what it says, `m`, `u`, and how many of the pairs that match or may show it."""

    says: str
    m: float
    u: float
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What happened. `weights` are (weight, pairs) in steps of a quarter; `chances` by comparison."""

    model: str
    options: Options
    prepared: Prepared
    learned: Learned
    shift: float
    weights: tuple[tuple[float, int], ...]
    matches: int
    reviews: int
    chances: tuple[tuple[Comparison, tuple[Chance, ...]], ...]

    @property
    def looked_at(self) -> int:
        """Pairs scored that weren't hopeless."""
        return sum(pairs for _, pairs in self.weights)


@contextmanager
def workplace(options: Options) -> Iterator[tuple["DuckDBPyConnection", Path]]:
    """A database of DuckDB in a folder of its own, gone afterwards. Raises MatchingMissing, ThresholdsCrossed."""
    if options.upper < options.lower:
        raise ThresholdsCrossed(upper=options.upper, lower=options.lower)
    try:
        import duckdb
        import splink  # noqa: F401 — asked for here, so that its absence is told before anything is read
    except ImportError as error:
        raise MatchingMissing from error
    logging.getLogger("splink").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="cdp-match-", dir=options.folder, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        connection = duckdb.connect(folder / "match.duckdb")
        try:
            connection.execute(f"SET memory_limit = '{MEMORY}'")
            connection.execute("SET enable_progress_bar = false")
            yield connection, folder
        finally:
            connection.close()


def run(
    connection: "DuckDBPyConnection",
    folder: Path,
    options: Options,
    tell: Tell,
    *,
    apart: Sequence[tuple[str, str]] = (),
    clusters: bool = True,
) -> Run:
    """Make the tables `pair` and, if wanted, `clustered` of the table `given`. `apart`: ids of records known to be two.

    Raises NothingToCompare, and with Spark SparkMissing and JavaMissing.
    """
    model = MODELS[options.kind]
    _keep_apart(connection, apart)
    tell("Preparing")
    prepared = prepare(connection, model, options.kind)
    tell("Learning what is chance")
    learned = learn(connection, prepared)
    if options.engine == "spark":
        tell("Starting Spark")
    with engines.start(options.engine, connection, folder) as engine:
        tell("Comparing")
        across = " AND l.source <> r.source" if options.across else ""
        rules = [f"l.{one.column} = r.{one.column}{across}" for one in prepared.rules if one.pairs]
        settings = splink_settings(
            prepared.comparisons,
            learned,
            rules=rules or ["FALSE"],
            jaro_winkler=engine.jaro_winkler,
        )
        engine.score(settings, hopeless(options.lower))
        weights = _weights(connection)
        shift = calibrate(weights, learned.prior, _possible(connection, options), prepared.records)
        tell("Explaining")
        explain(
            connection,
            prepared.comparisons,
            learned=learned,
            shift=shift,
            lower=options.lower,
            upper=options.upper,
        )
        if clusters:
            tell("Clustering")
            engine.cluster(options.upper - shift)
    verdicts = dict(connection.execute("SELECT verdict, count(*) FROM pair GROUP BY verdict").fetchall())
    return Run(
        model=model.name,
        options=options,
        prepared=prepared,
        learned=learned,
        shift=shift,
        weights=tuple((weight + shift, pairs) for weight, pairs in weights),
        matches=verdicts.get("match", 0),
        reviews=verdicts.get("review", 0),
        chances=_chances(connection, prepared, learned),
    )


def _keep_apart(connection: "DuckDBPyConnection", apart: Sequence[tuple[str, str]]) -> None:
    """The table `apart`: pairs of records that aren't proposed, whatever they weigh."""
    ones, others = [one for one, _ in apart], [other for _, other in apart]
    connection.execute(
        """CREATE TABLE apart AS
        SELECT DISTINCT least(one.record, other.record) AS one, greatest(one.record, other.record) AS other
        FROM (SELECT unnest(?::VARCHAR[]) AS one_id, unnest(?::VARCHAR[]) AS other_id) AS pair
        JOIN given AS one ON one.id = pair.one_id JOIN given AS other ON other.id = pair.other_id""",
        [ones, others],
    )


def _weights(connection: "DuckDBPyConnection") -> list[tuple[float, int]]:
    return connection.execute(
        "SELECT round(match_weight * 4) / 4, count(*) FROM scored GROUP BY 1 ORDER BY 1"
    ).fetchall()


def _possible(connection: "DuckDBPyConnection", options: Options) -> float:
    """How many pairs of records there are at all."""
    ((possible,),) = connection.execute(
        """SELECT (sum(size) * (sum(size) - 1) - CASE WHEN ? THEN sum(size * (size - 1)) ELSE 0 END) / 2
        FROM (SELECT count(*) AS size FROM record GROUP BY source)""",
        [options.across],
    ).fetchall()
    return max(float(possible), 1.0)


def _chances(
    connection: "DuckDBPyConnection", prepared: Prepared, learned: Learned
) -> tuple[tuple[Comparison, tuple[Chance, ...]], ...]:
    """How often each level was found among the pairs of the table `pair`, beside how often it should be."""
    counts = connection.execute("""
        SELECT finding.comparison, finding.found, count(*) FROM (SELECT unnest(findings) AS finding FROM pair) GROUP BY ALL
    """).fetchall()
    found = {(comparison, says): count for comparison, says, count in counts}
    return tuple(
        (
            one,
            tuple(
                Chance(
                    says=level.says,
                    m=level.m,
                    u=learned.chances.get((one.name, level.says), level.u),
                    pairs=found.get((one.title, level.says), 0),
                )
                for level in one.levels
            ),
        )
        for one in prepared.comparisons
    )
