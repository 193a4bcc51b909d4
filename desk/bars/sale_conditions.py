"""Sale conditions: which trades may set which field of a minute bar.

Sources: the trade-condition tables of the two SIPs ("Consolidated Tape System Participant Communications
Interface Specification", sale condition and "consolidated processing" tables; "UTP Trade Data Feed
Specification", sale condition and "sale condition modifiers" tables), and Alpaca's account of what
minute bars make of them ("Stock Minute Bars", alpaca.markets/learn-api/stock-minute-bars; "Market Data
FAQ", docs.alpaca.markets/docs/market-data-faq). The SIPs rule consolidated, daily values; for minutes two
things differ:

- Form T (T) restricts nothing: outside regular hours every trade bears it, and those minutes have prices.
- A corrected consolidated close (9) reports the close of the day, minutes or hours later: it is
  information, not a trade of its minute.

Where the SIPs let a trade set the last price only if it is the first of the day (4, G, P, Z), it sets no
open or close of a minute. B is average price on tapes A and B and a bunched trade on tape C; a code comes
without its tape here, so the stricter reading holds.
"""

from functools import cache
from typing import Final, NamedTuple


class Eligibility(NamedTuple):
    """Which fields of its minute a trade may set. A trade that counts for volume counts in `trades` and vwap."""

    volume: bool
    high_low: bool
    open_close: bool


REGULAR: Final = Eligibility(volume=True, high_low=True, open_close=True)
NO_OPEN_CLOSE: Final = Eligibility(volume=True, high_low=True, open_close=False)
VOLUME_ONLY: Final = Eligibility(volume=True, high_low=False, open_close=False)
NOTHING: Final = Eligibility(volume=False, high_low=False, open_close=False)

CONDITIONS: Final[dict[str, tuple[str, Eligibility]]] = {
    "@": ("regular sale", REGULAR),
    "A": ("acquisition", REGULAR),
    "B": ("average price trade; bunched trade on tape C", VOLUME_ONLY),
    "C": ("cash sale", VOLUME_ONLY),
    "D": ("distribution", REGULAR),
    "E": ("automatic execution", REGULAR),
    "F": ("intermarket sweep", REGULAR),
    "G": ("bunched sold trade", NO_OPEN_CLOSE),
    "H": ("price variation trade", VOLUME_ONLY),
    "I": ("odd lot trade", VOLUME_ONLY),
    "K": ("rule 127 or rule 155 trade", REGULAR),
    "L": ("sold last, late reporting", REGULAR),
    "M": ("market center official close", NOTHING),
    "N": ("next day", VOLUME_ONLY),
    "O": ("market center opening trade", REGULAR),
    "P": ("prior reference price", NO_OPEN_CLOSE),
    "Q": ("market center official open", NOTHING),
    "R": ("seller", VOLUME_ONLY),
    "S": ("split trade", REGULAR),
    "T": ("form T, extended hours", REGULAR),
    "U": ("extended hours, sold out of sequence", VOLUME_ONLY),
    "V": ("contingent trade", VOLUME_ONLY),
    "W": ("average price trade", VOLUME_ONLY),
    "X": ("cross trade", REGULAR),
    "Y": ("yellow flag", REGULAR),
    "Z": ("sold out of sequence", NO_OPEN_CLOSE),
    "1": ("stopped stock", REGULAR),
    "4": ("derivatively priced", NO_OPEN_CLOSE),
    "5": ("market center reopening trade", REGULAR),
    "6": ("market center closing trade", REGULAR),
    "7": ("qualified contingent trade", VOLUME_ONLY),
    "9": ("corrected consolidated close", NOTHING),
}


@cache
def eligibility(conditions: str) -> Eligibility:
    """The fields that a trade with these joined condition letters may set; per field the most restrictive letter wins.

    No letters, blanks, and letters that are not in the tables count as regular.
    """
    found = [CONDITIONS[letter][1] for letter in conditions if letter in CONDITIONS]
    return Eligibility(
        volume=all(one.volume for one in found),
        high_low=all(one.high_low for one in found),
        open_close=all(one.open_close for one in found),
    )
