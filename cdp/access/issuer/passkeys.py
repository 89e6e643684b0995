"""Passkeys (Web Authentication Level 3): making one, and proving that one is at hand.

A challenge is a sealed note to ourselves: which browser it is for, what for, and since when. It travels with the page and costs
nothing until somebody brings it back signed; then it is good once. A passkey that stands alone must have checked its owner
(user verification: a finger, a face, a PIN); beside a password it is enough that somebody touched it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json, parse_registration_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from cdp.access.issuer.factors import Passkey
from cdp.access.issuer.records import Person
from cdp.access.issuer.store import fetch, note, take_once
from cdp.access.sealing import digest, equal, seal_text, unseal_text
from cdp.errors import InvalidField
from cdp.settings import Settings, secret_key

CHALLENGE_SECONDS: Final = 600
LONGEST_NAME: Final = 60
MOST_PASSKEYS: Final = 20
_PURPOSE: Final = "passkey challenge"


class PasskeyRefused(InvalidField):
    """The {field} {problem}"""  # noqa: D400 - the problem brings its full stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What passkeys are made and used for here: this issuer, in one browser (its form cookie's secret)."""

    settings: Settings
    origin: str
    browser: str

    @property
    def rp_id(self) -> str:
        """The host, without port (WebAuthn §5.1.2)."""
        return urlsplit(self.origin).hostname or ""

    def challenge(self, purpose: str) -> str:
        """A new challenge."""
        told = {"browser": digest(self.browser).hex(), "purpose": purpose, "at": int(time.time())}
        return seal_text(secret_key(self.settings), _PURPOSE, orjson.dumps(told))

    def knows(self, challenge: str, purpose: str) -> bool:
        """Whether we made this challenge for this browser and purpose, lately."""
        plain = unseal_text(secret_key(self.settings), _PURPOSE, challenge)
        told = orjson.loads(plain) if plain else {}
        return (
            equal(str(told.get("browser")), digest(self.browser).hex())
            and told.get("purpose") == purpose
            and time.time() - told["at"] <= CHALLENGE_SECONDS
        )


def creation_options(ceremony: Ceremony, person: Person, have: Sequence[Passkey]) -> tuple[str, str]:
    """A challenge, and the options of `navigator.credentials.create` as JSON."""
    challenge = ceremony.challenge(f"make {person.user_id}")
    options = generate_registration_options(
        rp_id=ceremony.rp_id,
        rp_name=ceremony.settings.seller_name,
        user_name=person.email,
        user_display_name=person.name,
        user_id=person.user_id.bytes,
        challenge=challenge.encode(),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in have],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.PREFERRED
        ),
    )
    return challenge, options_to_json(options)


def request_options(ceremony: Ceremony, *, purpose: str, have: Sequence[Passkey] = ()) -> tuple[str, str]:
    """A challenge, and the options of `navigator.credentials.get` as JSON: for any passkey that checks its owner, or for one of
    `have`.
    """
    challenge = ceremony.challenge(purpose)
    needed = UserVerificationRequirement.DISCOURAGED if have else UserVerificationRequirement.REQUIRED
    options = generate_authentication_options(
        rp_id=ceremony.rp_id,
        challenge=challenge.encode(),
        allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in have],
        user_verification=needed,
    )
    return challenge, options_to_json(options)


async def make_passkey(
    connection: AsyncConnection[Any], ceremony: Ceremony, person: Person, *, credential: str, challenge: str, name: str
) -> None:
    """Keep the passkey that a browser made. Raises PasskeyRefused, InvalidField (name)."""
    name = " ".join(name.split()) or "Passkey"
    if len(name) > LONGEST_NAME:
        raise InvalidField(field="name", problem=f"must have at most {LONGEST_NAME} characters.")
    if not ceremony.knows(challenge, f"make {person.user_id}") or not await _is_new(connection, challenge):
        raise PasskeyRefused(field="passkey", problem="was asked for too long ago. Please try again.")
    try:
        parsed = parse_registration_credential_json(credential)
        made = verify_registration_response(
            credential=parsed,
            expected_challenge=challenge.encode(),
            expected_rp_id=ceremony.rp_id,
            expected_origin=ceremony.origin,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise PasskeyRefused(field="passkey", problem="could not be read. Please try again.") from error
    saved = await fetch(
        connection,
        "save_passkey",
        credential_id=made.credential_id,
        user_id=person.user_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        name=name,
        transports=[transport.value for transport in parsed.response.transports or []],
    )
    if saved is None:
        raise PasskeyRefused(field="passkey", problem="is known already.")
    await note(connection, "passkey_added", actor=str(person.user_id))


async def use_passkey(
    connection: AsyncConnection[Any],
    ceremony: Ceremony,
    *,
    credential: str,
    challenge: str,
    purpose: str,
    of: UUID | None = None,
) -> UUID | None:
    """Whose passkey signed the challenge: `of` this person, who gave a password before, or of anybody it checked. None when it
    proves nothing.
    """
    if not ceremony.knows(challenge, purpose):
        return None
    try:
        parsed = parse_authentication_credential_json(credential)
        row = await fetch(connection, "passkey", credential_id=parsed.raw_id)
        if row is None or (of is not None and row["user_id"] != of):
            return None
        proof = verify_authentication_response(
            credential=parsed,
            expected_challenge=challenge.encode(),
            expected_rp_id=ceremony.rp_id,
            expected_origin=ceremony.origin,
            credential_public_key=bytes(row["public_key"]),
            credential_current_sign_count=row["sign_count"],
            require_user_verification=of is None,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        return None
    handle, user_id = parsed.response.user_handle, row["user_id"]
    if (handle is not None and handle != user_id.bytes) or not await _is_new(connection, challenge):
        return None
    await fetch(connection, "use_passkey", credential_id=parsed.raw_id, sign_count=proof.new_sign_count)
    found: UUID = user_id
    return found


async def drop_passkey(connection: AsyncConnection[Any], user_id: UUID, named: str) -> bool:
    """A person's passkey is no more; false when it is none of theirs."""
    try:
        credential_id = bytes.fromhex(named)
    except ValueError:
        return False
    if await fetch(connection, "drop_passkey", credential_id=credential_id, user_id=user_id) is None:
        return False
    await fetch(connection, "drop_idle_recovery_codes", user_id=user_id)
    await note(connection, "passkey_removed", actor=str(user_id))
    return True


async def _is_new(connection: AsyncConnection[Any], challenge: str) -> bool:
    until = datetime.now(UTC) + timedelta(seconds=CHALLENGE_SECONDS + 60)
    return await take_once(connection, f"{_PURPOSE} {challenge}", until=until)
