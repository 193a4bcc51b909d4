"""What the meters cost: the highest rate of the live desk with all of them on, against none, in alternating pairs.

    python -m benchmarks.meter_cost [--pairs N] [--rate R] [--seconds S] [--consumers N]

The venue sends as fast as the desk reads, or at `--rate`: then the CPU time per event counts. With meters: waits, hops,
Ray's metrics, `/metrics`, OTLP to a receiver in this process, and one batch in a hundred traced. Without:
`benchmarks/without_meters` replaces them by nothing in every process, and nothing is exported. `ratio` is with /
without of the rates of one pair, `cpu_ratio` that of the CPU times per event.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import grpc  # type: ignore[import-untyped]  # it has no types

from benchmarks import desk_trial
from benchmarks.desk_trial import DeskOptions
from benchmarks.load import Venue, standard
from benchmarks.results import print_results
from benchmarks.trial import Timing

WITHOUT: Final = Path(__file__).with_name("without_meters")
TRIAL_S: Final = 180.0
TRACED: Final = 0.01


def trial(rate: float | None, seconds: float, consumers: int, endpoint: str) -> dict[str, Any]:
    """Run one desk; return its row. An empty `endpoint` exports nothing."""
    on = {"otlp_endpoint": endpoint, "prometheus_port": _free_port(), "trace_sample": TRACED}
    options = DeskOptions(consumers, telemetry=on if endpoint else {})
    with Venue(standard(rate)) as venue:
        return desk_trial.run(venue, options, Timing(rate, seconds)).row()


def trial_apart(arguments: Sequence[str], endpoint: str) -> dict[str, Any]:
    """The same in a process of its own, without meters if there is no endpoint."""
    environment = dict(os.environ)
    if not endpoint:
        environment["PYTHONPATH"] = os.pathsep.join([str(WITHOUT), str(Path.cwd())])
    command = [sys.executable, "-m", "benchmarks.meter_cost", *arguments, "--trial", endpoint]
    done = subprocess.run(  # noqa: S603 - this module
        command, env=environment, stdout=subprocess.PIPE, timeout=TRIAL_S, check=True
    )
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


class _AnyCall(grpc.GenericRpcHandler):  # type: ignore[misc]  # as above
    """Answers every call with an empty message, which is a success for OTLP."""

    def service(self, _: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")


@contextmanager
def receiver() -> Iterator[str]:
    """A receiver of OTLP on loopback that discards everything; yields its endpoint."""
    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=(_AnyCall(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(0)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--consumers", type=int, default=2)
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.trial is not None:
        print(json.dumps(trial(chosen.rate, chosen.seconds, chosen.consumers, chosen.trial)))
        return
    rows: list[dict[str, Any]] = []
    with receiver() as endpoint:
        for number in range(chosen.pairs):
            order = [endpoint, ""] if number % 2 else ["", endpoint]
            pair = {where: trial_apart(sys.argv[1:], where) for where in order}
            rows.append(_row(f"pair {number + 1}", pair[endpoint], pair[""]))
    medians = [_median(name, rows) for name in ("ratio", "cpu_ratio")]
    print_results("benchmarks.meter_cost", rows + medians)


def _row(what: str, on: dict[str, Any], off: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": what,
        "with_per_s": on["applied_per_s"],
        "without_per_s": off["applied_per_s"],
        "ratio": round(on["applied_per_s"] / off["applied_per_s"], 3),
        "with_cpu_us": on["cpu_us_per_event"],
        "without_cpu_us": off["cpu_us_per_event"],
        "cpu_ratio": round(on["cpu_us_per_event"] / off["cpu_us_per_event"], 3),
    }


def _median(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of a ratio, with its least and greatest value."""
    values = sorted(row[name] for row in rows)
    return {"what": f"median of {name}, {values[0]:.3f} to {values[-1]:.3f}", name: median(values)}


if __name__ == "__main__":
    main()
