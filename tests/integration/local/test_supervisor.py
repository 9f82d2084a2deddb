"""The supervisor with real, tiny programs: order, readiness, restarts, and an end of all in good time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from annotateforge.local import service, supervisor
from annotateforge.local.engine import EngineError
from annotateforge.local.parts import ServicePart
from annotateforge.local.service import ServiceProgram
from annotateforge.local.supervisor import Change, Notice, Supervisor

HERE = Path(__file__).parent

RUN_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_supervisor import Programs
from annotateforge.local.supervisor import Supervisor

async def main():
    programs = Programs(Path(sys.argv[1]))
    keeper = Supervisor(lambda notice: None)
    await keeper.start([programs.part("one"), programs.part("two")])
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


class Programs:
    """Makes parts that run the tiny program, and reads what they have noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def part(self, name: str, behaviour: str = "serve", listen: str | None = "127.0.0.1:0") -> ServicePart:
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(HERE),
            "TINY_NAME": name,
            "TINY_BEHAVIOUR": behaviour,
            "TINY_JOURNAL": str(self.folder / "journal"),
        }
        program = ServiceProgram(name, "tiny_program", environment, self.folder / "logs" / f"{name}.log")
        return ServicePart(program, listen)

    def journal(self) -> list[tuple[str, str, int]]:
        """What happened, to which part, in which process."""
        lines = [line.split() for line in (self.folder / "journal").read_text().splitlines()]
        return [(what, name, int(pid)) for what, name, pid in lines]

    def pids(self) -> set[int]:
        """All processes that have ever run."""
        children = {int(what.removeprefix("child:")) for what, _, _ in self.journal() if ":" in what}
        return children | {pid for _, _, pid in self.journal()}


class Notices:
    """What the supervisor has told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []
        self._changed = asyncio.Event()

    def __call__(self, notice: Notice) -> None:
        self.seen.append((notice.part, notice.change.value, notice.detail))
        self._changed.set()

    def count(self, part: str, change: Change) -> int:
        return sum(seen[:2] == (part, change.value) for seen in self.seen)

    async def until(self, part: str, change: Change, count: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.count(part, change) < count:
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@asynccontextmanager
async def supervised(told: Callable[[Notice], None]) -> AsyncIterator[Supervisor]:
    keeper = Supervisor(told)
    try:
        yield keeper
    finally:
        await keeper.stop()


async def pid_at(address: str) -> int:
    async with asyncio.timeout(10):
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        pid = int(await reader.read())
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        return pid


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def all_gone(pids: set[int]) -> None:
    async with asyncio.timeout(10):
        while any(map(alive, pids)):
            await asyncio.sleep(0.02)


async def test_stages_start_in_order_and_stop_in_reverse(programs: Programs) -> None:
    told = Notices()
    async with supervised(told) as keeper:
        await keeper.start([programs.part("a"), programs.part("b")])
        await keeper.start([programs.part("c")])
        await keeper.start([programs.part("d", listen=None)])
    order = [(what, name) for what, name, _ in programs.journal()]
    assert sorted(order[:2]) == [("start", "a"), ("start", "b")]
    assert order[2:6] == [("start", "c"), ("start", "d"), ("stop", "d"), ("stop", "c")]
    assert sorted(order[6:]) == [("stop", "a"), ("stop", "b")]
    assert told.count("d", Change.STOPPED) == 1


async def test_a_part_is_ready_only_when_it_says_so_and_answers_at_its_address(programs: Programs) -> None:
    async with supervised(Notices()) as keeper:
        one, two, silent = await keeper.start(
            [programs.part("one"), programs.part("two"), programs.part("silent", listen=None)]
        )
        assert await pid_at(one) != await pid_at(two)
        assert silent == ""


async def test_a_killed_part_comes_back_at_the_same_address(programs: Programs) -> None:
    told = Notices()
    async with supervised(told) as keeper:
        (address,) = await keeper.start([programs.part("one")])
        first = await pid_at(address)
        os.kill(first, signal.SIGKILL)
        await told.until("one", Change.READY, 2)
        assert await pid_at(address) != first
    assert ("one", "crashed", "signal 9") in told.seen


async def test_its_log_is_kept_beside_that_of_the_run_before(programs: Programs, tmp_path: Path) -> None:
    told = Notices()
    async with supervised(told) as keeper:
        (address,) = await keeper.start([programs.part("one")])
        os.kill(await pid_at(address), signal.SIGKILL)
        await told.until("one", Change.READY, 2)
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["one.log", "one.previous.log"]


async def test_a_part_that_keeps_crashing_is_started_ever_more_rarely(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.4)
    waited: list[float] = []
    wait = supervisor._wait

    async def noted(event: asyncio.Event, seconds: float) -> None:
        waited.append(seconds)
        await wait(event, seconds)

    monkeypatch.setattr(supervisor, "_wait", noted)
    told = Notices()
    async with supervised(told) as keeper:
        await keeper.start([programs.part("one", "crash")])
        await told.until("one", Change.CRASHED, 5)
    assert waited[:5] == [0.05, 0.1, 0.2, 0.4, 0.4]
    assert ("one", "crashed", "exit status 7") in told.seen


async def test_a_part_that_does_not_start_stops_the_others_and_shows_what_it_said(programs: Programs) -> None:
    async with supervised(Notices()) as keeper:
        await keeper.start([programs.part("first")])
        with pytest.raises(EngineError, match=r"(?s)exit status 3 while starting.*what went wrong"):
            await keeper.start([programs.part("second"), programs.part("third", "fail")])
    await all_gone(programs.pids())


async def test_a_part_that_never_becomes_ready_is_given_up(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "START_TIMEOUT", 1.0)
    async with supervised(Notices()) as keeper:
        with pytest.raises(EngineError, match="was not ready after 1 s"):
            await keeper.start([programs.part("one", "hang")])
    await all_gone(programs.pids())


async def test_a_start_that_is_broken_off_leaves_nothing(programs: Programs) -> None:
    async with supervised(Notices()) as keeper:
        start = asyncio.create_task(keeper.start([programs.part("one", "hang"), programs.part("two")]))
        async with asyncio.timeout(10):
            while not (programs.folder / "journal").exists() or len(programs.journal()) < 2:
                await asyncio.sleep(0.01)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
    await all_gone(programs.pids())


async def test_parts_that_heed_nothing_are_killed_in_time(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "STOP_WITHIN", 1.5)
    monkeypatch.setattr(supervisor, "KEPT_FOR_THE_FIRST_STAGE", 1.0)
    keeper = Supervisor(Notices())
    await keeper.start([programs.part("well", listen=None)])
    for name in ("one", "two", "three"):
        await keeper.start([programs.part(name, "deaf")])
    began = time.monotonic()
    await keeper.stop()
    assert time.monotonic() - began < 2.5
    await all_gone(programs.pids())
    # The first stage still had the time to end in good order.
    assert programs.journal()[-1][:2] == ("stop", "well")


async def test_what_a_part_left_behind_goes_with_it(programs: Programs) -> None:
    told = Notices()
    async with supervised(told) as keeper:
        (address,) = await keeper.start([programs.part("one", "parent")])
        before = programs.pids()
        os.kill(await pid_at(address), signal.SIGKILL)
        await told.until("one", Change.READY, 2)
        await all_gone(before)
    await all_gone(programs.pids())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_a_killed_supervisor_takes_its_parts_along(programs: Programs) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN_UNTIL_KILLED,
        str(programs.folder),
        str(HERE),
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        assert await parent.stdout.readline() == b"ready\n"
    served = {pid for what, _, pid in programs.journal() if what == "start"}
    assert all(map(alive, served))
    parent.kill()
    await parent.wait()
    await all_gone(served)
