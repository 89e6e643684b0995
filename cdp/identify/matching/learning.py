"""Learning: how often two records of different customers agree by chance (`u`), and how many pairs are one customer at all.

Both come from the records themselves, without anybody's labels. `u` is counted over all pairs of a sample, so it is the same on
every engine and every day; of records that agree by a strong rule the sample has one, else duplicates would pass for chance.
The second is found after scoring: the expected number of matches is the sum of their probabilities, which shifts every weight
alike until the two agree (expectation maximisation over that one number).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cdp.identify.matching.models import Comparison
from cdp.identify.matching.preparing import Prepared

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE_RECORDS: Final = 2_000
"""Two million pairs at most, compared in seconds; what one pair in a million shows is seen."""

FEWEST_RECORDS: Final = 300
"""Of fewer, a level that chance reaches once in a thousand pairs would be learned from a handful, and no value is common."""

FIRST_MATCHES_PER_RECORD: Final = 0.1
MATCHES_PER_RECORD: Final = (0.0005, 5.0)
"""Before scoring one record in ten is taken to have a twin; after it, whatever the scores say within these bounds."""

_SETTLED: Final = 1e-6

Chances = Mapping[tuple[str, str], float]
"""`u` by comparison and level (what it says)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What was learned before scoring: chances, of how many sampled records, and the prior weight that scoring starts from."""

    chances: Chances
    sample: int
    prior: float

    @property
    def frequencies(self) -> bool:
        """Whether a value that few have weighs more: only where there are enough records to know."""
        return bool(self.chances)


def learn(connection: "DuckDBPyConnection", prepared: Prepared) -> Learned:
    """Count chances over a sample of the table `record`. Too few records teach nothing: the model's own `u` stand."""
    possible = max(prepared.records * (prepared.records - 1) / 2, 1)
    prior = _weight(min(FIRST_MATCHES_PER_RECORD * prepared.records / possible, 0.5))
    sample = _sample(connection, prepared)
    chances: Chances = {}
    if sample >= FEWEST_RECORDS:
        from splink import DuckDBAPI, Linker

        untaught = Learned(chances={}, sample=0, prior=prior)
        settings = splink_settings(prepared.comparisons, untaught, rules=(), jaro_winkler="jaro_winkler_similarity")
        linker = Linker(DuckDBAPI(connection).register("sampled"), settings, log_level=None)
        linker.training.estimate_u_using_random_sampling(
            max_pairs=SAMPLE_RECORDS**2, min_count_per_level=None, num_chunks=1
        )
        chances = {
            (told["output_column_name"], level["label_for_charts"]): level["u_probability"]
            for told in linker.misc.save_model_to_json()["comparisons"]
            for level in told["comparison_levels"]
            if isinstance(level.get("u_probability"), float) and level["u_probability"] > 0
        }
    connection.execute("DROP TABLE sampled")
    return Learned(chances=chances, sample=sample, prior=prior)


def hopeless(lower: float) -> float:
    """Weight, by the prior that scoring starts from, below which a pair needn't be kept: no shift brings it up to `lower`."""
    return min(lower, 0) - 2 * math.log2(MATCHES_PER_RECORD[1] / FIRST_MATCHES_PER_RECORD)


def calibrate(scores: Sequence[tuple[float, int]], prior: float, possible: float, records: int) -> float:
    """By how much every weight shifts, so that as many pairs match as the shifted weights together expect.

    `scores` are (weight, pairs with about that weight) as scored with the prior weight `prior`; `possible` is the number of
    pairs that there are, looked at or not. Bounded by `MATCHES_PER_RECORD`.
    """
    least, most = (_weight(min(bound * records / possible, 0.5)) - prior for bound in MATCHES_PER_RECORD)
    shift = 0.0
    for _ in range(100):
        expected = sum(pairs * probability(weight + shift) for weight, pairs in scores)
        following = min(max(_weight(expected / possible) - prior if expected else least, least), most)
        if abs(following - shift) < _SETTLED:
            break
        shift = following
    return shift


def splink_settings(
    comparisons: Sequence[Comparison], learned: Learned, *, rules: Sequence[str], jaro_winkler: str
) -> dict[str, Any]:
    """The model in Splink's terms. `rules` are conditions in SQL."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": probability(learned.prior),
        "retain_matching_columns": True,  # the levels come with the values
        "retain_intermediate_calculation_columns": True,
        "blocking_rules_to_generate_predictions": [{"blocking_rule": rule} for rule in rules],
        "comparisons": [
            {
                "output_column_name": one.name,
                "comparison_levels": [
                    {"sql_condition": one.missing, "label_for_charts": "missing", "is_null_level": True},
                    *(
                        {
                            "sql_condition": level.when.replace("{jaro_winkler}", jaro_winkler),
                            "label_for_charts": level.says,
                            "m_probability": level.m,
                            "u_probability": learned.chances.get((one.name, level.says), level.u),
                            **(
                                {"tf_adjustment_column": level.frequency_of}
                                if level.frequency_of and learned.frequencies
                                else {}
                            ),
                        }
                        for level in one.levels
                    ),
                ],
            }
            for one in comparisons
        ],
    }


def probability(weight: float) -> float:
    """Of a match, by its weight (log2 of the odds)."""
    return 1 / (1 + 2**-weight) if weight > -1000 else 0.0  # noqa: PLR2004 — 2**1000 is the largest there is


def _weight(chance: float) -> float:
    return math.log2(chance / (1 - chance))


def _sample(connection: "DuckDBPyConnection", prepared: Prepared) -> int:
    """The table `sampled`: records picked by a hash of their number, one of those that agree by a strong rule; how many."""
    kept = [
        f"({one.column} IS NULL OR row_number() OVER (PARTITION BY {one.column} ORDER BY unique_id) = 1)"
        for one in prepared.rules
        if one.rule.is_strong
    ]
    connection.execute(f"""
        CREATE OR REPLACE TABLE sampled AS
        FROM (FROM record ORDER BY hash(unique_id), unique_id LIMIT {SAMPLE_RECORDS})
        {"QUALIFY " + " AND ".join(kept) if kept else ""}
    """)
    ((count,),) = connection.execute("SELECT count(*) FROM sampled").fetchall()
    return int(count)
