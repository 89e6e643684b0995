"""Normal forms, and the values that point at nobody."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.identify.identifier import LONGEST_VALUE_CHARACTERS, Identifier, identify, is_blocked, namespace_of


@pytest.mark.parametrize(
    ("namespace", "given_value", "region", "normal"),
    [
        ("email", " Ana.Lopez+news@Example.ORG ", None, "ana.lopez+news@example.org"),
        ("email", "ana@EXÄMPLE.org", None, "ana@xn--exmple-cua.org"),
        ("email", "mailto:ana@example.org", None, "ana@example.org"),
        ("email", "ana.example.org", None, None),
        ("email", "ana@example.org, ben@example.org", None, None),
        ("phone", "+34 600 123 456", None, "+34600123456"),
        ("phone", "600 123 456", "ES", "+34600123456"),
        ("phone", "0034 600 123 456", "ES", "+34600123456"),
        ("phone", "600 123 456", None, None),
        ("phone", "call me", "ES", None),
        ("vat", "ES A-28015865", None, "ESA28015865"),
        ("vat", "A28015865", "ES", "ESA28015865"),
        ("vat", "99 no rule", None, "99NORULE"),
        ("user_id", "  42 ", None, "42"),
        ("user_id", "Case Matters", None, "Case Matters"),
        ("crm_id", "K-1", None, "K-1"),
    ],
)
def test_normal_forms(namespace: str, given_value: str, region: str | None, normal: str | None) -> None:
    expected = None if normal is None else Identifier(namespace, normal)
    assert identify(namespace, given_value, region=region) == expected


@pytest.mark.parametrize(
    "value",
    ["", " ", "null", "NULL", "undefined", "Anonymous", "-1", "0", "0000", "---", "00000000-0000-0000-0000-000000000000",
     "[object Object]", "NaN", "none", "xxxxxxxxxx", "11111111", "a\x00b", "x" * (LONGEST_VALUE_CHARACTERS + 1)],
)  # fmt: skip
@pytest.mark.parametrize("namespace", ["user_id", "anonymous_id", "crm_id"])
def test_blocked_values_point_at_nobody(namespace: str, value: str) -> None:
    assert identify(namespace, value) is None


def test_well_known_test_mailboxes_point_at_nobody() -> None:
    assert identify("email", "Test@test.com") is None
    assert identify("email", "test@mytest.com") is not None


def test_nobody_may_claim_a_profile_node_or_a_malformed_namespace() -> None:
    for namespace in ("profile", "", "Email", "a b", "a" * 65, "1a"):
        assert identify(namespace, "x1") is None


@pytest.mark.parametrize(
    ("told", "namespace"),
    [("crm_id", "crm_id"), ("ios.idfa", "ios_idfa"), ("crossDomainId", "cross_domain_id"), ("cross domain-id", "cross_domain_id"),
     ("profile", None), ("", None), ("9", None), ("日本", None)],
)  # fmt: skip
def test_namespaces_are_spelt_one_way(told: str, namespace: str | None) -> None:
    assert namespace_of(told) == namespace


@given(st.sampled_from(["email", "phone", "vat", "user_id"]), st.text(), st.sampled_from([None, "ES", "US"]))
def test_a_normal_form_is_its_own_normal_form(namespace: str, value: str, region: str | None) -> None:
    found = identify(namespace, value, region=region)
    if found is not None:
        assert identify(namespace, found.value, region=region) == found


_LABELS = st.text("aZ09-", min_size=1, max_size=64)
_ENDINGS = st.sampled_from(
    ["com", "test", "local", "PT", "x1", "1a", "Localhost", "onion", "arpa", "invalid", "museum", "9", "c"]
)


@settings(max_examples=500)
@given(st.text("aZ09._+-%' é", min_size=1, max_size=66), st.lists(_LABELS, max_size=5), _ENDINGS)
def test_a_plain_address_is_read_as_email_validator_reads_it(local: str, labels: list[str], ending: str) -> None:
    address = f"{local.strip()}@{'.'.join([*labels, ending])}"
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True, strict=False)
    except EmailNotValidError:
        expected = None
    else:
        expected = Identifier("email", f"{checked.local_part}@{checked.ascii_domain}".lower())
    found = identify("email", address)
    assert found == (
        None if len(address) > LONGEST_VALUE_CHARACTERS or (expected and is_blocked(expected.value)) else expected
    )
