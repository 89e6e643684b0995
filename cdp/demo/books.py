"""The ledger of a company's account: invoices of what was sent, and everything that happens to an invoice after.

A pass over time, one currency after the other: payment runs settle what is due, whole or in part, several invoices at
once, at times without saying which; credit notes follow returns. Some invoices are held back, so that every age of debt
exists. Every figure is a sum of stored amounts; nothing is drawn that the ledger's own rules would refuse.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from cdp.demo.catalogue import TIME_ZONE
from cdp.demo.people import Company, rng_of
from cdp.demo.trade import DAYS, TradeOrder

HELD: Final = ((92, 170), (62, 88), (32, 58), (2, 27))
"""Days late of the invoices that a key account holds back, one in each window; the first is disputed."""

Record = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class _Invoice:
    """A debit, and what is still open of it."""

    key: str
    order: str | None
    posted_on: date
    due_on: date
    amount: Decimal
    open: Decimal
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """Import records in an order in which they can be told: entries, then allocations, then disputes."""

    entries: list[Record] = field(default_factory=list)
    allocations: list[Record] = field(default_factory=list)
    disputes: list[Record] = field(default_factory=list)


def books_of(seed: int, company: Company, orders: Sequence[TradeOrder], today: date) -> Books:
    """The account's ledger up to `today`."""
    books = Books()
    for currency in sorted({order.currency for order in orders}):
        rng = rng_of(seed, "books", company.key, currency)
        _Ledger(rng, company, currency, today, books).keep([one for one in orders if one.currency == currency])
    return books


class _Ledger:
    """One account in one currency."""

    def __init__(self, rng: random.Random, company: Company, currency: str, today: date, books: Books) -> None:
        self._rng = rng
        self._company = company
        self._currency = currency
        self._today = today
        self._books = books
        self._serial = 0

    def keep(self, orders: Sequence[TradeOrder]) -> None:
        """Post everything, in order of time as far as it matters to the rules."""
        invoices = sorted(self._invoices(orders), key=lambda one: one.posted_on)
        self._hold(invoices)
        credits_due = self._credit_notes(orders)
        for run_on in self._payment_runs():
            while credits_due and credits_due[0][0] <= run_on:
                self._credit(*credits_due.pop(0), invoices)
            self._pay(run_on, invoices)
        for credit in credits_due:
            self._credit(*credit, invoices)
        self._settle_held(invoices)
        self._oddities(invoices)

    def _invoices(self, orders: Sequence[TradeOrder]) -> Iterator[_Invoice]:
        for order in orders:
            for one in order.consignments:
                if one.shipped_at is None:
                    continue
                posted_on = one.shipped_at.astimezone(TIME_ZONE).date()
                due_on = posted_on + timedelta(days=self._company.terms_days)
                key = f"INV-{one.number[3:]}"
                self._post(
                    key,
                    "invoice",
                    one.amount,
                    posted_on,
                    due_on=due_on.isoformat(),
                    order=order.number,
                    purchase_order=order.purchase_order,
                    description=f"Delivery {one.number}",
                )
                yield _Invoice(
                    key=key, order=order.number, posted_on=posted_on, due_on=due_on, amount=one.amount, open=one.amount
                )

    def _hold(self, invoices: Sequence[_Invoice]) -> None:
        """Mark what is not paid: for key accounts an invoice of each age, for others now and then one."""
        is_main = self._currency == self._company.currency
        windows = (
            HELD if self._company.is_key_account and is_main else HELD[int(self._company.number[2:]) % 3 + 1 :][:1]
        )
        for first, last in windows:
            late = [one for one in invoices if not one.held and first <= (self._today - one.due_on).days <= last]
            if late:
                self._rng.choice(late).held = True

    def _credit_notes(self, orders: Sequence[TradeOrder]) -> list[tuple[date, str, Decimal]]:
        """(day, order, amount) of goods that came back, in order of time."""
        found = []
        for order in orders:
            returned_at = order.returned_at
            if returned_at is not None:
                credited_on = returned_at.astimezone(TIME_ZONE).date() + timedelta(days=2)
                amount = sum((one.amount for one in order.consignments), Decimal(0))
                if credited_on <= self._today:
                    found.append((credited_on, order.number, amount))
        return sorted(found)

    def _payment_runs(self) -> Iterator[date]:
        """Days on which the company pays."""
        every = {"monthly": 30, "prompt": 7, "discount": 7, "slow": 21}[self._company.payer]
        run_on = self._today - timedelta(days=DAYS - self._rng.randrange(every))
        while run_on <= self._today:
            yield run_on
            run_on += timedelta(days=every)

    def _pay(self, run_on: date, invoices: Sequence[_Invoice]) -> None:
        payer = self._company.payer
        patience = {"monthly": 0, "prompt": -3, "discount": -18, "slow": 16}[payer]
        due = [
            one
            for one in invoices
            if one.open and not one.held and one.posted_on < run_on and one.due_on + timedelta(days=patience) <= run_on
        ]
        if not due:
            return
        luck = self._rng.random()
        if luck < 0.06:
            self._part_payment(run_on, due)
        elif luck < 0.11 and run_on < self._today - timedelta(days=3):
            self._bounced(run_on, due)
        elif luck < 0.18:
            self._unapplied_first(run_on, due)
        elif payer == "discount":
            self._with_discount(run_on, due)
        else:
            key = self._payment(sum((one.open for one in due), Decimal(0)), run_on, _names(due))
            for one in due:
                self._allocate(key, one, one.open, run_on)

    def _part_payment(self, run_on: date, due: Sequence[_Invoice]) -> None:
        one = due[0]
        part = (one.open * Decimal("0.6")).quantize(Decimal("0.01"))
        self._allocate(self._payment(part, run_on, f"Part of {one.key}"), one, part, run_on)

    def _bounced(self, run_on: date, due: Sequence[_Invoice]) -> None:
        """A direct debit that comes back three days later; the invoices stay for the next run."""
        amount = sum((one.open for one in due), Decimal(0))
        key = self._payment(amount, run_on, "Direct debit")
        back_on = run_on + timedelta(days=3)
        self._post(f"{key}-R", "payment", amount, back_on, reverses=key, description=f"Direct debit returned ({key})")

    def _unapplied_first(self, run_on: date, due: Sequence[_Invoice]) -> None:
        """A transfer without reference: applied weeks later; the last ones are not applied yet."""
        one = due[0]
        key = self._payment(one.open, run_on, "Transfer without reference")
        applied_on = run_on + timedelta(days=self._rng.randint(12, 30))
        if applied_on <= self._today:
            self._allocate(key, one, one.open, applied_on)
        else:
            one.held = True

    def _with_discount(self, run_on: date, due: Sequence[_Invoice]) -> None:
        """Paid early, less two per cent."""
        discounts = [(one, (one.open * Decimal("0.02")).quantize(Decimal("0.01"))) for one in due]
        paid = sum((one.open - less for one, less in discounts), Decimal(0))
        key = self._payment(paid, run_on, _names(due))
        for one, less in discounts:
            self._allocate(key, one, one.open - less, run_on)
            if less:
                taken = self._post(f"DIS-{one.key[4:]}", "discount", -less, run_on, description="2 % for early payment")
                self._allocate(taken, one, less, run_on)

    def _credit(self, day: date, order: str, amount: Decimal, invoices: Sequence[_Invoice]) -> None:
        """A credit note, applied to its invoice as far as that is open; the rest stays unapplied."""
        key = self._post(
            f"CN-{order[3:]}", "credit_note", -amount, day, order=order, description=f"Goods of {order} returned"
        )
        left = amount
        for one in invoices:
            if one.order == order and one.open and left and not one.held:
                used = min(one.open, left)
                self._allocate(key, one, used, day)
                left -= used

    def _settle_held(self, invoices: Sequence[_Invoice]) -> None:
        """What is known of the invoices held back: the oldest disputed, the next paid in part, one dispute settled."""
        held = [one for one in invoices if one.held and one.open and one.due_on < self._today]
        for one in held:
            late = (self._today - one.due_on).days
            opened_on = one.due_on + timedelta(days=3)
            if late >= HELD[0][0]:
                self._dispute(one, opened_on, "Pallet damaged on arrival; credit asked for")
            elif late >= HELD[1][0]:
                part = (one.open * Decimal("0.45")).quantize(Decimal("0.01"))
                paid_on = one.due_on + timedelta(days=20)
                self._allocate(self._payment(part, paid_on, f"Part of {one.key}"), one, part, paid_on)
            elif late >= HELD[2][0]:
                self._dispute(one, opened_on, "Price differs from the quote", closed_on=opened_on + timedelta(days=14))

    def _oddities(self, invoices: Sequence[_Invoice]) -> None:
        """What happens seldom: interest, a residue written off, an overpayment paid back."""
        kind = int(self._company.number[2:]) % 4
        old = [one for one in invoices if (self._today - one.due_on).days > 120 and not one.open]
        if not old:
            return
        last = max(old, key=lambda one: one.posted_on)
        day = last.due_on + timedelta(days=45)
        if kind == 0:
            interest = (last.amount * Decimal("0.01") + Decimal(8)).quantize(Decimal("0.01"))
            due_on = (day + timedelta(days=14)).isoformat()
            key = self._post(
                f"INT-{last.key[4:]}", "interest", interest, day, due_on=due_on, description=f"Interest on {last.key}"
            )
            debit = _Invoice(key=key, order=None, posted_on=day, due_on=day, amount=interest, open=interest)
            part = interest - Decimal("2.40")
            paid_on = day + timedelta(days=18)
            self._allocate(self._payment(part, paid_on, f"Interest {key}"), debit, part, paid_on)
            off_on = paid_on + timedelta(days=20)
            written_off = self._post(f"WO-{last.key[4:]}", "write_off", -debit.open, off_on, description="Residue")
            self._allocate(written_off, debit, debit.open, off_on)
        elif kind == 1:
            overpaid = Decimal(120 + self._rng.randrange(200))
            paid = self._payment(overpaid, day, "Paid twice")
            back_on = day + timedelta(days=10)
            key = self._post(f"REF-{last.key[4:]}", "refund", overpaid, back_on, description=f"{paid} paid back")
            refund = _Invoice(key=key, order=None, posted_on=back_on, due_on=back_on, amount=overpaid, open=overpaid)
            self._allocate(paid, refund, overpaid, back_on)
        elif kind == 2:
            wrong = Decimal("315.00")
            key = self._post(f"DN-X{last.key[4:]}", "debit_note", wrong, day, description="Express freight")
            self._post(
                f"{key}-R", "debit_note", -wrong, day + timedelta(days=2), reverses=key, description=f"{key} in error"
            )
        else:
            self._payment(Decimal(75 + self._rng.randrange(90)), self._today - timedelta(days=9), "Payment on account")

    def _payment(self, amount: Decimal, day: date, description: str) -> str:
        self._serial += 1
        key = f"PAY-{self._company.number[2:]}{self._currency[0]}{self._serial:03d}"
        return self._post(key, "payment", -amount, day, description=description)

    def _post(self, key: str, kind: str, amount: Decimal, day: date, **more: str | None) -> str:
        told = {name: value for name, value in more.items() if value is not None}
        self._books.entries.append(
            {
                "external_id": key,
                "account": self._company.number,
                "kind": kind,
                "document_number": key,
                "currency": self._currency,
                "amount": str(amount),
                "posted_on": day.isoformat(),
                **told,
            }
        )
        return key

    def _allocate(self, credit: str, debit: _Invoice, amount: Decimal, day: date) -> None:
        debit.open -= amount
        self._books.allocations.append(
            {
                "record": "allocation",
                "external_id": f"A-{len(self._books.allocations) + 1}-{self._company.number}",
                "credit": credit,
                "debit": debit.key,
                "amount": str(amount),
                "allocated_on": day.isoformat(),
            }
        )

    def _dispute(self, one: _Invoice, opened_on: date, reason: str, *, closed_on: date | None = None) -> None:
        record = {
            "record": "dispute",
            "external_id": f"D-{one.key}",
            "entry": one.key,
            "reason": reason,
            "opened_on": opened_on.isoformat(),
        }
        if closed_on is not None and closed_on <= self._today:
            record["closed_on"] = closed_on.isoformat()
        self._books.disputes.append(record)


def _names(due: Sequence[_Invoice]) -> str:
    """What a transfer says it is for."""
    names = ", ".join(one.key for one in due[:3])
    return names if len(due) <= 3 else f"{names} and {len(due) - 3} more"
