import asyncio
from pathlib import Path

import pytest

from annotateforge.api.trainer.v1.job_pb2 import JobConfig
from annotateforge.api.trainer.v1.worker_pb2 import Device
from annotateforge.trainer.worker.devices import Devices, device_for, read_loads
from annotateforge.trainer.worker.machine import look_at_machine

USAGE = """0, GPU-aaaa-1, 512, 3
1, GPU-bbbb-2, 20480, 97
2, GPU-cccc-3, [N/A], [N/A]
"""
LISTING = """0, GPU-aaaa-1, NVIDIA L4, 23034, 570.86
1, GPU-bbbb-2, NVIDIA L4, 23034, 570.86
2, GPU-cccc-3, NVIDIA L4, 23034, 570.86
"""
SMALL = Device(name="0", memory_bytes=16 * 10**9)
LARGE = Device(name="1", memory_bytes=24 * 10**9)
CPU = Device(name="cpu", memory_bytes=64 * 10**9)
MINE = Device(name="0", memory_bytes=16 * 10**9, in_use=True)
TAKEN = Device(name="0", memory_bytes=16 * 10**9, busy=True)


@pytest.fixture
def usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program nvidia-smi that tells of three GPUs; the file has what it tells of their use."""
    (tmp_path / "usage").write_text(USAGE)
    (tmp_path / "listing").write_text(LISTING)
    program = tmp_path / "nvidia-smi"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in *memory.used*) cat {tmp_path}/usage;; *) cat {tmp_path}/listing;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "usage"


def test_loads_are_read_with_the_numbers_that_torch_gives() -> None:
    loads = read_loads(USAGE, "1,0")
    assert [(load.name, load.memory_used_bytes >> 20, load.utilization_percent) for load in loads] == [
        ("0", 20480, 97),
        ("1", 512, 3),
    ]
    assert read_loads(USAGE, None)[2].memory_used_bytes == 0


async def test_a_gpu_that_others_use_is_busy_until_they_leave_it(usage: Path) -> None:
    devices = Devices(await look_at_machine("", 1, {}), None, 20)
    await devices.look()
    assert [(device.name, device.busy) for device in devices.described()] == [
        ("0", False),
        ("1", True),
        ("2", False),
        ("cpu", False),
    ]
    assert [load.name for load in devices.load().gpus] == ["0", "1", "2"]
    devices.changed.clear()
    usage.write_text(USAGE.replace("20480", "0"))
    await devices.look()
    assert devices.changed.is_set()
    assert not any(device.busy for device in devices.described())


@pytest.mark.parametrize("line", ["No devices were found", "0, GPU-aaaa-1", "0, GPU-aaaa-1, 512, \u00b2"])
async def test_a_line_that_is_none_leaves_what_was_seen_last(usage: Path, line: str) -> None:
    devices = Devices(await look_at_machine("", 1, {}), None, 20)
    await devices.look()
    before = devices.load().gpus
    usage.write_text(f"{line}\n")
    await devices.look()
    assert list(devices.load().gpus) == list(before)
    assert [device.busy for device in devices.described()] == [False, True, False, False]


async def test_a_program_that_cannot_be_started_leaves_what_was_seen_last(usage: Path) -> None:
    devices = Devices(await look_at_machine("", 1, {}), None, 20)
    await devices.look()
    usage.with_name("nvidia-smi").write_bytes(b"\x7fELF, but no program")
    await devices.look()
    assert [load.name for load in devices.load().gpus] == ["0", "1", "2"]


async def test_a_machine_without_gpus_has_nothing_to_look_at() -> None:
    devices = Devices(await look_at_machine("cpu", 1, {}), None, 20)
    await devices.look()
    await devices.look_for_ever()
    assert not devices.changed.is_set()
    assert not devices.load().gpus


@pytest.mark.parametrize(
    ("config", "devices", "chosen"),
    [
        (JobConfig(), [SMALL, LARGE, CPU], "0"),
        (JobConfig(), [TAKEN, LARGE, CPU], "1"),
        (JobConfig(), [TAKEN, CPU], "0"),
        (JobConfig(), [CPU, SMALL], "cpu"),
        (JobConfig(gpus=1), [CPU, SMALL], "0"),
        (JobConfig(gpus=1, min_gpu_memory=20), [SMALL, LARGE, CPU], "1"),
        (JobConfig(device="cpu"), [SMALL, CPU], "cpu"),
        (JobConfig(device="1"), [SMALL, LARGE], "1"),
        (JobConfig(device="1,0"), [SMALL, LARGE, CPU], "1,0"),
        (JobConfig(gpus=2), [CPU, SMALL, LARGE], "0,1"),
        (JobConfig(gpus=2, min_gpu_memory=16), [TAKEN, SMALL, LARGE], "0,1"),
        (JobConfig(), [MINE, LARGE], "1"),
    ],
)
def test_a_job_gets_the_first_free_device_that_fits(
    config: JobConfig, devices: list[Device], chosen: str
) -> None:
    assert device_for(config, devices) == chosen


def in_use(devices: Devices) -> list[str]:
    return [device.name for device in devices.described() if device.in_use]


async def test_jobs_share_the_gpus_and_their_processors_and_one_on_the_processor_is_alone(
    usage: Path,
) -> None:
    usage.write_text("0, GPU-aaaa-1, 0, 0\n1, GPU-bbbb-2, 0, 0\n2, GPU-cccc-3, 0, 0\n")
    devices = Devices(await look_at_machine("", 6, {}), None, 20)
    assert devices.slots == 3
    with devices.taken(JobConfig(gpus=2)) as two:
        assert (two.device, two.cores) == ("0,1", 4)
        assert in_use(devices) == ["0", "1", "cpu"]
        # Its own use of a GPU is not that of others.
        usage.write_text("0, GPU-aaaa-1, 20000, 99\n1, GPU-bbbb-2, 20000, 99\n2, GPU-cccc-3, 0, 0\n")
        await devices.look()
        assert not any(device.busy for device in devices.described())
        with devices.taken(JobConfig()) as one:
            assert (one.device, one.cores) == ("2", 2)
            waiting = asyncio.ensure_future(devices.some_free())
            await asyncio.sleep(0)
            assert not waiting.done()
            devices.changed.clear()
        await asyncio.wait_for(waiting, 10)
        assert devices.changed.is_set()
    with devices.taken(JobConfig(device="cpu")) as alone:
        assert (alone.device, alone.cores) == ("cpu", 6)
        assert in_use(devices) == ["0", "1", "2", "cpu"]
