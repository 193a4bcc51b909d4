"""Polygon's numbers for sale conditions, quote conditions, exchanges, tapes and bands, as letters of the SIPs.

Sources, each read in 2026: Massive, "Condition Codes" (GET /v3/reference/conditions?asset_class=stocks, `sip_mapping`)
and "Exchanges" (GET /v3/reference/exchanges?asset_class=stocks, `participant_id`; the list of 2026-09-03); Massive's
glossary "Conditions and Indicators" (quote conditions, LULD indicators); the letters: "Consolidated Tape System" and
"UTP Trade Data Feed" specifications for sales, "UTP Quote Data Feed" for quotes and price bands.

Tests: tests/desk/venues/polygon/test_polygon_codes.py
"""

from collections import Counter
from typing import Final

TAPES: Final = {1: "A", 2: "B", 3: "C"}
"""The listing market: NYSE; NYSE American, Arca and others; Nasdaq."""

EXCHANGES: Final = {
    1: "A",
    2: "B",
    3: "C",
    4: "D",
    5: "E",
    6: "I",
    7: "J",
    8: "K",
    9: "M",
    10: "N",
    11: "P",
    12: "T",
    13: "S",
    14: "L",
    15: "V",
    16: "W",
    17: "X",
    18: "Y",
    19: "Z",
    20: "H",
    21: "U",
    22: "G",
    23: "F",
    62: "OOTC",
    201: "D",
    202: "D",
    203: "D",
}
"""Participant letters. The trade reporting facilities (201 to 203) are FINRA's; OTC equities (62) are on no tape."""

SALE_CONDITIONS: Final[dict[int, tuple[str, str]]] = {
    0: ("@", "@"),
    1: ("A", "A"),
    2: ("B", "W"),
    3: ("E", "E"),
    4: ("B", "B"),
    5: ("G", "G"),
    6: ("", ""),
    7: ("C", "C"),
    8: ("6", "6"),
    9: ("X", "X"),
    10: ("4", "4"),
    11: ("D", "D"),
    12: ("T", "T"),
    13: ("U", "U"),
    14: ("F", "F"),
    15: ("M", "M"),
    16: ("Q", "Q"),
    17: ("O", "O"),
    18: ("5", "5"),
    19: ("6", "6"),
    20: ("N", "N"),
    21: ("H", "H"),
    22: ("P", "P"),
    23: ("K", "K"),
    24: ("K", "K"),
    25: ("O", "O"),
    27: ("1", "1"),
    28: ("5", "5"),
    29: ("R", "R"),
    30: ("L", "L"),
    33: ("Z", "Z"),
    34: ("S", "S"),
    36: ("Y", "Y"),
    37: ("I", "I"),
    38: ("9", "9"),
    41: ("", ""),
    52: ("V", "V"),
    53: ("7", "7"),
}
"""Letters on tapes A and B (CTA), and on tape C (UTP); where one of the SIPs has none, that of the other.

CAP election (6) is retired: its letter I means an odd lot now. A trade-through exemption (41) is a flag beside the sale
conditions; its letters mean other things among them.
"""

QUOTE_CONDITIONS: Final = {
    0: "R",
    1: "R",
    2: "Y",
    10: "A",
    11: "B",
    12: "H",
    13: "O",
    15: "L",
    17: "F",
    20: "N",
    22: "X",
    23: "I",
    32: "Z",
}

BANDS: Final = {15: "B", 16: "C", 17: "D", 18: "E", 19: "F", 21: "", 22: ""}
"""Price bands: intraday update, restated, suspended by a halt or pause, reopening, outside the hours of the rule."""
HALTED: Final = 17
RESUMED: Final = 18

MAX_UNMAPPED: Final = 256
MAX_CACHED: Final = 4_096


class CodeMap:
    """Maps numbers to letters. `unmapped` counts the numbers that have none, by name, such as "sale condition 99"."""

    def __init__(self) -> None:
        self.unmapped: Counter[str] = Counter()
        self._conditions: dict[tuple[tuple[int, ...], bool], tuple[str, tuple[str, ...]]] = {}

    def tape(self, number: int) -> str:
        """The tape's letter; "" for 0, which means none."""
        return self._letter(TAPES, number, "tape")

    def exchange(self, number: int) -> str:
        """The exchange's letter; "" for 0."""
        return self._letter(EXCHANGES, number, "exchange")

    def conditions(self, numbers: tuple[int, ...], tape: str) -> str:
        """The joined letters of a trade's conditions."""
        key = (numbers, tape == "C")
        found = self._conditions.get(key)
        if found is None:
            if len(self._conditions) >= MAX_CACHED:
                self._conditions.clear()
            letters = "".join(SALE_CONDITIONS[number][key[1]] for number in numbers if number in SALE_CONDITIONS)
            unknown = tuple(f"sale condition {number}" for number in numbers if number not in SALE_CONDITIONS)
            found = self._conditions[key] = (letters, unknown)
        for name in found[1]:
            self._count(name)
        return found[0]

    def quote_condition(self, number: int) -> str:
        """The letter of a quote's condition."""
        if number in QUOTE_CONDITIONS:
            return QUOTE_CONDITIONS[number]
        self._count(f"quote condition {number}")
        return ""

    def band(self, numbers: tuple[int, ...]) -> str:
        """The joined letters of a price band's indicators."""
        for number in numbers:
            if number not in BANDS:
                self._count(f"LULD indicator {number}")
        return "".join(BANDS.get(number, "") for number in numbers)

    def _letter(self, table: dict[int, str], number: int, name: str) -> str:
        if number in table:
            return table[number]
        if number:
            self._count(f"{name} {number}")
        return ""

    def _count(self, name: str) -> None:
        if name not in self.unmapped and len(self.unmapped) >= MAX_UNMAPPED:
            name = "further codes"
        self.unmapped[name] += 1
