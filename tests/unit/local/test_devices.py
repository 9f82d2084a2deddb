"""Which devices get a worker."""

from pathlib import Path

import pytest

from annotateforge.local.devices import training_devices, visible_gpus

TWO = "0, GPU-aaaa\n1, GPU-bbbb\n"


@pytest.mark.parametrize(
    ("listing", "visible", "names"),
    [
        (TWO, None, ["0", "1"]),
        (TWO, "", []),
        (TWO, "-1", []),
        (TWO, "1", ["0"]),
        (TWO, "1,0", ["0", "1"]),
        (TWO, "GPU-bb", ["0"]),
        ("", None, []),
        ("\n", None, []),
    ],
)
def test_gpus_are_numbered_as_torch_sees_them(listing: str, visible: str | None, names: list[str]) -> None:
    assert visible_gpus(listing, visible) == names


def nvidia_smi(folder: Path, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_every_gpu_of_the_machine_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path, "printf '0, GPU-aaaa\\n1, GPU-bbbb\\n'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert training_devices({}) == ["0", "1"]
    assert training_devices({"CUDA_VISIBLE_DEVICES": "1"}) == ["0"]


@pytest.mark.parametrize("script", ["exit 9", "echo NVIDIA-SMI has failed >&2; exit 255"])
def test_a_driver_that_fails_leaves_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    nvidia_smi(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert training_devices({}) == ["cpu"]


def test_without_a_driver_the_processor_gets_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert training_devices({}) == ["cpu"]


def test_people_may_choose() -> None:
    assert training_devices({"ANNOTATEFORGE_WORKER_DEVICES": "cpu, 0"}) == ["cpu", "0"]
