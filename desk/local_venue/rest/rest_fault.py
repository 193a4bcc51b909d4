"""An answer other than 200.

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""


class RestFault(Exception):
    """A request that is refused with an HTTP status and a text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
