"""Meridian Supply: what it sells, where, and who works there. Invented; prices are before tax, as the trade quotes them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from cdp.demo.places import COUNTRIES

TIME_ZONE: Final = ZoneInfo("Europe/Dublin")

SELLER: Final = {
    "CDP_SELLER_NAME": "Meridian Supply",
    "CDP_SELLER_LEGAL_NAME": "Meridian Supply Ltd",
    "CDP_SELLER_TAX_ID": "IE 1234567T",
    "CDP_SELLER_TIME_ZONE": TIME_ZONE.key,
    "CDP_SELLER_BANK_DETAILS": "Example Bank, Dublin; Account 0000 1234 5678; BIC EXMPIE2D",
}
"""Settings of the servers that the demo starts; what is set in the environment wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSheet:
    """A source as it is registered. `region` reads national telephone numbers."""

    name: str
    channel: str
    division: str
    location: str | None = None
    region: str | None = None


WEB: Final = SourceSheet(name="web-shop", channel="web", division="Retail", region="IE")
DUBLIN: Final = SourceSheet(name="store-dublin", channel="store", division="Retail", location="Dublin", region="IE")
CORK: Final = SourceSheet(name="store-cork", channel="store", division="Retail", location="Cork", region="IE")
CALLS: Final = SourceSheet(name="call-centre", channel="phone", division="Service", location="Limerick", region="IE")
ERP: Final = SourceSheet(name="erp", channel="erp", division="Trade", region="IE")
CRM: Final = SourceSheet(name="crm", channel="crm", division="Trade", region="IE")
SOURCES: Final = (WEB, DUBLIN, CORK, CALLS, ERP, CRM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something on sale; prices per unit by currency."""

    sku: str
    name: str
    category: str
    euros: Decimal

    def price(self, currency: str) -> Decimal:
        """Price in EUR or GBP."""
        return self.euros if currency == "EUR" else (self.euros * Decimal("0.86")).quantize(Decimal("0.01"))


def _product(sku: str, name: str, category: str, euros: str) -> Product:
    return Product(sku=sku, name=name, category=category, euros=Decimal(euros))


PRODUCTS: Final = (
    _product("PK-110", "Shipping box, double wall, 40 × 30 × 30 cm (25)", "Packaging", "31.50"),
    _product("PK-118", "Book mailer, A5, recycled board (50)", "Packaging", "24.90"),
    _product("PK-131", "Paper tape, water-activated, 70 mm × 200 m", "Packaging", "12.40"),
    _product("PK-140", "Honeycomb wrap, 50 cm × 250 m", "Packaging", "38.75"),
    _product("PK-152", "Stretch film, bio-based, 500 mm (6)", "Packaging", "47.20"),
    _product("PK-166", "Glassine bags, 120 × 170 mm (500)", "Packaging", "19.95"),
    _product("PA-204", "Uncoated paper, 120 g, SRA3 (250)", "Paper", "27.30"),
    _product("PA-211", "Cotton paper, 300 g, 50 × 70 cm (25)", "Paper", "64.00"),
    _product("PA-219", "Greyboard, 2 mm, 70 × 100 cm (20)", "Paper", "41.60"),
    _product("PA-227", "Label stock, matt, A4 (100)", "Paper", "22.85"),
    _product("PA-233", "Kraft roll, 75 cm × 300 m", "Paper", "36.10"),
    _product("WS-301", "Cutting mat, self-healing, A1", "Workshop", "52.00"),
    _product("WS-309", "Bone folder, set of three", "Workshop", "9.80"),
    _product("WS-315", "Bookbinding glue, 5 kg", "Workshop", "33.45"),
    _product("WS-322", "Cordless driver, 18 V, two batteries", "Workshop", "189.00"),
    _product("WS-328", "Clamp, quick-release, 600 mm", "Workshop", "21.70"),
    _product("WS-336", "Sanding discs, 125 mm, assorted (100)", "Workshop", "28.60"),
    _product("WS-341", "Hard-wax oil, 2.5 l", "Workshop", "72.90"),
    _product("SF-402", "Nitrile gloves, powder-free (200)", "Safety", "14.25"),
    _product("SF-407", "Safety shoes, S3, recycled upper", "Safety", "96.50"),
    _product("SF-413", "Ear defenders, 32 dB", "Safety", "25.40"),
    _product("SF-420", "First-aid cabinet, 50 people", "Safety", "118.00"),
    _product("CL-505", "Floor cleaner concentrate, 10 l", "Cleaning", "29.90"),
    _product("CL-512", "Microfibre cloths (40)", "Cleaning", "17.60"),
    _product("CL-518", "Paper towels, two-ply (12)", "Cleaning", "26.35"),
    _product("ST-601", "Shelving bay, galvanised, 200 × 100 cm", "Storage", "134.00"),
    _product("ST-608", "Euro container, 600 × 400 × 320 mm", "Storage", "16.90"),
    _product("ST-614", "Pallet truck, 2,500 kg", "Storage", "389.00"),
    _product("ST-620", "Label holder, magnetic (50)", "Storage", "23.10"),
    _product("CF-703", "Cup, compostable, 240 ml (1,000)", "Catering", "58.40"),
    _product("CF-709", "Coffee bags with valve, 1 kg (250)", "Catering", "49.75"),
    _product("CF-716", "Baking parchment, 400 × 600 mm (500)", "Catering", "21.15"),
)

PAGES: Final = (
    ("Home", None),
    ("Delivery and returns", "Delivery"),
    ("Open a trade account", "Trade"),
    ("Sustainable packaging guide", "Packaging"),
    ("Workshop safety checklist", "Safety"),
    ("Size finder for boxes", "Packaging"),
)
"""Pages of the web shop that show no product: name and topic."""

CALL_TOPICS: Final = (
    ("Where is my order?", "Delivery"),
    ("Invoice copy wanted", "Billing"),
    ("Advice on packaging", "Advice"),
    ("Damaged on arrival", "Complaint"),
    ("Change of delivery address", "Delivery"),
    ("Price for a larger quantity", "Quote"),
    ("Return of goods", "Returns"),
)

CARRIERS: Final = (
    ("Northway Parcel", "NW", "https://track.northway.example/"),
    ("Blueline Freight", "BF", "https://blueline.example/consignment/"),
    ("Kestrel Courier", "KC", "https://kestrel.example/t/"),
)
"""Carrier, prefix of its tracking numbers, address of its tracking page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountManager:
    """Who looks after an account."""

    name: str
    email: str
    title: str
    phone: str


MANAGERS: Final = tuple(
    AccountManager(
        name=name,
        email=f"{name.split()[0].lower()}@meridian.example",
        title=title,
        phone=COUNTRIES[0].telephone(90_000 + number) or "",
    )
    for number, (name, title) in enumerate(
        (
            ("Maeve Corrigan", "Key account manager"),
            ("Tomasz Wilk", "Key account manager"),
            ("Ruth Adeyemi", "Trade account manager"),
            ("Stefan Albers", "Trade account manager"),
        )
    )
)
