"""What follows from a message in a case is done for the member who wrote it, and for nobody who is nobody.

`case_message_told` did it for any message where no member was played. The portal may call it no longer: its own function asks
first whether the message is the current member's, in the current account. A request to change details is on
record when it is opened.
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

SIGNATURE = "portal_case_message_told(uuid, date, integer, integer)"
FUNCTION = """
CREATE FUNCTION portal_case_message_told(given_message uuid, given_today date, hours_standard integer, hours_key integer)
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    said case_message;
BEGIN
    SELECT * INTO said FROM case_message
    WHERE message_id = given_message AND account_id = current_account() AND author = 'member'
        AND author_id = 'member:' || current_member();
    IF said.message_id IS NULL OR said.interaction_id IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM case_message_told(given_message, given_today, hours_standard, hours_key);
    INSERT INTO audit_record (event, outcome, actor, account_id, target)
    SELECT 'details_change_asked', 'done', member.subject, said.account_id, 'cas_' || replace(said.case_id::text, '-', '')
    FROM customer_case AS about, member
    WHERE about.customer_id = said.customer_id AND about.case_id = said.case_id AND about.kind = 'details'
        AND member.member_id = current_member() AND NOT EXISTS (
            SELECT FROM case_message AS before WHERE before.customer_id = said.customer_id AND before.case_id = said.case_id
                AND before.message_id <> said.message_id);
END $$;
"""


def upgrade() -> None:
    """The portal's function, in place of the one for all."""
    op.execute(FUNCTION)
    op.execute(f"REVOKE EXECUTE ON FUNCTION {SIGNATURE} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO cdp_portal, cdp_app")
    op.execute("REVOKE EXECUTE ON FUNCTION case_message_told(uuid, date, integer, integer) FROM cdp_portal")
