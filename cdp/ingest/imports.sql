-- name: import_source
-- A source by its name, with what its records take from it where they don't say.
SELECT source_id, name, channel, division, location, identifier_namespace, default_region
FROM source WHERE name = %(name)s;

-- name: imported_records
-- What was delivered before under these keys, locked until the transaction ends.
SELECT external_id, version, digest
FROM imported_record
WHERE source_id = %(source_id)s AND kind = %(kind)s AND external_id = ANY (%(external_ids)s)
ORDER BY external_id
FOR UPDATE;

-- name: put_imported_records
-- What is delivered now.
INSERT INTO imported_record AS held (source_id, kind, external_id, version, digest)
SELECT %(source_id)s, %(kind)s, external_id, version, digest
FROM unnest(%(external_ids)s::text[], %(versions)s::bigint[], %(digests)s::bytea[]) AS told (external_id, version, digest)
ORDER BY external_id
ON CONFLICT (source_id, kind, external_id) DO UPDATE
    SET version = excluded.version, digest = excluded.digest, imported_at = now()
    WHERE held.version <= excluded.version;

-- name: put_staff
-- Account managers by e-mail, as told last; the id of each.
INSERT INTO staff AS held (email, name, title, phone)
SELECT email, name, title, phone
FROM json_to_recordset(%(staff)s) AS told (email text, name text, title text, phone text)
ORDER BY email
ON CONFLICT (email) DO UPDATE SET
    name = excluded.name, title = coalesce(excluded.title, held.title), phone = coalesce(excluded.phone, held.phone)
RETURNING email, staff_id;
