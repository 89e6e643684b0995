"""Golden values: of each of a customer's traits the statement that counts, with whose it is; and the quarantine of a customer."""

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on

from cdp.access.tables import source
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows
from cdp.identify.tables import customer, profile, profile_trait, trait_rank


def golden_traits(row: Row, _arguments: Arguments) -> Rows:
    """The statement that counts of each trait, as `describe_customers` chooses it; traits that it unsets are left out."""
    told, of, by_whom, ranked = profile_trait.alias(), profile.alias(), source.alias(), trait_rank.alias()
    is_of = (of.c.customer_id == told.c.customer_id) & (of.c.profile_id == told.c.profile_id)
    is_ranked = (ranked.c.trait == told.c.trait) & (ranked.c.source_id == of.c.source_id)
    newest = (
        select(told.c.customer_id, told.c.profile_id, told.c.trait, told.c.value, told.c.stated_at, of.c.source_id)
        .ext(distinct_on(told.c.trait))
        .select_from(told)
        .join(of, is_of)
        .join(by_whom, by_whom.c.source_id == of.c.source_id)
        .outerjoin(ranked, is_ranked)
        .where(told.c.customer_id == row.c.customer_id)
        .order_by(
            told.c.trait,
            ranked.c.rank,
            by_whom.c.verified.desc(),
            told.c.stated_at.desc(),
            of.c.source_id.desc(),
            told.c.message_id.collate("C").desc(),
        )
        .correlate(row)
        .subquery()
    )
    return Rows(newest, (func.jsonb_typeof(newest.c.value) != "null",))


def profile_of(row: Row, _arguments: Arguments) -> Rows:
    """The profile whose statement counts."""
    found = profile.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.profile_id == row.c.profile_id))


def quarantine_of(row: Row, _arguments: Arguments) -> Rows:
    """The customer's own quarantine, where there is one."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.quarantined_at.is_not(None)))
