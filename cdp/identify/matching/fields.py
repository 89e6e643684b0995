"""Fields: what a record of a person or an organisation may tell, and the columns of a file in which it tells it.

A column is understood by its name, in the spellings of a dozen systems, or because the caller says so.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cdp.errors import Invalid
from cdp.identify.claims import Kind


class UnknownField(Invalid):
    """{field} is no field of {kind}: {known}."""

    field: str
    kind: str
    known: str


class UnknownColumn(Invalid):
    """{file} has no column {column}: it has {columns}."""

    file: str
    column: str
    columns: str


class AmbiguousColumns(Invalid):
    """{file} has several columns that could be {field}: {columns}. Say which one with --map {field}=COLUMN."""

    file: str
    field: str
    columns: str


class NothingUnderstood(Invalid):
    """{file} has no column that says something of {kind}. It has {columns}. Name them with --map FIELD=COLUMN: {known}."""

    file: str
    kind: str
    columns: str
    known: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Something that a record tells. `shape` says how it is made comparable (`preparing`), `spellings` what columns call it."""

    name: str
    shape: str
    spellings: frozenset[str]


def _field(name: str, shape: str, *spellings: str) -> Field:
    return Field(name=name, shape=shape, spellings=frozenset({_spelt(name), *spellings}))


def _spelt(column: str) -> str:
    """A column's name as it is compared: letters and digits only, lower case, without accents."""
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", plain)


_ADDRESS: Final = (
    _field("email", "email", "emailaddress", "mail", "correo", "correoelectronico", "courriel"),
    _field("phone", "phone", "phonenumber", "telephone", "tel", "mobile", "mobilephone", "telefon", "telefono", "handy"),
    _field("street", "text", "address1", "addressline1", "streetaddress", "streetname", "address", "addressstreet",
           "strasse", "calle", "direccion", "rue", "via", "addr1"),
    _field("house_number", "text", "streetnumber", "housenumber", "houseno", "streetno", "number", "hausnummer", "numero"),
    _field("address_extra", "text", "address2", "addressline2", "addressextra", "building", "apartment", "unit", "addr2"),
    _field("city", "text", "town", "suburb", "locality", "addresscity", "ort", "stadt", "ciudad", "poblacion", "ville"),
    _field("postcode", "text", "postalcode", "zip", "zipcode", "postcodezip", "addresspostalcode", "plz", "codigopostal",
           "cp", "codepostal"),
)  # fmt: skip

FIELDS: Final[Mapping[Kind, tuple[Field, ...]]] = {
    "person": (
        _field("name", "name", "fullname", "displayname", "customername", "nombrecompleto"),
        _field("given_name", "text", "givenname", "firstname", "forename", "fname", "first", "vorname", "nombre", "prenom"),
        _field("family_name", "text", "familyname", "lastname", "surname", "lname", "last", "nachname", "apellido",
               "apellidos", "nom"),
        _field("date_of_birth", "date", "dob", "birthday", "birthdate", "dateofbirth", "born", "geburtsdatum",
               "fechanacimiento", "fechadenacimiento", "datenaissance"),
        _field("national_id", "number", "socsecid", "ssn", "socialsecuritynumber", "nationalid", "nationalidentifier",
               "idnumber", "personalid", "passport", "passportnumber", "taxid", "dni", "nif", "nie", "nhsnumber"),
        *_ADDRESS,
    ),
    "organisation": (
        _field("name", "company", "companyname", "organisation", "organization", "organisationname", "organizationname",
               "legalname", "accountname", "customername", "firma", "empresa", "razonsocial", "raisonsociale"),
        _field("tax_id", "number", "taxid", "vat", "vatid", "vatnumber", "taxnumber", "companynumber", "registrationnumber",
               "ein", "cif", "nif", "ustid", "ustidnr", "siret", "siren", "abn"),
        _field("website", "website", "web", "url", "homepage", "domain", "websiteurl"),
        *_ADDRESS,
    ),
}  # fmt: skip


def columns_of(
    file: str, header: Sequence[str], kind: Kind, given: Mapping[str, str], *, not_for: str
) -> Mapping[str, str]:
    """The file's columns by the field each tells; what the caller gave comes before what the names say.

    `not_for` is the column with the records' ids. Columns that a caller gave and this file hasn't are left out, for another
    file may have them. Raises AmbiguousColumns, NothingUnderstood, UnknownField.
    """
    fields = FIELDS[kind]
    known = ", ".join(field.name for field in fields)
    for name in given:
        if name not in {field.name for field in fields}:
            raise UnknownField(field=name, kind=_a(kind), known=known)
    found = {name: column for name, column in given.items() if column in header}
    taken = {not_for, *found.values()}
    for field in fields:
        if field.name in given:
            continue
        columns = [column for column in header if column not in taken and _spelt(column) in field.spellings]
        exact = [column for column in columns if _spelt(column) == _spelt(field.name)]
        if len(columns) > 1 and len(exact) != 1:
            raise AmbiguousColumns(file=file, field=field.name, columns=", ".join(columns))
        if columns:
            found[field.name] = (exact or columns)[0]
            taken.add(found[field.name])
    if not found:
        raise NothingUnderstood(file=file, kind=_a(kind), columns=", ".join(header), known=known)
    return found


def _a(kind: Kind) -> str:
    return "a person" if kind == "person" else "an organisation"
