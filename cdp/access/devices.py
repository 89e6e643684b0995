"""What a browser calls itself, in the few words by which its owner knows it again: "Firefox on Windows".

The User-Agent header says far more than that; the rest is not kept.
"""

from typing import Final

from cdp.languages import _

UNKNOWN_DEVICE: Final = "Unknown browser"
# The first that is found wins: every browser also claims to be the ones before it.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def device(user_agent: str) -> str:
    """Browser and system of a User-Agent header, or one of the two, or `UNKNOWN_DEVICE`."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or UNKNOWN_DEVICE


def device_told(kept: str | None) -> str:
    """What `device` found, as it was kept, in the language spoken."""
    browser, on, system = (kept or UNKNOWN_DEVICE).partition(" on ")
    if on:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return _("Unknown browser") if browser == UNKNOWN_DEVICE else browser


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str | None:
    return next((name for sign, name in known if sign in user_agent), None)
