"""Preferences: what each member wants to be told, how and how often; and consents, which are only ever added.

Members save through functions that ask who they are; one, for links in letters, is asked with the member that a signed link
names. `contact_topic` is the matrix with what holds until somebody chooses, so that pages and senders read the same.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"
OWN = "member_id = (SELECT current_member()) AND (SELECT current_account()) IS NOT NULL"
FREQUENCIES = "('at_once', 'daily', 'weekly', 'never')"

TOPICS = """
INSERT INTO contact_topic (position, topic, channel, default_frequency, needs_consent) VALUES
    (1, 'invoices', 'email', 'at_once', NULL),
    (2, 'orders', 'email', 'at_once', NULL),
    (3, 'cases', 'email', 'at_once', NULL),
    (4, 'announcements', 'email', 'at_once', NULL),
    (5, 'news', 'email', 'weekly', 'news_email'),
    (6, 'invoices', 'phone', 'never', NULL),
    (7, 'orders', 'phone', 'never', NULL),
    (8, 'cases', 'phone', 'at_once', NULL),
    (9, 'announcements', 'phone', 'never', NULL),
    (10, 'news', 'phone', 'at_once', 'news_phone');
"""

FUNCTIONS = f"""
CREATE FUNCTION consent_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'consent_record is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER consent_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON consent_record
    FOR EACH STATEMENT EXECUTE FUNCTION consent_is_append_only();
-- Whether a member's latest word on a purpose is yes.
CREATE FUNCTION consent_stands(given uuid, given_purpose text) RETURNS boolean LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT coalesce((SELECT is_granted FROM consent_record WHERE member_id = given AND purpose = given_purpose
        ORDER BY consent_id DESC LIMIT 1), false)
$$;
-- Saves the current member's choices, one for each element of the arrays; true unless there is no such member here.
CREATE FUNCTION portal_save_preferences(
    topics text[], channels text[], frequencies text[], until date, given_locale text, given_zone text
) RETURNS boolean LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me uuid := current_member();
    here uuid := current_account();
BEGIN
    IF me IS NULL OR here IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO member_preference (member_id, topic, channel, frequency)
    SELECT me, chosen.topic, chosen.channel, chosen.frequency
    FROM unnest(topics, channels, frequencies) AS chosen (topic, channel, frequency)
        JOIN contact_topic USING (topic, channel)
    ON CONFLICT (member_id, topic, channel) DO UPDATE SET frequency = excluded.frequency, changed_at = now()
        WHERE member_preference.frequency <> excluded.frequency;
    UPDATE member SET locale = given_locale, time_zone = given_zone, letters_paused_until = until WHERE member_id = me;
    INSERT INTO audit_record (event, outcome, actor, account_id)
    SELECT 'preferences_changed', 'done', subject, here FROM member WHERE member_id = me;
    RETURN true;
END $$;
-- No more letters about a topic, for the member that a signed link names. Does nothing the second time, nor for who is not there.
CREATE FUNCTION portal_unsubscribe(given uuid, given_topic text, wording text) RETURNS void
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    asked text;
BEGIN
    IF NOT EXISTS (SELECT FROM member WHERE member_id = given) THEN
        RETURN;
    END IF;
    INSERT INTO member_preference (member_id, topic, channel, frequency)
    SELECT given, topic, channel, 'never' FROM contact_topic WHERE topic = given_topic AND channel = 'email'
    ON CONFLICT (member_id, topic, channel) DO UPDATE SET frequency = 'never', changed_at = now()
        WHERE member_preference.frequency <> 'never';
    SELECT needs_consent INTO asked FROM contact_topic WHERE topic = given_topic AND channel = 'email';
    IF asked IS NOT NULL AND consent_stands(given, asked) THEN
        INSERT INTO consent_record (member_id, purpose, is_granted, wording_version, wording, language, means, recorded_by)
        SELECT given, asked, false, 'unsubscribe', wording, member.locale, 'unsubscribe_link', 'member:' || given::text
        FROM member WHERE member_id = given;
    END IF;
END $$;
"""

PORTAL_FUNCTIONS = (
    "portal_save_preferences(text[], text[], text[], date, text, text)",
    "portal_unsubscribe(uuid, text, text)",
)


def upgrade() -> None:
    """Tables with what holds by default, functions, then walls."""
    op.add_column(
        "member", sa.Column("letters_paused_until", sa.Date(), comment="No letters but necessary ones before that day")
    )
    op.create_table(
        "contact_topic",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("default_frequency", sa.Text(), nullable=False),
        sa.Column("needs_consent", sa.Text(), comment="The purpose that somebody must have consented to"),
        sa.PrimaryKeyConstraint("topic", "channel", name="contact_topic_pkey"),
        sa.CheckConstraint(f"default_frequency IN {FREQUENCIES}", name=op.f("contact_topic_frequency_is_known")),
    )
    op.create_table(
        "member_preference",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("frequency", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "topic", "channel", name="member_preference_pkey"),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="member_preference_refers_to_member"),
        sa.CheckConstraint(f"frequency IN {FREQUENCIES}", name=op.f("member_preference_frequency_is_known")),
    )
    op.create_table(
        "consent_record",
        sa.Column("consent_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("is_granted", sa.Boolean(), nullable=False, comment="False: withdrawn"),
        sa.Column("wording_version", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False, comment="What was shown, word by word"),
        sa.Column("language", sa.Text(), nullable=False, comment="In which language"),
        sa.Column("means", sa.Text(), nullable=False, comment="How: preferences_page or unsubscribe_link"),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="Who said so: member:… and their id"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", name="consent_record_pkey"),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="consent_record_refers_to_member"),
        sa.CheckConstraint(
            "purpose IN ('news_email', 'news_phone', 'suggestions')", name=op.f("consent_record_purpose_is_known")
        ),
        sa.CheckConstraint(
            "means IN ('preferences_page', 'unsubscribe_link')", name=op.f("consent_record_means_is_known")
        ),
    )
    op.create_index("consent_record_by_member", "consent_record", ["member_id", "purpose", "consent_id"])
    op.execute(TOPICS)
    op.execute(FUNCTIONS)
    op.execute("REVOKE UPDATE, DELETE ON consent_record FROM cdp_app")
    for signature in (*PORTAL_FUNCTIONS, "consent_stands(uuid, text)"):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
    for signature in PORTAL_FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    op.execute("GRANT EXECUTE ON FUNCTION consent_stands(uuid, text) TO cdp_app")
    for table in ("contact_topic", "member_preference", "consent_record"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company_sees_all ON {table} TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
        op.execute(f"GRANT SELECT ON {table} TO cdp_portal")
    op.execute("""CREATE POLICY members_see_all ON contact_topic FOR SELECT TO cdp_portal
        USING ((SELECT current_account()) IS NOT NULL)""")
    for table in ("member_preference", "consent_record"):
        op.execute(f"CREATE POLICY member_sees_own ON {table} FOR SELECT TO cdp_portal USING ({OWN})")
    op.execute(f"""CREATE POLICY member_says_so ON consent_record FOR INSERT TO cdp_portal
        WITH CHECK ({OWN} AND means = 'preferences_page' AND recorded_by = 'member:' || member_id::text)""")
    op.execute("""GRANT INSERT (member_id, purpose, is_granted, wording_version, wording, language, means, recorded_by)
        ON consent_record TO cdp_portal""")
    op.execute("GRANT SELECT (letters_paused_until) ON member TO cdp_portal")
