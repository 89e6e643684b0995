"""Money: ISO 4217 currencies, their exponents, and the one rounding an amount ever gets.

Amounts are Decimal in a named currency. They are rounded half-up to the currency's exponent where they enter
(statement rule 8); everything after that is exact.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from types import MappingProxyType
from typing import Final

from babel.numbers import list_currencies

from cdp.errors import Invalid

LARGEST_AMOUNT: Final = Decimal(10) ** 15
"""Amounts must stay below: far above any invoice, far below what a spreadsheet still holds exactly."""

_ROUNDING: Final = Context(prec=40, rounding=ROUND_HALF_UP)

# ISO 4217, list one: the codes whose minor unit isn't two digits. CLDR's digits are about display and differ (IQD: 3,
# not 0).
_DIGITS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS: Final = MappingProxyType({code: digits for digits, codes in _DIGITS.items() for code in codes.split()})
# Codes for metals, testing, bond units and "no currency": nobody is invoiced in them.
_NO_MONEY: Final = "XAG XAU XBA XBB XBC XBD XDR XEU XFO XFU XPD XPT XRE XSU XTS XUA XXX"


class UnknownCurrency(Invalid):
    """{currency} is not an ISO 4217 currency code."""

    currency: str


class AmountOutOfRange(Invalid):
    """{amount} is not an amount: amounts are finite and below one quadrillion."""

    amount: str


@cache
def currencies() -> frozenset[str]:
    """Every code an account may be kept in, withdrawn ones included: ledgers remember."""
    return frozenset(list_currencies()) - frozenset(_NO_MONEY.split())


def is_currency(code: str) -> bool:
    """Whether `code` is a currency, in capitals as ISO 4217 writes it."""
    return code in currencies()


def exponent(currency: str) -> int:
    """Digits after the decimal point: EUR 2, JPY 0, KWD 3. Raises UnknownCurrency."""
    if not is_currency(currency):
        raise UnknownCurrency(currency=currency)
    return _EXPONENTS.get(currency, 2)


def money(amount: Decimal, currency: str) -> Decimal:
    """`amount` rounded half-up to the currency's exponent. Raises UnknownCurrency, AmountOutOfRange."""
    digits = exponent(currency)
    if not amount.is_finite() or abs(amount) >= LARGEST_AMOUNT:
        raise AmountOutOfRange(amount=str(amount)[:40])
    return amount.quantize(Decimal(1).scaleb(-digits), context=_ROUNDING)


def is_exact(amount: Decimal, currency: str) -> bool:
    """Whether `amount` has no digit below the currency's smallest unit. Raises as `money`."""
    return money(amount, currency) == amount
