-- name: invite
-- Keep an invitation into the current account; what is wrong, and how long to wait where that is it.
SELECT code, wait_seconds FROM portal_invite(%(invite)s, %(email)s, %(role)s, %(seconds)s, %(most)s, %(sites)s);

-- name: withdraw_invite
-- Withdraw an open invitation; what is wrong.
SELECT portal_withdraw_invite(%(invite_id)s);

-- name: set_role
-- Give a member of the current account another role; what is wrong.
SELECT portal_set_member_role(%(member_id)s, %(role)s);

-- name: set_sites
-- Limit a member of the current account to sites, or (NULL) let them see every one; what is wrong.
SELECT portal_set_member_sites(%(member_id)s, %(sites)s);

-- name: remove
-- End a membership of the current account, and its sessions; what is wrong.
SELECT portal_remove_member(%(member_id)s);

-- name: who_invites
-- The current member and account, as a letter calls them.
SELECT member.name, account.name FROM member, account
WHERE member_id = current_member() AND account_id = current_account();
