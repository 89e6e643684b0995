"""Cases with their messages and files, and the notices that go out by mail.

The portal reads and adds within its own account: a client admin all of it, finance what is about the ledger and their own, a
buyer their own, a viewer nothing. What follows from a message, which the portal may not write, a function does: the case's
state, the dispute that marks a contested invoice, and the customer's contact. Nothing is ever changed or taken away.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"
ROLE = "(SELECT current_member_role())"
OWN = "account_id = (SELECT current_account())"
HOLDER = "customer_id = (SELECT customer_id FROM account WHERE account_id = (SELECT current_account()))"
SEEN = f"""{OWN} AND ({ROLE} = 'client_admin'
    OR ({ROLE} IN ('finance', 'buyer') AND member_id = (SELECT current_member()))
    OR ({ROLE} = 'finance' AND (kind = 'invoice_query' OR entry_id IS NOT NULL)))"""
# The sub-selects are under the portal's policies themselves: what a member doesn't see isn't there to be named.
ABOUT = """(entry_id IS NULL OR EXISTS (SELECT FROM ledger_entry AS named
        WHERE named.customer_id = customer_case.customer_id AND named.entry_id = customer_case.entry_id))
    AND (order_id IS NULL OR EXISTS (SELECT FROM sales_order AS named
        WHERE named.customer_id = customer_case.customer_id AND named.order_id = customer_case.order_id))"""
OPENED = f"""{SEEN} AND {HOLDER} AND {ABOUT} AND member_id = (SELECT current_member()) AND status = 'open'
    AND (kind <> 'invoice_query' OR {ROLE} IN ('finance', 'client_admin'))"""

FUNCTIONS = f"""
-- The next number of the account's cases, of which a buyer sees but their own; until the transaction ends it is this one's.
CREATE FUNCTION portal_case_number() RETURNS integer LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('customer_case ' || current_account()::text, 0));
    RETURN (SELECT coalesce(max(number), 0) + 1 FROM customer_case WHERE account_id = current_account());
END $$;

-- What follows from a message that was just added: the case's state, the dispute, the contact. Once for each message.
CREATE FUNCTION case_message_told(given_message uuid, given_today date, hours_standard integer, hours_key integer) RETURNS void
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    said case_message;
    about customer_case;
    home account;
    from_source uuid;
    contact uuid := new_id();
    is_message boolean;
BEGIN
    SELECT * INTO said FROM case_message WHERE message_id = given_message FOR UPDATE;
    IF NOT FOUND OR said.interaction_id IS NOT NULL
        OR (current_member() IS NOT NULL AND said.account_id IS DISTINCT FROM current_account()) THEN
        RETURN;
    END IF;
    SELECT * INTO STRICT about FROM customer_case
    WHERE customer_id = said.customer_id AND case_id = said.case_id FOR UPDATE;
    SELECT * INTO STRICT home FROM account WHERE customer_id = said.customer_id AND account_id = said.account_id;
    is_message := said.event = 'message';
    IF about.is_dispute AND about.dispute_id IS NULL AND is_message THEN
        about.dispute_id := new_id();
        INSERT INTO dispute (customer_id, dispute_id, account_id, entry_id, reason, opened_on)
        VALUES (about.customer_id, about.dispute_id, about.account_id, about.entry_id, about.subject, given_today);
    ELSIF about.dispute_id IS NOT NULL AND said.event <> 'assigned' THEN
        -- The dispute is over with the case, and back with it.
        UPDATE dispute SET closed_on = CASE WHEN said.event = 'closed' THEN given_today END
        WHERE customer_id = about.customer_id AND dispute_id = about.dispute_id
            AND (said.event = 'closed' OR about.status = 'closed');
    END IF;
    UPDATE customer_case SET
        dispute_id = about.dispute_id,
        status = CASE
            WHEN said.event = 'closed' THEN 'closed'
            WHEN NOT is_message THEN about.status
            WHEN said.author = 'member' THEN 'open'
            ELSE 'answered' END,
        respond_by = CASE
            WHEN NOT is_message OR said.author <> 'member' THEN about.respond_by
            WHEN about.status = 'open' AND about.respond_by IS NOT NULL THEN about.respond_by
            ELSE said.written_at + make_interval(hours => CASE home.tier WHEN 'key' THEN hours_key ELSE hours_standard END) END,
        first_answered_at = coalesce(
            about.first_answered_at, CASE WHEN said.author = 'staff' AND said.event <> 'assigned' THEN said.written_at END),
        last_message_at = greatest(about.last_message_at, said.written_at),
        closed_at = CASE said.event WHEN 'closed' THEN said.written_at WHEN 'message' THEN NULL ELSE about.closed_at END,
        satisfied = CASE said.event WHEN 'closed' THEN said.satisfied WHEN 'message' THEN NULL ELSE about.satisfied END
    WHERE customer_id = about.customer_id AND case_id = about.case_id;
    IF said.event <> 'assigned' THEN
        INSERT INTO source (name, channel, identifier_namespace) VALUES ('extranet', 'extranet', 'member_id')
        ON CONFLICT (name) DO NOTHING;
        SELECT source_id INTO STRICT from_source FROM source WHERE name = 'extranet';
        INSERT INTO interaction (
            customer_id, interaction_id, profile_id, source_id, kind, direction, name, topic, channel, occurred_at, properties)
        VALUES (
            said.customer_id, contact, home.profile_id, from_source, 'chat',
            CASE said.author WHEN 'member' THEN 'inbound' ELSE 'outbound' END, about.subject, about.kind, 'extranet',
            said.written_at,
            jsonb_strip_nulls(jsonb_build_object(
                'caseId', 'cas_' || replace(about.case_id::text, '-', ''), 'caseNumber', about.number, 'event', said.event,
                'author', said.author_name, 'text', nullif(said.body, ''), 'satisfied', said.satisfied)));
    END IF;
    UPDATE case_message SET interaction_id = contact
    WHERE customer_id = said.customer_id AND message_id = said.message_id;
END $$;
"""
SIGNATURES = ("portal_case_number()", "case_message_told(uuid, date, integer, integer)")


def upgrade() -> None:
    """Make the tables, the functions, their walls and grants."""
    _cases()
    _notices()
    for table in ("customer_case", "case_message", "case_file", "notice"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company_sees_all ON {table} TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
    op.execute(f"CREATE POLICY member_sees_cases_by_role ON customer_case FOR SELECT TO cdp_portal USING ({SEEN})")
    op.execute(f"CREATE POLICY member_opens_cases ON customer_case FOR INSERT TO cdp_portal WITH CHECK ({OPENED})")
    op.execute("""GRANT SELECT (customer_id, case_id, account_id, number, kind, status, subject, entry_id, order_id, is_dispute,
        member_id, opened_by_name, assigned_staff_id, opened_at, respond_by, first_answered_at, last_message_at, closed_at,
        satisfied) ON customer_case TO cdp_portal""")
    op.execute("""GRANT INSERT (customer_id, case_id, account_id, number, kind, subject, entry_id, order_id, is_dispute,
        member_id, opened_by, opened_by_name, opened_at, last_message_at) ON customer_case TO cdp_portal""")
    for table in ("case_message", "case_file"):
        op.execute(f"""CREATE POLICY member_sees_what_their_cases_hold ON {table} FOR SELECT TO cdp_portal
            USING ({OWN} AND EXISTS (SELECT FROM customer_case AS held
                WHERE held.customer_id = {table}.customer_id AND held.case_id = {table}.case_id))""")
    op.execute(f"""CREATE POLICY member_writes_in_their_cases ON case_message FOR INSERT TO cdp_portal
        WITH CHECK ({OWN} AND {HOLDER} AND author = 'member' AND event IN ('message', 'closed')
            AND author_id = 'member:' || (SELECT current_member())
            AND EXISTS (SELECT FROM customer_case AS held
                WHERE held.customer_id = case_message.customer_id AND held.case_id = case_message.case_id))""")
    op.execute(f"""CREATE POLICY member_adds_files_to_their_messages ON case_file FOR INSERT TO cdp_portal
        WITH CHECK ({OWN} AND {HOLDER} AND EXISTS (SELECT FROM case_message AS held
            WHERE held.customer_id = case_file.customer_id AND held.message_id = case_file.message_id
                AND held.case_id = case_file.case_id AND held.author = 'member'
                AND held.author_id = 'member:' || (SELECT current_member())))""")
    op.execute("""GRANT SELECT (customer_id, message_id, case_id, account_id, event, author, author_id, author_name, body,
        satisfied, written_at) ON case_message TO cdp_portal""")
    op.execute("""GRANT INSERT (customer_id, message_id, case_id, account_id, event, author, author_id, author_name, body,
        satisfied, written_at) ON case_message TO cdp_portal""")
    op.execute("GRANT SELECT, INSERT ON case_file TO cdp_portal")
    op.execute(FUNCTIONS)
    for signature in SIGNATURES:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal, cdp_app")


def _cases() -> None:
    op.create_table(
        "customer_case",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="Counts the account's cases from 1"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), comment="The invoice or other entry it is about"),
        sa.Column("order_id", sa.Uuid(), comment="The order it is about"),
        sa.Column(
            "is_dispute",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Whether it contests that entry",
        ),
        sa.Column("dispute_id", sa.Uuid(), comment="The dispute that marks the entry meanwhile"),
        sa.Column("member_id", sa.Uuid(), comment="Who opened it, when a member did"),
        sa.Column("opened_by", sa.Text(), nullable=False, comment="member:…, client:… or a staff person's subject"),
        sa.Column("opened_by_name", sa.Text(), nullable=False),
        sa.Column("assigned_staff_id", sa.Uuid(), comment="Who looks after it"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("respond_by", sa.DateTime(timezone=True), comment="When the answer it waits for is promised"),
        sa.Column("first_answered_at", sa.DateTime(timezone=True)),
        sa.Column("last_message_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("satisfied", sa.Boolean(), comment="What the client said at the end, when they did"),
        sa.PrimaryKeyConstraint("customer_id", "case_id", name="customer_case_pkey"),
        sa.CheckConstraint(
            "kind IN ('question', 'invoice_query', 'complaint', 'return', 'reorder', 'details')",
            name=op.f("customer_case_kind_is_known"),
        ),
        sa.CheckConstraint("status IN ('open', 'answered', 'closed')", name=op.f("customer_case_status_is_known")),
        sa.CheckConstraint(
            "(status = 'closed') = (closed_at IS NOT NULL)", name=op.f("customer_case_closed_says_when")
        ),
        sa.CheckConstraint(
            "entry_id IS NOT NULL OR NOT is_dispute", name=op.f("customer_case_dispute_is_about_an_entry")
        ),
        sa.UniqueConstraint("customer_id", "account_id", "number", name="customer_case_is_numbered_once"),
    )
    op.create_index(
        "customer_case_by_account_and_time",
        "customer_case",
        ["account_id", sa.text("last_message_at DESC"), sa.text("case_id DESC")],
    )
    op.create_index("customer_case_by_case_id", "customer_case", ["case_id"])
    op.create_index(
        "customer_case_waiting",
        "customer_case",
        ["respond_by", "case_id"],
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "case_message",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), server_default="message", nullable=False, comment="message, closed or assigned"),
        sa.Column("author", sa.Text(), nullable=False, comment="member, staff or system"),
        sa.Column("author_id", sa.Text(), nullable=False, comment="member:…, client:… or a staff person's subject"),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), server_default="", nullable=False),
        sa.Column("satisfied", sa.Boolean(), comment="Of a closing"),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), comment="The contact it is; NULL until it is told"),
        sa.Column("noticed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("customer_id", "message_id", name="case_message_pkey"),
        sa.CheckConstraint("event IN ('message', 'closed', 'assigned')", name=op.f("case_message_event_is_known")),
        sa.CheckConstraint("author IN ('member', 'staff', 'system')", name=op.f("case_message_author_is_known")),
    )
    op.create_index("case_message_by_case", "case_message", ["customer_id", "case_id", "written_at", "message_id"])
    op.create_index("case_message_by_message_id", "case_message", ["message_id"])
    op.create_index(
        "case_message_unnoticed", "case_message", ["message_id"], postgresql_where=sa.text("noticed_at IS NULL")
    )
    op.create_table(
        "case_file",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "media_type",
            sa.Text(),
            nullable=False,
            comment="Of what it was found to be, whatever it was said to be",
        ),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "file_id", name="case_file_pkey"),
        sa.CheckConstraint("size_bytes = length(content)", name=op.f("case_file_size_is_right")),
    )
    op.create_index("case_file_by_message", "case_file", ["customer_id", "message_id"])
    op.create_index("case_file_by_file_id", "case_file", ["file_id"])


def _notices() -> None:
    op.create_table(
        "notice",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False, comment="The invoice, shipment or message it tells of"),
        sa.Column("recipient", sa.Text(), nullable=False, comment="member or staff"),
        sa.Column("recipient_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "send_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Not before; whoever wants fewer letters gets several in one",
        ),
        sa.Column(
            "claimed_until",
            sa.DateTime(timezone=True),
            comment="A worker is sending it; another may from then on",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("problem", sa.Text(), comment="Why it was not sent"),
        sa.PrimaryKeyConstraint("customer_id", "notice_id", name="notice_pkey"),
        sa.CheckConstraint(
            "kind IN ('invoice_due', 'order_shipped', 'case_answered', 'case_waiting')",
            name=op.f("notice_kind_is_known"),
        ),
        sa.CheckConstraint("recipient IN ('member', 'staff')", name=op.f("notice_recipient_is_known")),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'withheld', 'failed')", name=op.f("notice_state_is_known")),
        sa.UniqueConstraint(
            "customer_id", "kind", "subject_id", "recipient", "recipient_id", name="notice_is_given_once"
        ),
    )
    op.create_index("notice_waiting", "notice", ["send_at", "notice_id"], postgresql_where=sa.text("state = 'waiting'"))
    op.create_index("notice_by_account_id", "notice", ["account_id"])
    op.create_table(
        "notice_progress",
        sa.Column("single", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "seq", sa.BigInteger(), server_default="0", nullable=False, comment="Changes up to here were gone through"
        ),
        sa.PrimaryKeyConstraint("single", name="notice_progress_pkey"),
        sa.CheckConstraint("single", name=op.f("notice_progress_there_is_one")),
    )
