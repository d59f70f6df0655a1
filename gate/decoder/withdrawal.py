"""The name under which a health certificate can be withdrawn, which tells nobody whose it is. Pure."""

from hashlib import sha256

WITHDRAWAL_ID_BYTES = 16


def withdrawal_id(identifier: str) -> str:
    """Hex of the first 16 bytes of SHA-256 of a certificate's own id, as EU revocation lists have it (type UCI)."""
    return sha256(identifier.encode()).digest()[:WITHDRAWAL_ID_BYTES].hex()
