"""The address of a cluster to join: where it is said, whether a cluster answers there, whether it asks for a token."""

import re
import socket
from typing import Final

import grpc  # type: ignore[import-untyped]  # it ships without types
from ray.exceptions import AuthenticationError

from actors.ray_internals.calls import check_alive
from desk.model.errors import CredentialsError, PlanError

ADDRESS_VARIABLE: Final = "RAY_ADDRESS"
NAMES: Final = ("auto", "local")
HOST_AND_PORT: Final = re.compile(r"(?P<host>[^\s:/]+|\[[^\s\]]+\]):(?P<port>[0-9]{1,5})")
LISTENER_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
"""A GCS that pauses for 20 s is waited for."""


def no_cluster(joined: str, found: str, *, by_environment: bool) -> PlanError:
    """The error for a Ray that does not start or a cluster that cannot be joined; names the source of the address."""
    if joined in {"", "local"}:
        return PlanError(
            "Ray",
            f"it does not start: {found}",
            "a Ray of the desk's own on this machine",
            "Look at the machine's memory, processes and limits (`ulimit -a`).",
        )
    return PlanError(
        f"environment, {ADDRESS_VARIABLE}" if by_environment else "--address",
        f"no cluster to work on: {found}",
        "the address of a running Ray cluster as host:port, or none for a cluster of the desk's own",
        f"Unset {ADDRESS_VARIABLE}, or name a cluster with --address, which goes before it."
        if by_environment
        else "Start one with `ray start --head`, or leave --address out.",
    )


def require_listener(address: str) -> None:
    """Where nobody listens, Ray tries for more than a minute and a socket knows at once. Raises OSError, ValueError."""
    if address in NAMES:
        return
    if address.startswith(("http://", "https://")):
        raise ValueError(
            f"`{address}` is no address of the form host:port but that of a dashboard, for `desk submit` and `ray job`"
        )
    if address.startswith("ray://"):
        raise ValueError(
            f"`{address}` is for Ray's client, and a desk works on a node of the cluster: `desk submit` it"
        )
    found = HOST_AND_PORT.fullmatch(address)
    if found is None:
        raise ValueError(f"`{address}` is no address of the form host:port")
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), LISTENER_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"nothing listens at {address} ({error})") from error


def require_access(gcs: str) -> None:
    """Ask the GCS at this host:port with the token, where one is in use, since `ray.init` would wait for 20 s.

    Raises CredentialsError where it turns this process away, ConnectionError where no GCS answers.
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
    """Whether the GCS at this host:port turns a caller without a token away. Raises ConnectionError as above."""
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
        f"the cluster turns the desk away: {found}",
        "RAY_AUTH_MODE=token, and the cluster's token in ~/.ray/auth_token or the file RAY_AUTH_TOKEN_PATH names",
        "Set RAY_AUTH_MODE as the cluster has it, and fetch its token.",
    )
