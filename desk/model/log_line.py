"""The format of desk.log: one event, one line."""

import logging

from desk.model.plain_text import one_line


class LogLine(logging.Formatter):
    r"""Time, level and message on one line; line breaks, also in tracebacks, are escaped as \n."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        return one_line(super().format(record))
