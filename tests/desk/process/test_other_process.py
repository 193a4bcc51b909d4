import os
import subprocess
import sys

from desk.process.other_process import process_readings


def test_the_figures_of_another_process_are_those_of_the_system() -> None:
    code = "import sys, time\nheld = bytearray(b'1') * 50_000_000\nend = time.process_time() + 0.2\n"
    code += "while time.process_time() < end: pass\nprint('ready', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()

        readings = process_readings("ray:raylet", child.pid)
        child.communicate()

    assert readings is not None
    values = {(one.metric, *one.labels.values()): one.value for one in readings.values}
    assert (readings.actor, readings.pid) == ("ray:raylet", child.pid)
    assert 0.1 < values["process.cpu.time", "user"] + values["process.cpu.time", "system"] < 10
    assert 50e6 < values["process.memory.usage",] < 500e6


def test_a_process_that_has_ended_has_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()

    assert process_readings("raylet", child.pid) is None
    assert process_readings("own", os.getpid()) is not None
