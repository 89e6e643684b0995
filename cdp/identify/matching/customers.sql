-- name: persons
-- Every person with what their golden values tell, in the columns of `fields`; sources spell traits as they like.
COPY (
    SELECT
        customer_id, name,
        coalesce(traits ->> 'firstName', traits ->> 'first_name', traits ->> 'givenName', traits ->> 'given_name') AS given_name,
        coalesce(traits ->> 'lastName', traits ->> 'last_name', traits ->> 'familyName', traits ->> 'family_name') AS family_name,
        coalesce(
            traits ->> 'birthday', traits ->> 'dateOfBirth', traits ->> 'date_of_birth', traits ->> 'birthdate', traits ->> 'dob'
        ) AS date_of_birth,
        coalesce(traits ->> 'nationalId', traits ->> 'national_id', traits ->> 'taxId', traits ->> 'tax_id') AS national_id,
        email, phone,
        coalesce(
            traits #>> '{address,street}', traits ->> 'street', traits #>> '{address,line1}',
            CASE jsonb_typeof(traits -> 'address') WHEN 'string' THEN traits ->> 'address' END
        ) AS street,
        coalesce(
            traits #>> '{address,houseNumber}', traits #>> '{address,house_number}', traits ->> 'houseNumber',
            traits ->> 'house_number'
        ) AS house_number,
        coalesce(traits #>> '{address,line2}', traits ->> 'address_2') AS address_extra,
        coalesce(traits #>> '{address,city}', traits ->> 'city') AS city,
        coalesce(
            traits #>> '{address,postalCode}', traits #>> '{address,postal_code}', traits #>> '{address,postcode}',
            traits #>> '{address,zip}', traits ->> 'postalCode', traits ->> 'postal_code', traits ->> 'postcode', traits ->> 'zip'
        ) AS postcode
    FROM customer WHERE kind = 'person'
) TO STDOUT (FORMAT csv, HEADER);

-- name: organisations
-- Every organisation, likewise; of several VAT numbers the one that was seen first.
COPY (
    SELECT
        customer.customer_id, name,
        coalesce(
            (SELECT value FROM customer_identifier AS known
             WHERE known.customer_id = customer.customer_id AND namespace = 'vat' ORDER BY first_seen_at, value LIMIT 1),
            traits ->> 'vat', traits ->> 'taxId', traits ->> 'tax_id'
        ) AS tax_id,
        coalesce(traits ->> 'website', traits ->> 'url', traits ->> 'domain') AS website,
        email, phone,
        coalesce(
            traits #>> '{address,street}', traits ->> 'street', traits #>> '{address,line1}',
            CASE jsonb_typeof(traits -> 'address') WHEN 'string' THEN traits ->> 'address' END
        ) AS street,
        coalesce(
            traits #>> '{address,houseNumber}', traits #>> '{address,house_number}', traits ->> 'houseNumber',
            traits ->> 'house_number'
        ) AS house_number,
        coalesce(traits #>> '{address,line2}', traits ->> 'address_2') AS address_extra,
        coalesce(traits #>> '{address,city}', traits ->> 'city') AS city,
        coalesce(
            traits #>> '{address,postalCode}', traits #>> '{address,postal_code}', traits #>> '{address,postcode}',
            traits #>> '{address,zip}', traits ->> 'postalCode', traits ->> 'postal_code', traits ->> 'postcode', traits ->> 'zip'
        ) AS postcode
    FROM customer WHERE kind = 'organisation'
) TO STDOUT (FORMAT csv, HEADER);

-- name: partings
-- What people parted, and a parting that a later link took back is no more.
SELECT one_namespace, one_value, other_namespace, other_value FROM decision WHERE kind = 'part' AND withdrawn_at IS NULL;

-- name: homes
-- Whose these profiles are.
SELECT profile_id, customer_id FROM profile WHERE profile_id = ANY (%(profile_ids)s::uuid[]);
