"""Identifiers: a namespaced value that points at someone, as given and in its normal form; and the values that point
at nobody.

Two values are the same identifier exactly when namespace and normal form are equal. E-mail plus-tags and dots stay:
they are different mailboxes unless a rule says otherwise. Source: identity rule 2 and the normal forms above it.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

import email_validator
import phonenumbers
from stdnum import vatin
from stdnum.exceptions import ValidationError as InvalidNumber

USER_ID: Final = "user_id"
ANONYMOUS_ID: Final = "anonymous_id"
EMAIL: Final = "email"
PHONE: Final = "phone"
VAT: Final = "vat"
GROUP_ID: Final = "group_id"
ACCOUNT_NUMBER: Final = "account_number"

PROFILE: Final = "profile"
"""Namespace of a profile's own node (value: its id as 32 hexadecimal digits); no source may claim in it."""

LONGEST_VALUE_CHARACTERS: Final = 255
LONGEST_NAMESPACE_CHARACTERS: Final = 64

BLOCKED_VALUES: Final = frozenset({
    "", "null", "nil", "none", "undefined", "nan", "n/a", "void", "empty", "unknown", "anonymous", "guest", "test",
    "true", "false", "[object object]", "(null)", "(none)", "(not set)", "-1", "0",
    "test@test.com", "none@none.com", "no@email.com", "noemail@noemail.com",
})  # fmt: skip
"""Values that programs send when they mean nobody, compared case-folded. Source: rule 2 and the lists of other
platforms.
"""

BLOCKED_PATTERNS: Final = (
    re.compile(r"[0\-_.\s:]+"),  # all zeros or dashes, an all-zero UUID or advertising id
    re.compile(r"(.)\1{7,}"),  # xxxxxxxx, 11111111
)

_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]*")

_PLAIN_EMAIL: Final = re.compile(
    r"(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@(?P<domain>(?:[A-Za-z0-9]{1,63}\.){1,4}[A-Za-z]{2,63})"
)
"""What nearly every address looks like; its normal form is known without asking email-validator: fifty times as fast."""
_LONGEST_LOCAL_PART: Final = 64  # RFC 5321 §4.5.3.1
_LONGEST_ADDRESS: Final = 254
_SPECIAL_DOMAINS: Final = tuple(f".{name}" for name in email_validator.SPECIAL_USE_DOMAIN_NAMES)


class Identifier(NamedTuple):
    """Namespace and normal form: equal identifiers point at the same someone. A tuple, because millions of them are
    keys.
    """

    namespace: str
    value: str


@lru_cache(maxsize=131_072)
def identify(namespace: str, given: str, *, region: str | None = None) -> Identifier | None:
    """The identifier behind a value as given; None when it is blocked, too long, or no such thing (an e-mail without
    `@`).

    `region` is the ISO 3166 region that reads national phone numbers; without one only `+…` numbers are read.
    """
    if len(given) > LONGEST_VALUE_CHARACTERS or len(namespace) > LONGEST_NAMESPACE_CHARACTERS:
        return None
    if namespace == PROFILE or not _NAMESPACE.fullmatch(namespace):
        return None
    value = _normal_form(namespace, given.strip(), region)
    if value is None or "\x00" in value or is_blocked(value):
        return None
    return Identifier(namespace, value)


def is_blocked(value: str) -> bool:
    """Whether a value, as given or normal, points at nobody."""
    folded = value.strip().casefold()
    return folded in BLOCKED_VALUES or any(pattern.fullmatch(folded) for pattern in BLOCKED_PATTERNS)


def namespace_of(given: str) -> str | None:
    """A namespace from a source's own spelling, such as `externalIds[].type`: `cross_domain_id`, `ios.idfa` →
    `ios_idfa`.
    """
    spelt = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", given.strip())
    spelt = re.sub(r"[^a-z0-9]+", "_", spelt.lower()).strip("_")
    if not _NAMESPACE.fullmatch(spelt) or len(spelt) > LONGEST_NAMESPACE_CHARACTERS or spelt == PROFILE:
        return None
    return spelt


def _normal_form(namespace: str, given: str, region: str | None) -> str | None:
    if namespace == EMAIL:
        return _email(given)
    if namespace == PHONE:
        return _phone(given, region)
    if namespace == VAT:
        return _vat(given, region)
    return given


def _email(given: str) -> str | None:
    plain = _PLAIN_EMAIL.fullmatch(given)
    if (
        plain
        and len(given) <= _LONGEST_ADDRESS
        and len(plain["local"]) <= _LONGEST_LOCAL_PART
        and not plain["domain"].lower().endswith(_SPECIAL_DOMAINS)
    ):
        return given.lower()
    try:
        checked = email_validator.validate_email(
            given.removeprefix("mailto:"), check_deliverability=False, test_environment=True, strict=False
        )
    except email_validator.EmailNotValidError:
        return None
    # `.ascii_domain` is the IDNA form, so that both spellings of a domain are one mailbox.
    return f"{checked.local_part}@{checked.ascii_domain}".lower()


def _phone(given: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(given, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _vat(given: str, region: str | None) -> str | None:
    """With its country's letters, checked by that country's rule; a number no rule knows is kept compact, as given."""
    compact = re.sub(r"[\s.\-/]", "", given).upper()
    for candidate in (compact, f"{region or ''}{compact}"):
        try:
            return str(vatin.validate(candidate))
        except InvalidNumber:
            continue
    return compact or None
