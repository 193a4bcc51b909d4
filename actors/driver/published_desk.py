"""Reads what a running desk publishes at its keeper, from any node of its cluster.

Tests: tests/actors/test_ray_dashboard.py
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import ray
from ray.exceptions import RayError
from ray.util import list_named_actors

from actors.calls.handles import call
from actors.keeper import Keeper
from actors.ray_cluster.cluster_address import NAMES, no_cluster, require_access, require_listener
from desk.model.errors import RunFolderError
from desk.report.live_snapshot import LiveSnapshot, decode_snapshot

ANSWER_S: Final = 10.0
DESK: Final = "raydesk-"
KEEPER: Final = "keeper"


class PublishedDesk:
    """The snapshots of the desk with this namespace."""

    def __init__(self, namespace: str) -> None:
        self.place = namespace
        self._keeper = ray.get_actor(KEEPER, namespace)

    def read(self) -> LiveSnapshot | None:
        """The last snapshot; None once the desk has ended, or before it has published. Raises RunFolderError."""
        try:
            content = ray.get(call(self._keeper, Keeper.published), timeout=ANSWER_S)
        except RayError:  # a keeper that is gone: the desk has ended, or starts another
            return None
        try:
            return decode_snapshot(content) if content else None
        except ValueError as error:
            raise RunFolderError(
                self.place, f"it cannot be read: {error}", "a desk of this release", "Use the release that runs it."
            ) from error


@contextmanager
def published_desk(address: str) -> Iterator[PublishedDesk]:
    """The newest desk of the cluster at this address. Raises PlanError, CredentialsError, RunFolderError."""
    try:
        require_listener(address)
        if address not in NAMES:
            require_access(address)
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise no_cluster(address, str(error), by_environment=True) from error
    try:
        found = [actor["namespace"] for actor in list_named_actors(all_namespaces=True) if actor["name"] == KEEPER]
        desks = [namespace for namespace in found if namespace.startswith(DESK)]
        if not desks:
            raise RunFolderError(
                address, "no desk runs on this cluster", "a running desk", "Start one, or name another cluster."
            )
        yield PublishedDesk(max(desks, key=_started))
    finally:
        ray.shutdown()


def _started(namespace: str) -> int:
    """When the desk began: its namespace ends with it."""
    return int(namespace.rpartition("-")[2], 16)
