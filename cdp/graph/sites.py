"""The sites that whoever asks is limited to, as a bound parameter: orders of others aren't there for them."""

from typing import Final

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Text

SITES_NAME: Final = "viewer_sites"


def viewer_sites() -> ColumnElement[object]:
    """Names of sites, an array; NULL for whoever sees every site. The same parameter wherever it stands."""
    return BindParameter(SITES_NAME, None, type_=ARRAY(Text), required=False)
