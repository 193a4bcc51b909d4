"""The address of a cluster to join: its source, and checks of whether a cluster answers and requires a token."""

import re
import socket
from typing import Final

import grpc  # type: ignore[import-untyped]  # it has no types
from ray.exceptions import AuthenticationError

from actors.ray_internals.calls import check_alive
from desk.model.errors import CredentialsError, PlanError

ADDRESS_VARIABLE: Final = "RAY_ADDRESS"
NAMES: Final = ("auto", "local")
HOST_AND_PORT: Final = re.compile(r"(?P<host>[^\s:/]+|\[[^\s\]]+\]):(?P<port>[0-9]{1,5})")
LISTENER_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
"""The limit of the wait for the GCS, which may pause for 20 s."""


def no_cluster(joined: str, found: str, *, by_environment: bool) -> PlanError:
    """The error for a Ray that does not start or cannot be joined; it names the source of the address."""
    if joined in {"", "local"}:
        return PlanError(
            "Ray",
            f"it does not start: {found}",
            "a Ray of the desk's own on this machine",
            "Check the machine's memory, processes and limits (`ulimit -a`).",
        )
    return PlanError(
        f"environment, {ADDRESS_VARIABLE}" if by_environment else "--address",
        f"no cluster to join: {found}",
        "the address of a running Ray cluster as host:port, or none for a cluster of the desk's own",
        f"Unset {ADDRESS_VARIABLE}, or name a cluster with --address, which overrides it."
        if by_environment
        else "Start one with `ray start --head`, or leave --address out.",
    )


def require_listener(address: str) -> None:
    """Check by a socket that a server listens: Ray would retry for more than a minute. Raises OSError, ValueError."""
    if address in NAMES:
        return
    if address.startswith(("http://", "https://")):
        raise ValueError(
            f"`{address}` is no address of the form host:port but that of a dashboard, for `desk submit` and `ray job`"
        )
    if address.startswith("ray://"):
        raise ValueError(
            f"`{address}` is for Ray's client, but a desk runs on a node of the cluster: use `desk submit`"
        )
    found = HOST_AND_PORT.fullmatch(address)
    if found is None:
        raise ValueError(f"`{address}` is no address of the form host:port")
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), LISTENER_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nothing listens at {address} ({error})") from error


def require_access(gcs: str) -> None:
    """Check that the GCS at this host:port accepts this process's token, if any; `ray.init` would wait for 20 s.

    Raises CredentialsError if it rejects this process, ConnectionError if no GCS answers.
    """
    try:
        check_alive(gcs, ANSWER_TIMEOUT_S)
    except AuthenticationError as error:
        raise _turned_away(gcs, error.message.strip().splitlines()[0]) from error
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            raise _turned_away(gcs, str(error.details()).strip().splitlines()[0]) from error
        raise ConnectionError(f"no GCS of Ray's answers at {gcs} ({error.code().name}: {error.details()})") from error


def has_authentication(gcs: str) -> bool:
    """Whether the GCS at this host:port rejects callers without a token. Raises ConnectionError if no GCS answers."""
    try:
        check_alive(gcs, ANSWER_TIMEOUT_S, token=False)
    except grpc.RpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return True
        raise ConnectionError(f"no GCS of Ray's answers at {gcs} ({error.code().name}: {error.details()})") from error
    return False


def _turned_away(gcs: str, found: str) -> CredentialsError:
    return CredentialsError(
        gcs,
        f"the cluster rejects the desk: {found}",
        "RAY_AUTH_MODE=token, and the cluster's token in ~/.ray/auth_token or the file RAY_AUTH_TOKEN_PATH names",
        "Set RAY_AUTH_MODE to the cluster's value, and copy its token here.",
    )
