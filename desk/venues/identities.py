"""Trade identities of venues whose ids are text.

Tests: tests/desk/venues/test_identities.py
"""

from hashlib import blake2b
from typing import Final

HASHED: Final = 1 << 63
MAX_DIGITS: Final = 19


def text_id(text: str) -> int:
    """An unsigned 64-bit identity: the decimal value where the text is one below 2^63, else a hash with the top bit.

    A hash is used as identity only. Empty text is no id: 0.
    """
    if not text:
        return 0
    if text.isdecimal() and text.isascii() and text[0] != "0" and len(text) <= MAX_DIGITS:
        number = int(text)
        if number < HASHED:
            return number
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) | HASHED
