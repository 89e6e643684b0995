"""Money as a value object: an exact amount and its currency."""

from typing import Any, Final

from sqlalchemy import ColumnElement, case, func

from cdp.graph.declaration import Inline
from cdp.ledger.money import currencies, exponent

_USUAL_EXPONENT: Final = 2


def money(amount: ColumnElement[Any], currency: ColumnElement[Any]) -> Inline:
    """A stored amount, which already has as many digits as its currency; null where the amount is."""
    return Inline({"amount": amount, "currency": currency}, amount.is_(None))


def total(amount: ColumnElement[Any], currency: ColumnElement[Any]) -> Inline:
    """A computed amount, never null: given the currency's digits, which a sum of nothing would lack."""
    return Inline({"amount": rounded(amount, currency), "currency": currency})


def rounded(amount: ColumnElement[Any], currency: ColumnElement[Any]) -> ColumnElement[Any]:
    """An amount with the digits of its currency."""
    return func.round(amount, _exponent(currency))


def _exponent(currency: ColumnElement[Any]) -> ColumnElement[Any]:
    unusual: dict[int, list[str]] = {}
    for code in sorted(currencies()):
        if exponent(code) != _USUAL_EXPONENT:
            unusual.setdefault(exponent(code), []).append(code)
    whens = ((currency.in_(codes), digits) for digits, codes in sorted(unusual.items()))
    return case(*whens, else_=_USUAL_EXPONENT)
