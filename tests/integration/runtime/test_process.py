import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import orjson
import pytest

PROGRAM = """
import asyncio
import contextlib
import os
import sys
from types import SimpleNamespace
from annotateforge.runtime.process import run
from annotateforge.runtime.settings import ProcessSettings

class Settings(ProcessSettings):
    behaviour: str

async def fail():
    await asyncio.sleep(0.05)
    raise RuntimeError("a part has failed")

@contextlib.asynccontextmanager
async def running(settings):
    print("entered", flush=True)
    if settings.behaviour == "cannot-start":
        raise OSError("the port is taken")
    if settings.behaviour == "starts-for-ever":
        try:
            await asyncio.sleep(60)
        finally:
            print("gave up", flush=True)
    async with asyncio.TaskGroup() as group:
        if settings.behaviour == "part-fails":
            group.create_task(fail())
        yield SimpleNamespace(address="127.0.0.1:4711")
        print("leaving", flush=True)
        if settings.behaviour == "stops-for-ever":
            await asyncio.sleep(60)
    print("left", flush=True)

run("example", Settings, running)
"""


class Process:
    """The program above as a child, with its ready descriptor."""

    def __init__(self, behaviour: str | None, **variables: str) -> None:
        read, write = os.pipe()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ANNOTATEFORGE_")
        }
        environment |= {"ANNOTATEFORGE_READY_FD": str(write), **variables}
        if behaviour is not None:
            environment["ANNOTATEFORGE_BEHAVIOUR"] = behaviour
        self._child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            pass_fds=(write,),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(write)
        self._ready = os.fdopen(read, "rb")
        self.output: IO[str] = self._child.stdout or sys.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.communicate()
        self._ready.close()

    def ready(self) -> bytes:
        return self._ready.readline()

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        """Exit status, what it printed, what it logged."""
        printed, logged = self._child.communicate(timeout=30)
        return self._child.returncode, printed, logged


@pytest.fixture(params=[signal.SIGTERM, signal.SIGINT])
def number(request: pytest.FixtureRequest) -> signal.Signals:
    """The signal that is sent."""
    return signal.Signals(request.param)


def test_a_process_says_where_it_is_and_a_signal_stops_it_in_order(number: signal.Signals) -> None:
    with Process("serves") as process:
        assert orjson.loads(process.ready()) == {"address": "127.0.0.1:4711"}
        process.send(number)
        status, printed, logged = process.ended()
    assert status == 0
    assert printed.split("\n") == ["entered", "leaving", "left", ""]
    assert [orjson.loads(line)["event"] for line in logged.splitlines()] == ["ready", "stopping", "stopped"]


def test_a_second_signal_exits_at_once(number: signal.Signals) -> None:
    with Process("stops-for-ever") as process:
        process.ready()
        process.send(number)
        assert [process.output.readline(), process.output.readline()] == ["entered\n", "leaving\n"]
        process.send(number)
        assert process.ended()[0] == 128 + number


def test_a_signal_during_the_start_stops_it_in_order(number: signal.Signals) -> None:
    with Process("starts-for-ever") as process:
        assert process.output.readline() == "entered\n"
        process.send(number)
        status, printed, _ = process.ended()
        assert process.ready() == b""
    assert (status, printed) == (0, "gave up\n")


def test_a_process_that_cannot_start_says_why_and_is_never_ready() -> None:
    with Process("cannot-start") as process:
        assert process.ready() == b""
        status, _, logged = process.ended()
    assert status == 1
    assert "the port is taken" in logged


def test_a_part_that_fails_ends_the_process(tmp_path: Path) -> None:
    with Process("part-fails") as process:
        assert process.ready()
        status, _, logged = process.ended()
    assert status == 1
    assert "a part has failed" in logged


def test_missing_settings_are_named_by_their_variables() -> None:
    with Process(None, ANNOTATEFORGE_LOG_FORMAT="xml") as process:
        status, _, logged = process.ended()
    assert status == 2
    assert "ANNOTATEFORGE_BEHAVIOUR" in logged
    assert "ANNOTATEFORGE_LOG_FORMAT" in logged
    assert "Traceback" not in logged


def test_metrics_are_served_where_they_are_asked_for() -> None:
    with Process("serves", ANNOTATEFORGE_METRICS_LISTEN="127.0.0.1:0") as process:
        address = orjson.loads(process.ready())["metrics"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        process.send(signal.SIGTERM)
        assert process.ended()[0] == 0
    assert "python_gc_objects_collected_total" in text
