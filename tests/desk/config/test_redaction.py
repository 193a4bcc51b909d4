"""Secrets never stand in a text that went through the filter, and the rest of the text stays."""

from pathlib import Path

import pytest

from desk.config.redaction import SecretFilter


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dXNlcjpwYXNz', 'accept': '*/*'}", "{'authorization': 'Basic ***', 'accept': '*/*'}"),
        ('"Authorization": "k3y", "x": 1', '"Authorization": "***", "x": 1'),
        ("sent bearer abcdefgh12345678 twice", "sent bearer *** twice"),
        ("postgresql+psycopg://desk:pa/ss@db:5432/x is gone", "postgresql+psycopg://desk:***@db:5432/x is gone"),
        ("https://example.org/a?token=t0k&n=1#x", "https://example.org/a?token=***&n=1#x"),
        ("https://example.org/?n=1&api_key=t0k", "https://example.org/?n=1&api_key=***"),
    ],
)
def test_what_stands_in_the_place_of_a_secret_is_hidden(text: str, shown: str) -> None:
    assert SecretFilter([]).hide(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "wss://stream.example.org:443/v2/iex answers 401",
        "no authorization for these symbols; the bearer of bad news",
        "http://127.0.0.1:8265 and user@example.org",
        "https://example.org/?n=1&symbol=A",
        "order 8265: 10 @ 12.5",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert SecretFilter([]).hide(text) == text


def test_known_values_are_hidden_the_longest_first_and_short_ones_never() -> None:
    hide = SecretFilter(["abcdefgh", "abcdefgh-and-more", "short", ""]).hide

    assert hide("abcdefgh-and-more, xabcdefghx, short") == "***, x***x, short"


def test_values_of_settings_secrets_files_and_variables_named_like_secrets_are_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("the cluster's token\n")
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "ALPACA_API_KEY").write_text("a key in a file\n")
    (folder / "OF_A_VENUE").write_text("a secret of a venue\n")
    planted = {
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAYDESK_SECRETS_DIR": str(folder),
        "ALPACA_SECRET_KEY": "a key of the environment",
        "RAYDESK_LEDGER_PASSWORD": "the ledger's password",
        "MY_VENUE_TOKEN": "a token of my own",
        "aws_secret_access_key": "in lower case",
        "NOT_CONFIDENTIAL": "to be shown",
        "KEY_FILE": "/a/path/to/show",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)

    text = " | ".join([*planted.values(), "the cluster's token", "a key in a file", "a secret of a venue"])

    assert SecretFilter.of_environment().hide(text).split(" | ") == [
        str(token),
        str(folder),
        *["***"] * 4,
        "to be shown",
        "/a/path/to/show",
        *["***"] * 3,
    ]
