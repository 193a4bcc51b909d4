"""URLs are distinguished from paths, and a secret in a URL is detected in any part."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.config.plan_urls import has_secret, is_url


@pytest.mark.parametrize("url", ["s3://bucket/day.parquet", "file:///day.parquet", "abfss://box@account/day", "x+y://"])
def test_a_url_is_recognized_by_its_scheme(url: str) -> None:
    assert is_url(url)


@pytest.mark.parametrize("path", ["day.parquet", "/tapes/*.parquet", "s3:/bucket", "1s://x", "a b://c", ""])
def test_anything_else_is_a_path(path: str) -> None:
    assert not is_url(path)


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/day",
        "s3://key:sec/ret@bucket/day",
        "s3://:secret@bucket",
        "postgresql+psycopg://me:hidden@host/db",
        "postgresql+psycopg://me:123@host/db",
        "postgresql+psycopg://me@host/db?password=hidden",
        "postgresql+psycopg://me@host/db?sslmode=require&sslpassword=hidden",
        "abfss://box@account/day?sig=hidden",
        "s3://bucket/day?region=x&session_TOKEN=hidden",
    ],
)
def test_a_secret_is_seen(url: str) -> None:
    assert has_secret(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/day.parquet",
        "s3://bucket/day?endpoint_override=127.0.0.1:9000&scheme=http",
        "gs://anonymous@bucket/day",
        "abfss://box@account.dfs.core.windows.net/day",
        "hdfs://me@namenode:8020/day@2013.parquet",
        "hdfs://namenode:8020",
        "file:///tapes/a:b@c.parquet",
        "sqlite:///{run_dir}/ledger.db",
        "postgresql+psycopg://me@host:5432/db?sslmode=verify-full&passfile=/run/desk/pgpass",
        "postgresql+psycopg://me@[::1]:5432/db",
        "postgresql+psycopg:///db?host=/var/run/postgresql",
    ],
)
def test_where_there_is_none_none_is_seen(url: str) -> None:
    assert not has_secret(url)


@given(user=st.text(max_size=8), password=st.text(min_size=1, max_size=20), host=st.sampled_from(["bucket", "h:5432"]))
def test_any_password_is_seen(user: str, password: str, host: str) -> None:
    assert has_secret(f"s3://{quote(user, safe='')}:{quote(password, safe='')}@{host}/day")
