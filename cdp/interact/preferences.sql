-- name: letter_choices
-- What members chose about letters on topics, one row for each pair that exists.
SELECT member.member_id, topic.topic, member.email, member.name, member.locale, member.time_zone,
    coalesce(chosen.frequency, topic.default_frequency) AS frequency, member.letters_paused_until AS paused_until,
    topic.needs_consent IS NULL OR consent_stands(member.member_id, topic.needs_consent) AS is_permitted
FROM (SELECT DISTINCT * FROM unnest(%(members)s::uuid[], %(topics)s::text[]) AS pair (member_id, topic)) AS asked
    JOIN member USING (member_id)
    JOIN contact_topic AS topic ON topic.topic = asked.topic AND topic.channel = 'email'
    LEFT JOIN member_preference AS chosen
        ON chosen.member_id = member.member_id AND chosen.topic = topic.topic AND chosen.channel = topic.channel
WHERE member.disabled_at IS NULL;

-- name: save
-- Save the current member's preferences; false when there is no such member here.
SELECT portal_save_preferences(
    %(topics)s::text[], %(channels)s::text[], %(frequencies)s::text[], %(until)s::date, %(locale)s, %(time_zone)s
);

-- name: record_consent
-- Append what a member says to a purpose.
INSERT INTO consent_record (member_id, purpose, is_granted, wording_version, wording, language, means, recorded_by)
VALUES (%(member_id)s, %(purpose)s, %(is_granted)s, %(wording_version)s, %(wording)s, %(language)s, 'preferences_page',
    'member:' || %(member_id)s::uuid::text);
