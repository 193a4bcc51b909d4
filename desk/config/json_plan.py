"""The tradeplan's [feed.map], the fields of a JSON stream's messages, and checks of its headers and requests.

Tests: tests/desk/config/test_plan.py
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from desk.config.plan_table import PlanFault, PlanTable
from desk.config.plan_urls import has_secret

KEY: Final = "{key}"
"""Stands for the key in `headers` and `subscribe`."""
SYMBOLS: Final = "{symbols}"
HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
"""The name of a header (RFC 9110, "Field Names")."""
SECRET_HEADER: Final = re.compile(r"key|token|secret|auth|passw", re.IGNORECASE)

TimeFormat = Literal["iso", "s", "ms", "us", "ns"]

FieldPath = Annotated[
    str,
    Field(
        pattern=r"^([^\s.]{1,64}(\.[^\s.]{1,64}){0,7})?$",
        json_schema_extra={"words": 'text: the name of a field, as "bid", or its path, as "data.bid"; or ""'},
    ),
]
REQUIRED: Final = ("symbol", "time", "bid", "ask")


class JsonMap(PlanTable):
    """[feed.map]: the names of a JSON stream's fields. A message is a tick, or a list of ticks; a tick is a quote."""

    ticks: FieldPath = Field(
        default="", description='json: the field that holds the tick or the list of ticks; "" = the message itself'
    )
    symbol: FieldPath = Field(default="symbol", description="json: the symbol")
    time: FieldPath = Field(default="timestamp", description="json: the venue's time")
    time_format: TimeFormat = Field(
        default="iso", description="json: times as text (ISO 8601), or as a number since the epoch in this unit"
    )
    bid: FieldPath = Field(default="bid", description="json: the best bid; null or 0 = none")
    ask: FieldPath = Field(default="ask", description="json: the best offer; null or 0 = none")
    bid_size: FieldPath = Field(default="", description='json: the size at the bid; "" = unknown, taken as 1')
    ask_size: FieldPath = Field(default="", description='json: the size at the offer; "" = unknown, taken as 1')
    volume: FieldPath = Field(default="", description='json: the volume; "" = none')
    volume_is: Literal["ignored", "cumulative"] = Field(
        default="ignored",
        description="json: cumulative = the increase of `volume` is a trade at `price`",
    )
    price: FieldPath = Field(
        default="", description='json: the price of that trade; "" = no trade: the increase is activity only'
    )

    @property
    def has_trades(self) -> bool:
        """Whether trades are made of the volume."""
        return self.volume_is == "cumulative" and bool(self.price)

    def conflicts(self) -> Iterator[PlanFault]:
        for name in REQUIRED:
            if not getattr(self, name):
                yield PlanFault((name,), '`""`', "the name of a field", f"Name the field of the {name}.")
        if self.volume_is == "cumulative" and not self.volume:
            yield PlanFault(
                ("volume",),
                '`""` with volume_is = "cumulative"',
                "the name of a field",
                "Name the field of the volume.",
            )


def request_conflicts(url: str, key_env: str, headers: Mapping[str, str], subscribe: str) -> Iterator[PlanFault]:
    """Faults of a JSON stream's address, key, headers and request."""
    if not url:
        yield PlanFault(("url",), "missing", 'an address as "wss://host/path"', 'Add url = "…".')
    elif has_secret(url):
        yield PlanFault(("url",), "a URL with a key in it", "a URL without a key", f"Send the key as `{KEY}`.")
    is_used = any(KEY in text for text in (subscribe, *headers.values()))
    if key_env and not is_used:
        yield PlanFault(
            ("key_env",),
            f"`{key_env}`, which is used nowhere",
            f"`{KEY}` in `headers` or in `subscribe`",
            f'Add it, as headers = {{ "X-API-Key" = "{KEY}" }}.',
        )
    elif is_used and not key_env:
        yield PlanFault(("key_env",), "missing", "the name of the variable with the key", 'Add key_env = "…_KEY".')
    for name, value in headers.items():
        if not (HEADER.fullmatch(name) and value.isprintable() and value.isascii()):
            yield PlanFault(("headers",), f"a header `{name}` that cannot be sent", "ASCII text", "Correct it.")
        elif SECRET_HEADER.search(name) and KEY not in value:
            yield PlanFault(
                ("headers",),
                f"a header `{name}` with a value of its own",
                f"`{KEY}`: a plan holds no secrets",
                f'Write "{KEY}", and name its variable in `key_env`.',
            )
    if subscribe and SYMBOLS not in subscribe:
        yield PlanFault(
            ("subscribe",), "a message without symbols", f"text with `{SYMBOLS}`", "Add it where the list belongs."
        )
