import pytest

from annotateforge.trainer.worker.machine import (
    UnknownDevice,
    current_load,
    look_at_machine,
    read_gpus,
    usable_cores,
)

LISTING = """0, GPU-aaaa-1, NVIDIA H200, 143771, 570.86
1, GPU-bbbb-2, NVIDIA L4, 23034, 570.86
2, GPU-cccc-3, NVIDIA L4, [N/A], 570.86
"""


def test_gpus_are_read_with_model_memory_and_driver() -> None:
    gpus, driver = read_gpus(LISTING, None)
    assert driver == "570.86"
    assert [(gpu.name, gpu.model) for gpu in gpus] == [
        ("0", "NVIDIA H200"),
        ("1", "NVIDIA L4"),
        ("2", "NVIDIA L4"),
    ]
    assert [gpu.memory_bytes for gpu in gpus] == [143771 * 1024**2, 23034 * 1024**2, 0]


@pytest.mark.parametrize(
    ("visible", "models"),
    [
        ("1", ["NVIDIA L4"]),
        ("1,0", ["NVIDIA L4", "NVIDIA H200"]),
        ("GPU-aaaa", ["NVIDIA H200"]),
        ("", []),
        ("-1", []),
        ("7", []),
    ],
)
def test_hidden_gpus_are_left_out_and_the_others_numbered_as_torch_does(
    visible: str, models: list[str]
) -> None:
    gpus, _ = read_gpus(LISTING, visible)
    assert [gpu.model for gpu in gpus] == models
    assert [gpu.name for gpu in gpus] == [str(number) for number in range(len(models))]


async def test_a_machine_always_has_a_cpu_to_train_on() -> None:
    machine = await look_at_machine("", None, {})
    assert machine.devices[-1].name == "cpu"
    assert machine.devices[-1].memory_bytes > 0
    assert machine.cores == usable_cores() >= 1
    assert {"annotateforge", "python", "torch", "ultralytics"} <= set(machine.versions)


async def test_a_device_that_is_not_there_stops_the_worker_at_once() -> None:
    with pytest.raises(UnknownDevice, match="cpu"):
        await look_at_machine("cpu, 99", None, {})


def test_load_is_within_its_limits() -> None:
    load = current_load()
    assert 0 <= load.cpu_percent <= 100
    assert 0 < load.memory_used_bytes < load.memory_total_bytes
