-- name: source_of_key
-- The source a write key opens, while the key lasts.
SELECT source.source_id, source.allowed_origins, write_key.expires_at
FROM write_key JOIN source USING (source_id)
WHERE key_hash = %(key_hash)s AND (expires_at IS NULL OR expires_at > now());

-- name: put_source
-- A new source.
INSERT INTO source (name, channel, division, location, identifier_namespace, default_region, allowed_origins, verified)
VALUES (
    %(name)s, %(channel)s, %(division)s, %(location)s, %(identifier_namespace)s, %(default_region)s,
    %(allowed_origins)s, %(verified)s
)
RETURNING source_id;

-- name: put_write_key
-- A new write key, by its hash.
INSERT INTO write_key (key_hash, source_id, hint) VALUES (%(key_hash)s, %(source_id)s, %(hint)s);

-- name: end_write_keys
-- Keys of a source end, soon, unless they end before.
UPDATE write_key SET expires_at = least(coalesce(expires_at, 'infinity'), now() + %(overlap)s)
WHERE source_id = %(source_id)s;

-- name: sources_of
-- What projections need to know of sources.
SELECT source_id, channel, division, location, default_region FROM source WHERE source_id = ANY (%(source_ids)s);

-- name: source_named
-- A source by its name.
SELECT source_id FROM source WHERE name = %(name)s;

-- name: visitor_source
-- What a visitor's token has to do with: a source by id, or by name where the id is null.
SELECT
    source_id, name, channel, division, location, default_region, allowed_origins, visitor_traits, visitor_generation
FROM source
WHERE source_id = %(source_id)s::uuid OR (%(source_id)s::uuid IS NULL AND name = %(name)s);

-- name: listed_sources
-- Sources by name; one, where a name is given.
SELECT source_id, name, channel, division, location, allowed_origins, visitor_traits
FROM source
WHERE %(name)s::text IS NULL OR name = %(name)s
ORDER BY name;

-- name: listed_keys
-- Write keys of sources, or of one, latest first.
SELECT source_id, key_hash, hint, write_key.created_at, expires_at, expires_at IS NULL OR expires_at > now()
FROM write_key JOIN source USING (source_id)
WHERE %(name)s::text IS NULL OR name = %(name)s
ORDER BY write_key.created_at DESC, key_hash;

-- name: end_write_key
-- One key ends now.
UPDATE write_key SET expires_at = now() WHERE key_hash = %(key_hash)s;

-- name: update_source
-- What is given of a source changes.
UPDATE source SET
    allowed_origins = coalesce(%(allowed_origins)s::text[], allowed_origins),
    visitor_traits = coalesce(%(visitor_traits)s::text[], visitor_traits)
WHERE name = %(name)s;

-- name: end_visitor_tokens
-- Tokens of visitors that were given before are no longer taken.
UPDATE source SET visitor_generation = visitor_generation + 1 WHERE name = %(name)s RETURNING visitor_generation;
