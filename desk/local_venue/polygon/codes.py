"""Polygon's numbers for exchanges, trade conditions and tapes, by the letters of the SIPs.

Sources: massive.com/docs, "Exchanges" (/v3/reference/exchanges, `id` and `participant_id`), "Condition codes"
(/v3/reference/conditions, `id` and `sip_mapping`), and "Trades" (tapes). Of two numbers for a letter (B is average
price on tapes A and B and a bunched trade on tape C; opening, reopening and closing trades of a market center have
numbers of their own) the first is used.

Tests: tests/desk/local_venue/test_polygon_stream.py
"""

from typing import Final

EXCHANGES: Final = {
    "A": 1, "B": 2, "C": 3, "D": 4, "E": 5, "I": 6, "J": 7, "K": 8, "M": 9, "N": 10, "P": 11, "Q": 12, "T": 12,
    "S": 13, "L": 14, "V": 15, "W": 16, "X": 17, "Y": 18, "Z": 19, "H": 20, "U": 21,
}  # fmt: skip
CONDITIONS: Final = {
    "@": 0, "A": 1, "B": 2, "W": 2, "E": 3, "G": 5, "C": 7, "6": 8, "X": 9, "4": 10, "D": 11, "T": 12, "U": 13,
    "F": 14, "M": 15, "Q": 16, "N": 20, "H": 21, "P": 22, "K": 23, "O": 25, "1": 27, "5": 28, "R": 29, "L": 30,
    "Z": 33, "S": 34, "Y": 36, "I": 37, "9": 38, "V": 52, "7": 53,
}  # fmt: skip
TAPES: Final = {"A": 1, "B": 2, "C": 3}
BANDS: Final = {"B": 15, "C": 16, "D": 17, "E": 18, "F": 19}
"""Numbers of LULD indicators (glossary "Conditions and Indicators"), by the letters of UTP's price bands."""
HALTED: Final = 17
RESUMED: Final = 18
UNKNOWN: Final = 0


def condition_numbers(letters: str) -> list[int]:
    """The numbers of joined condition letters, without those of regular sales and of unknown letters."""
    return [CONDITIONS[letter] for letter in letters if CONDITIONS.get(letter)]
