"""Who the business deals with: companies with their contact persons, people who shop, and passers-by nobody knows.

Each one is made by a generator of their own, seeded by the demo's seed and their number, so that nobody changes when
somebody else is added.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cdp.demo.places import COUNTRIES, HOUSES, MAILBOXES, TRADES, Country, ascii_slug

KEY_ACCOUNTS: Final = 8
COMPANIES: Final = 48
"""Companies of every demo, however small; the first `KEY_ACCOUNTS` hold key accounts."""
FEWEST_CUSTOMERS: Final = 200
MONTHS: Final = 24

Habit = Literal["web", "web and store", "store", "phone"]
Payer = Literal["prompt", "discount", "slow", "monthly"]

PAYERS: Final[tuple[Payer, ...]] = ("monthly", "prompt", "slow", "discount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person who acts for a company. `key` is theirs in the ERP, `user_id` in the web shop."""

    key: str
    user_id: str
    name: str
    email: str
    phone: str | None
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """An organisation with one account. `key` is its key in the ERP, `number` the account's."""

    key: str
    number: str
    group_id: str
    name: str
    legal_name: str
    domain: str
    vat: str
    town: str
    country: Country
    is_key_account: bool
    trade: str
    currency: str
    terms_days: int
    payer: Payer
    contacts: tuple[Contact, ...]

    @property
    def sites(self) -> tuple[str, ...]:
        """Where a key account has its goods sent to: its own town first. Others have one place, which nobody names."""
        elsewhere = [town for town in self.country.towns if town != self.town]
        return (self.town, *elsewhere[:2]) if self.is_key_account else ()

    @property
    def other_currency(self) -> str:
        """The second currency of a key account's ledger."""
        return "GBP" if self.currency == "EUR" else "EUR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """A person who buys for themselves. `loyalty` is the number on their card; `mailbox_of_another`: a shared one."""

    number: int
    name: str
    email: str
    phone: str | None
    town: str
    country: Country
    habit: Habit
    since: datetime
    loyalty: str | None
    mailbox_of_another: bool

    @property
    def user_id(self) -> str:
        """Under which they sign in to the web shop."""
        return f"u-{100_000 + self.number}"


def rng_of(seed: int, *what: object) -> random.Random:
    """A generator for one thing: the same seed and thing give the same numbers."""
    return random.Random(f"{seed}:{':'.join(map(str, what))}")


def companies(seed: int) -> list[Company]:
    """The companies with their contacts, key accounts first."""
    telephones: Counter[str] = Counter()
    return [_company(rng_of(seed, "company", number), number, telephones) for number in range(COMPANIES)]


def shoppers(seed: int, count: int, now: datetime) -> Iterator[Shopper]:
    """People who buy for themselves, in the order in which the company met them."""
    telephones: Counter[str] = Counter()
    former = ""
    for number in range(count):
        rng = rng_of(seed, "shopper", number)
        country = rng.choices(COUNTRIES, [one.weight for one in COUNTRIES])[0]
        name = f"{rng.choice(country.given)} {rng.choice(country.family)}"
        habit: Habit = rng.choices(("web", "web and store", "store", "phone"), (56, 14, 14, 16))[0]
        # The further back, the fewer: the business grew.
        age_days = MONTHS * 30.4 * (1 - ((number + 0.5) / count) ** 0.7)
        shares = habit == "web" and former != "" and rng.random() < 1 / 60
        email = former if shares else f"{ascii_slug(name)}{number}@{rng.choice(MAILBOXES)}"
        phone = _telephone(country, telephones, 10_000) if rng.random() < 0.7 or habit == "phone" else None
        yield Shopper(
            number=number,
            name=name,
            email=email,
            phone=phone,
            town=rng.choice(country.towns),
            country=country,
            habit=habit,
            since=now - timedelta(days=age_days, minutes=rng.randrange(60, 600)),
            loyalty=str(7_000_000 + number * 37) if habit in ("web and store", "store") else None,
            mailbox_of_another=shares,
        )
        if habit == "web" and not shares:
            former = email


def _company(rng: random.Random, number: int, telephones: Counter[str]) -> Company:
    is_key = number < KEY_ACCOUNTS
    country = COUNTRIES[number % 3 if is_key else number % len(COUNTRIES)]
    trade, line = TRADES[(number * 5) % len(TRADES)]
    house = HOUSES[number % len(HOUSES)]
    name = f"{house} {trade}" + (" International" if is_key and number % 3 == 0 else "")
    domain = f"{ascii_slug(house if number < len(HOUSES) else f'{house} {trade.split()[0]}', joint='-')}.example"
    roles = ("Finance", "Purchasing", "Operations", "Managing director", "Workshop lead")
    count = rng.randrange(3, 6) if is_key else rng.randrange(1, 4)
    names = zip(rng.sample(country.given, count), rng.sample(country.family, count), strict=True)
    serial = 1001 + number if is_key else 2001 + number - KEY_ACCOUNTS
    return Company(
        key=f"O-{serial}",
        number=f"K-{serial}" if is_key else f"T-{serial}",
        group_id=f"shop-group-{serial}",
        name=name,
        legal_name=f"{name} {country.company}",
        domain=domain,
        vat=f"{country.code}00{serial:06d}{number % 10}",  # begins with two zeros, as no number in use does
        town=rng.choice(country.towns),
        country=country,
        is_key_account=is_key,
        trade=line,
        currency=country.currency,
        terms_days=(30, 45, 60)[number % 3] if is_key else (14, 30)[number % 2],
        payer=PAYERS[number % len(PAYERS)],
        contacts=tuple(
            Contact(
                key=f"C-{serial}-{place + 1}",
                user_id=f"u-{serial}-{place + 1}",
                name=f"{given} {family}",
                email=f"{ascii_slug(f'{given} {family}')}@{domain}",
                phone=_telephone(country, telephones, 0),
                role=roles[place],
            )
            for place, (given, family) in enumerate(names)
        ),
    )


def _telephone(country: Country, telephones: Counter[str], first: int) -> str | None:
    """The next telephone of a country; contacts count from 0, shoppers behind them."""
    behind = min(first, 10**country.phone_digits // 4)
    telephones[country.code] += 1
    return country.telephone(behind + telephones[country.code])
