"""CPU time and memory of processes, from /proc."""

import os
import subprocess
import sys

from benchmarks.processes import Processes, Usage
from benchmarks.trial import costs


def test_the_tree_holds_children_and_leaves_others_out() -> None:
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
    ):
        for process in (child, other):
            assert process.stdout is not None
            process.stdout.readline()

        used = Processes(os.getpid(), {os.getpid(): "test", child.pid: "child"}, {other.pid}).usage()

        assert {"test", "child"} <= set(used)
        assert used["child"].peak_rss_mb >= used["child"].rss_mb > 1
        assert used["test"].cpu_s > 0
        for process in (child, other):
            assert process.stdin is not None
            process.stdin.close()


def test_a_process_that_has_ended_is_left_out() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        processes = Processes(os.getpid(), {child.pid: "child"})

    assert "child" not in processes.usage()


def test_costs_are_differences_added_up_by_role() -> None:
    first = {"consumer-00": Usage(1.0, 0, 10), "consumer-01": Usage(1.0, 0, 10), "ray: gcs": Usage(5.0, 0, 30)}
    last = {
        "consumer-00": Usage(1.5, 0, 20),
        "consumer-01": Usage(2.0, 0, 25),
        "ray: gcs": Usage(5.25, 0, 30),
        "ray: raylet": Usage(0.25, 0, 40),
    }

    found = costs(first, last, seconds=4.0, applied=1_000_000)

    assert found["cpu_us_of_consumers"] == 1.5
    assert found["cpu_us_of_ray"] == 0.5
    assert found["cpu_us_per_event"] == 2.0
    assert found["cpu_share_of_a_core"] == 0.5
    assert found["peak_rss_mb_of_consumers"] == 45
