"""Whose name a country's signer may use. Pure."""

from __future__ import annotations

import re

_ALPHA_2 = re.compile(r"[A-Z]{2}")
_TERRITORIES = {
    "CH": {"LI"},
    "CN": {"HK", "MO"},
    "DK": {"FO", "GL"},
    "FI": {"AX"},
    "FR": {"BL", "GF", "GP", "MF", "MQ", "NC", "PF", "PM", "RE", "WF", "YT"},
    "GB": {"AI", "BM", "FK", "GG", "GI", "IM", "JE", "KY", "MS", "SH", "TC", "UK", "VG"},
    "GR": {"EL"},
    "EL": {"GR"},
    "NL": {"AW", "BQ", "CW", "SX"},
    "UK": {"GB"},
}
"""Territories whose certificates their country signs, and the two codes that the EU writes its own way."""


def may_sign_for(country: str, issuer: str) -> bool:
    """Whether a key of `country` (ISO 3166-1 alpha-2) may sign as `issuer`.

    Real issuers write more than a country (CH BAG) or an authority's name (CNAM): only a plain other country disagrees.
    """
    if issuer == country or not (_ALPHA_2.fullmatch(country) and _ALPHA_2.fullmatch(issuer)):
        return True
    return issuer in _TERRITORIES.get(country, ())
