"""Which process loads what: torch takes seconds and a gigabyte, grpc has no business in the child."""

import subprocess
import sys


def loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_the_worker_loads_neither_torch_nor_ultralytics() -> None:
    assert not {"torch", "ultralytics", "cv2", "numpy"} & loaded_by("annotateforge.trainer.worker.app")


def test_the_child_loads_no_grpc_and_until_it_is_off_the_network_no_ultralytics() -> None:
    loaded = loaded_by("annotateforge.trainer.worker.child.__main__")
    assert not {"grpc", "asyncpg", "nats", "torch", "ultralytics"} & loaded
