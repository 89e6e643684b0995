"""The whole business: what each source delivers to which door, in the order in which it can be understood. Pure.

The same seed, size and moment give the same deliveries to the byte, so that a demo that was killed is finished by
delivering everything again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from cdp.demo import visits
from cdp.demo.books import Books, books_of
from cdp.demo.catalogue import CALLS, CRM, ERP, MANAGERS, TIME_ZONE, AccountManager
from cdp.demo.people import COMPANIES, Company, Contact, Shopper, companies, shoppers
from cdp.demo.trade import TradeOrder, first_record, order_record, orders_of, shipment_records

Record = dict[str, Any]
PASSERS_BY_SHARE = 5
"""One passer-by for so many customers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Records of one kind from one source, for the import API."""

    source: str
    kind: str
    records: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Somebody who may sign in to the extranet: e-mail, name, locale (BCP 47), and roles by account number. `sites`: those whose
    orders they see; none: of every site.
    """

    email: str
    name: str
    locale: str
    accounts: tuple[tuple[str, str], ...]
    sites: tuple[str, ...] = ()


class Business:
    """A business of `customers` people and organisations as of `now`."""

    def __init__(self, *, seed: int, customers: int, now: datetime) -> None:
        self.seed = seed
        self.now = now.astimezone(TIME_ZONE)
        self.companies = companies(seed)
        contacts = sum(len(company.contacts) for company in self.companies)
        self.shoppers = list(shoppers(seed, max(customers - COMPANIES - contacts, 0), self.now))
        self.passers_by = customers // PASSERS_BY_SHARE
        self._orders: dict[str, list[TradeOrder]] = {
            company.number: orders_of(seed, company, self.now) for company in self.companies
        }

    @property
    def customer_count(self) -> int:
        """How many customers there are once all is stitched: known people, organisations and passers-by."""
        return len(self.companies) + len(list(self._contacts())) + len(self.shoppers) + self.passers_by

    @property
    def known_shopper(self) -> Shopper:
        """Somebody whom the web shop and a store know."""
        return next(one for one in self.shoppers if one.habit == "web and store")

    def messages(self) -> Iterator[visits.Told]:
        """All tracking messages, person by person."""
        for company, contact in self._contacts():
            yield from visits.messages_of_contact(self.seed, company, contact, self.now)
        for shopper in self.shoppers:
            yield from visits.messages_of_shopper(self.seed, shopper, self.now)
        for number in range(self.passers_by):
            yield from visits.messages_of_passer_by(self.seed, number, self.now)

    def master_data(self) -> list[Delivery]:
        """Customers and accounts: what everything else names."""
        accounts = [_account(company, place) for place, company in enumerate(self.companies)]
        return [
            Delivery(source=ERP.name, kind="customers", records=[*self._erp_customers()]),
            Delivery(source=CRM.name, kind="customers", records=[*self._crm_customers()]),
            Delivery(source=ERP.name, kind="accounts", records=accounts),
        ]

    def trade(self) -> list[Delivery]:
        """Orders, shipments and the ledger of the companies, out of the ERP."""
        orders = list(chain.from_iterable(self._orders.values()))
        today = self.now.date()
        books = [books_of(self.seed, company, self._orders[company.number], today) for company in self.companies]
        first = [told for one in orders if (told := first_record(one, self.now)) is not None]
        return [
            Delivery(source=ERP.name, kind="orders", records=first),
            Delivery(source=ERP.name, kind="orders", records=[order_record(one, self.now) for one in orders]),
            Delivery(
                source=ERP.name,
                kind="shipments",
                records=[record for one in orders for record in shipment_records(one, self.now)],
            ),
            Delivery(source=ERP.name, kind="ledger", records=list(_in_order(books))),
        ]

    def calls(self) -> list[Delivery]:
        """Who called the call centre, and the calls; visits by account managers."""
        callers: dict[str, Record] = {}
        calls: list[Record] = []
        for who, made in self._callers():
            if made:
                callers[who["external_id"]] = who
                calls += made
        return [
            Delivery(source=CALLS.name, kind="customers", records=list(callers.values())),
            Delivery(source=CALLS.name, kind="interactions", records=calls),
            Delivery(source=CRM.name, kind="interactions", records=[*self._manager_visits()]),
        ]

    def parcels(self) -> list[Delivery]:
        """Shipments of shoppers' orders, each told by the source that took the order; once the orders are there."""
        by_source: dict[str, list[Record]] = {}
        for told in visits.orders_in(self.messages()):
            record = visits.handed_over(self.seed, told, self.now)
            if record is not None:
                by_source.setdefault(told.source, []).append(record)
        return [Delivery(source=source, kind="shipments", records=records) for source, records in by_source.items()]

    def guests(self) -> list[Guest]:
        """Members of the extranet: one of each role on two key accounts, one who may see both, and one limited to a site."""
        first, second = self.companies[0], self.companies[1]
        roles = ((first, 0, "finance"), (first, 1, "buyer"), (second, 2, "viewer"), (second, 0, "client_admin"))
        guests = [
            Guest(email=one.email, name=one.name, locale=_locale(company), accounts=((company.number, role),))
            for company, place, role in roles
            for one in (company.contacts[place],)
        ]
        both = first.contacts[2]
        accounts = ((first.number, "finance"), (second.number, "buyer"))
        branch = second.contacts[1]
        return [
            *guests,
            Guest(email=both.email, name=both.name, locale=_locale(first), accounts=accounts),
            Guest(
                email=branch.email,
                name=branch.name,
                locale=_locale(second),
                accounts=((second.number, "buyer"),),
                sites=second.sites[:1],
            ),
        ]

    def _contacts(self) -> Iterator[tuple[Company, Contact]]:
        for company in self.companies:
            for contact in company.contacts:
                yield company, contact

    def _erp_customers(self) -> Iterator[Record]:
        for company in self.companies:
            yield {
                "external_id": company.key,
                "version": 1,
                "kind": "organisation",
                "name": company.name,
                "traits": {"city": company.town, "country": company.country.code, "industry": company.trade},
            }
        for company, contact in self._contacts():
            yield {
                "external_id": contact.key,
                "version": 1,
                "name": contact.name,
                "email": contact.email,
                "organisation": company.key,
                "role": contact.role,
            }

    def _crm_customers(self) -> Iterator[Record]:
        """The account managers' own list: it knows organisations by their tax number, and no people of theirs."""
        for company in self.companies:
            yield {
                "external_id": f"CRM-{company.key[2:]}",
                "version": 1,
                "kind": "organisation",
                "name": company.legal_name,
                "vat": company.vat,
                "traits": {
                    "website": f"https://{company.domain}",
                    "size": "large" if company.is_key_account else "small",
                },
            }

    def _callers(self) -> Iterator[tuple[Record, list[Record]]]:
        for _, contact in self._contacts():
            told = {"external_id": contact.key, "version": 1, "name": contact.name, "email": contact.email}
            more = {"phone": contact.phone} if contact.phone else {}
            yield told | more, list(visits.calls_of_contact(self.seed, contact, self.now))
        for shopper in self.shoppers:
            yield _caller(shopper), list(visits.calls_of_shopper(self.seed, shopper, self.now))

    def _manager_visits(self) -> Iterator[Record]:
        for place, company in enumerate(self.companies):
            yield from visits.manager_visits(self.seed, company, _manager(company, place).name, self.now)


def _caller(shopper: Shopper) -> Record:
    """What the call centre writes down: the telephone where it sees one, else the e-mail."""
    told = {"external_id": f"P-{shopper.number}", "version": 1, "name": shopper.name}
    if shopper.phone and shopper.habit in ("phone", "web", "web and store"):
        return told | {"phone": shopper.phone} | ({"email": shopper.email} if shopper.habit == "phone" else {})
    return told | {"email": shopper.email}


def _locale(company: Company) -> str:
    return f"en-{company.country.code}"


def _manager(company: Company, place: int) -> AccountManager:
    return MANAGERS[place % 2 if company.is_key_account else 2 + place % 2]


def _account(company: Company, place: int) -> Record:
    manager = _manager(company, place)
    return {
        "number": company.number,
        "version": 1,
        "customer": company.key,
        "name": company.name,
        "legal_name": company.legal_name,
        "tax_id": company.vat,
        "currency": company.currency,
        "tier": "key" if company.is_key_account else "standard",
        "credit_limit": "60000.00" if company.is_key_account else "5000.00",
        "payment_terms_days": company.terms_days,
        "billing_address": f"{company.legal_name}\n{1 + place % 90} High Street\n{company.town}",
        "delivery_address": f"{company.name}, gate {1 + place % 4}\n{company.town}",
        "bank_name": "Example Bank",
        "bank_account": f"{company.country.code}00 EXMP 0000 {1000 + place * 37 % 9000}",
        "manager_email": manager.email,
        "manager_name": manager.name,
        "manager_title": manager.title,
        "manager_phone": manager.phone,
    }


def _in_order(books: Sequence[Books]) -> Iterator[Record]:
    for records in (
        [one.entries for one in books],
        [one.allocations for one in books],
        [one.disputes for one in books],
    ):
        yield from chain.from_iterable(records)
