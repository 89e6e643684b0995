"""Explaining: each proposed pair with its weight, and what of that weight comes from where.

The weights of an explanation add up to the pair's: it starts from the prior (any two records are most likely two customers),
and each comparison adds to it or takes from it. No value of a record is in it, only what was found: explanations outlive records.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cdp.identify.matching.learning import Learned
from cdp.identify.matching.models import Comparison
from cdp.identify.matching.reading import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def explain(
    connection: "DuckDBPyConnection",
    comparisons: Sequence[Comparison],
    *,
    learned: Learned,
    shift: float,
    lower: float,
    upper: float,
) -> None:
    """Make the table `pair` of the pairs in `scored` that weigh `lower` or more, but for those in the table `apart`.

    Columns: `one`, `other` (records, the earlier first), `weight`, `probability`, `verdict` (match, review), `starts_at`,
    `findings` (a list of {comparison, found, weight}, in the model's order), `explanation` (both in words).
    """
    findings = ", ".join(_finding(one, learned) for one in comparisons)
    connection.execute(f"""
        CREATE OR REPLACE TABLE pair AS
        SELECT
            *,
            printf('two at random: %+.1f; ', starts_at) || array_to_string(list_transform(
                findings,
                lambda each: each.comparison || ': ' || each.found || ' ' || printf('%+.1f', each.weight)
            ), '; ') AS explanation
        FROM (
            SELECT
                least(unique_id_l, unique_id_r) AS one, greatest(unique_id_l, unique_id_r) AS other,
                match_weight + {shift} AS weight,
                1 / (1 + pow(2, -(match_weight + {shift}))) AS probability,
                CASE WHEN match_weight + {shift} >= {upper} THEN 'match' ELSE 'review' END AS verdict,
                ({learned.prior + shift})::DOUBLE AS starts_at,
                list_filter([{findings}], lambda each: each.found IS NOT NULL) AS findings
            FROM scored WHERE match_weight + {shift} >= {lower}
        ) AS found
        ANTI JOIN apart USING (one, other)
    """)


def _finding(one: Comparison, learned: Learned) -> str:
    last = len(one.levels) - 1
    found = " ".join(f"WHEN {last - place} THEN {quoted(level.says)}" for place, level in enumerate(one.levels))
    weight = f"mw_{one.name}"
    if learned.frequencies and any(level.frequency_of for level in one.levels):
        weight = f"{weight} + coalesce(mw_tf_adj_{one.name}, 0)"
    return f"{{comparison: {quoted(one.title)}, found: CASE gamma_{one.name} {found} END, weight: {weight}}}"
