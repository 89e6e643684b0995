"""Names, towns and telephone numbers that people of a few countries could have, and nobody has.

Telephone numbers come from the ranges that regulators keep for fiction: ComReg (020 91x xxxx), Ofcom (07700 900 xxx),
Arcep (06 39 98 xx xx). Countries without such a range get none. All mail goes to the domains of RFC 2606.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

MAILBOXES: Final = ("example.com", "example.org", "example.net")


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """Where somebody lives. `phone`: E.164 with room for `phone_digits` digits; None: no range for fiction."""

    code: str
    currency: str
    weight: int
    given: tuple[str, ...]
    family: tuple[str, ...]
    towns: tuple[str, ...]
    company: str
    phone: str | None = None
    phone_digits: int = 0

    def telephone(self, number: int) -> str | None:
        """The `number`th telephone of the country; None where the range is used up."""
        if self.phone is None or number >= 10**self.phone_digits:
            return None
        return f"{self.phone}{number:0{self.phone_digits}d}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES: Final = (
    Country(
        code="IE",
        currency="EUR",
        weight=34,
        given=_words(
            "Aoife Niamh Ciara Saoirse Róisín Orla Sinéad Gráinne Cillian Oisín Declan Eoin Fionn Pádraig Conor"
        ),
        family=_words("Brennan Doyle Gallagher Hennessy Keane Lenihan Mulcahy Nolan Quirke Rafferty Scanlon Tierney"),
        towns=_words("Dublin Cork Galway Limerick Waterford Sligo Kilkenny Athlone"),
        company="Ltd",
        phone="+3532091",
        phone_digits=5,
    ),
    Country(
        code="GB",
        currency="GBP",
        weight=24,
        given=_words("Amelia Imogen Harriet Freya Poppy Nadia Priya Callum Rhys Alistair Gareth Toby Owen Imran Kofi"),
        family=_words("Ashdown Blackwood Carrington Fairbairn Hargreaves Llewellyn McAllister Okafor Pemberton Sharma"),
        towns=_words("Belfast Bristol Cardiff Glasgow Leeds Liverpool Norwich York"),
        company="Ltd",
        phone="+447700900",
        phone_digits=3,
    ),
    Country(
        code="FR",
        currency="EUR",
        weight=14,
        given=_words("Élodie Maëlle Camille Solène Inès Margaux Bastien Loïc Théo Gaël Rémi Yanis Hugo Mathis"),
        family=_words("Aubert Bonnefoy Carpentier Delacroix Fontaine Guérin Lemoine Marchand Pasquier Rousselot"),
        towns=_words("Nantes Rennes Lyon Lille Bordeaux Brest Toulouse"),
        company="SARL",
        phone="+33639981",
        phone_digits=3,
    ),
    Country(
        code="PT",
        currency="EUR",
        weight=10,
        given=_words("Inês Beatriz Mafalda Leonor Catarina Joana Tiago Rui Gonçalo Afonso Duarte Nuno Vasco"),
        family=_words("Albuquerque Barros Cardoso Figueiredo Guimarães Lacerda Magalhães Nogueira Pacheco Queirós"),
        towns=_words("Lisboa Porto Coimbra Braga Faro Évora Aveiro"),
        company="Lda",
    ),
    Country(
        code="DE",
        currency="EUR",
        weight=10,
        given=_words("Anneke Frieda Greta Johanna Katrin Svenja Bastian Emil Florian Henning Jannis Lorenz Matthias"),
        family=_words("Achterberg Brinkmann Dörfler Eichhorn Feldkamp Hagedorn Köhler Lindemann Möller Rosenthal Vogt"),
        towns=_words("Hamburg Köln Leipzig Bremen Münster Freiburg Nürnberg"),
        company="GmbH",
    ),
    Country(
        code="NL",
        currency="EUR",
        weight=8,
        given=_words("Anouk Fenna Lotte Marit Sanne Bram Daan Jelle Joost Maarten Sjoerd Thijs"),
        family=_words("Bakhuis Dijkstra Hoekstra Jansma Kuipers Meijer Postma Terpstra Veenstra Wiersma"),
        towns=_words("Utrecht Rotterdam Groningen Eindhoven Haarlem Zwolle"),
        company="B.V.",
    ),
)

TRADES: Final = (
    ("Print Works", "print"),
    ("Bakery Supply", "food"),
    ("Logistics", "logistics"),
    ("Joinery", "workshop"),
    ("Ceramics", "workshop"),
    ("Coffee Roasters", "food"),
    ("Book Bindery", "print"),
    ("Outdoor Outfitters", "retail"),
    ("Pharma Packaging", "packaging"),
    ("Marine Stores", "workshop"),
    ("Design Studio", "print"),
    ("Garden Centres", "retail"),
)
"""What a client does, and for which trade it buys."""

HOUSES: Final = _words(
    "Alderway Birchfield Copperline Dunmore Eastwick Fernhill Greystone Harrowgate Ivybridge Juniper Kestrel Larkspur "
    "Millrace Northgate Oakhaven Pinecrest Quayside Redwater Saltmarsh Thornbury Umberfold Vellum Westering Yarrow"
)
"""First words of invented company names."""


def ascii_slug(text: str, *, joint: str = ".") -> str:
    """A name as it stands in an address: `Róisín Ó Brien` → `roisin.o.brien`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return joint.join("".join(letter if letter.isalnum() else " " for letter in plain).split())
