"""Amounts have the digits that ISO 4217 gives their currency, and are rounded half-up, once."""

from decimal import Decimal

import pytest

from cdp.ledger.money import AmountOutOfRange, UnknownCurrency, exponent, is_exact, money


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("EUR", 2), ("JPY", 0), ("KWD", 3), ("IQD", 3), ("CLF", 4), ("HUF", 2), ("ISK", 0), ("DEM", 2)],
)
def test_a_currency_has_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("code", ["EUX", "eur", "XXX", "XTS", "XAU", "", "EURO"])
def test_what_nobody_is_invoiced_in_is_no_currency(code: str) -> None:
    with pytest.raises(UnknownCurrency, match="is not an ISO 4217 currency code"):
        exponent(code)


@pytest.mark.parametrize(
    ("given", "currency", "rounded"),
    [
        ("0.125", "EUR", "0.13"),
        ("-0.125", "EUR", "-0.13"),
        ("2.5", "JPY", "3"),
        ("1.0005", "KWD", "1.001"),
        ("12", "EUR", "12.00"),
        ("1E+2", "EUR", "100.00"),
        ("999999999999999.994", "EUR", "999999999999999.99"),
    ],
)
def test_amounts_are_rounded_half_up(given: str, currency: str, rounded: str) -> None:
    assert str(money(Decimal(given), currency)) == rounded


@pytest.mark.parametrize("given", ["1E+15", "-1E+15", "NaN", "sNaN", "Infinity", "1E+999999"])
def test_what_is_no_amount_is_refused(given: str) -> None:
    with pytest.raises(AmountOutOfRange):
        money(Decimal(given), "EUR")


def test_exact_means_no_digit_below_the_smallest_unit() -> None:
    assert is_exact(Decimal("1.10"), "EUR")
    assert is_exact(Decimal("1.100"), "EUR")
    assert not is_exact(Decimal("1.101"), "EUR")
