"""A training whose worker or process is killed twenty times, while services and engines are killed too."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from annotateforge.client import Client, ClientError
from annotateforge.client.profile import LocalServer
from tests.scenarios.processes import all_gone, children
from tests.scenarios.samples import job, make_project
from tests.scenarios.test_up import Up, up, usable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILLS = 20
EPOCHS = 60
PATIENCE = 900.0
MODULE = b"annotateforge.trainer.worker.child"


def child_of(worker: int) -> int | None:
    """The training process of a worker, if it has one now."""
    for pid in children(worker):
        try:
            if MODULE in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
        except OSError:
            continue
    return None


def persistently(ask: Callable[[], Any]) -> Any:
    """Ask until it is answered: what is killed is started again."""
    end = time.monotonic() + 120
    while True:
        try:
            return ask()
        except (ClientError, httpx.HTTPError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def kill(running: Up, victim: str) -> None:
    """SIGKILL a part, or the training process of the worker; nothing when it is not there just now."""
    try:
        pid = child_of(running.pid("worker-cpu")) if victim == "child" else running.pid(victim)
    except AssertionError:
        return
    if pid is not None:
        os.kill(pid, signal.SIGKILL)


def tensors(client: Client, model_id: str, path: Path) -> dict[str, bytes]:
    client.download_artifact(model_id, "best.pt", path)
    model = torch.load(path, map_location="cpu", weights_only=False)["model"]
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def test_a_training_that_is_killed_twenty_times_gives_the_model_of_the_undisturbed_one(
    tmp_path: Path,
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    settings: dict[str, Any] = {"LEASE_SECONDS": "3", "MAX_ATTEMPTS": "1000", "WORKER_CORES": "1"}
    with up(tmp_path / "data", **settings) as running, running.client() as client:
        local = LocalServer.find(tmp_path / "data")
        assert local is not None
        headers = {"authorization": f"Bearer {local.token}"}
        with httpx.Client(base_url=local.url, headers=headers, timeout=60) as rest:
            request = job(make_project(rest, "chaos"), epochs=EPOCHS, loader_workers=2)
            undisturbed, disturbed = (
                str(rest.post("/api/v1/training/jobs", json=request).json()["id"]) for _ in range(2)
            )
        ended(client, undisturbed)

        watched: list[int] = []
        watcher = threading.Thread(target=follow, args=(client, disturbed, watched), daemon=True)
        watcher.start()
        killed = 0
        while killed < KILLS:
            epoch = persistently(lambda: client.job(disturbed)).current_epoch
            if chance.random() < 0.6:
                # In an epoch that the last attempt had not reached.
                progress(client, disturbed, epoch)
            time.sleep(chance.uniform(0, 4))
            assert not persistently(lambda: client.job(disturbed)).HasField("end_time"), "it was too short"
            kill(running, chance.choice(["child", "worker-cpu"]))
            killed += 1
            if killed % 4 == 0:
                kill(running, ["trainer", "postgres", "nats", "gateway", "registry"][killed // 4 - 1])
        ended(client, disturbed)
        usable(client)

        one, other = client.job(undisturbed), client.job(disturbed)
        assert [one.failure.reason, other.failure.reason] == ["", ""]
        assert other.attempt > 1
        events = list(client.events(disturbed))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        epochs = [event.epoch_complete.epoch for event in events if event.HasField("epoch_complete")]
        assert epochs == list(range(1, EPOCHS + 1))
        attempts = [event.attempt for event in events if event.attempt]
        assert attempts == sorted(attempts)
        watcher.join(60)
        assert watched == [event.sequence for event in events]
        assert [model.job_id for model in client.models()].count(disturbed) == 1
        assert tensors(client, one.model_id, tmp_path / "one.pt") == tensors(
            client, other.model_id, tmp_path / "other.pt"
        )
        below = running.descendants()
        running.stop()
    all_gone(below)


def ended(client: Client, job_id: str) -> None:
    end = time.monotonic() + PATIENCE
    while not persistently(lambda: client.job(job_id)).HasField("end_time"):
        assert time.monotonic() < end
        time.sleep(0.2)


def progress(client: Client, job_id: str, epoch: int) -> None:
    """Wait until a later epoch is complete, or the job has ended."""
    end = time.monotonic() + PATIENCE
    while (found := persistently(lambda: client.job(job_id))).current_epoch <= epoch:
        assert time.monotonic() < end
        if found.HasField("end_time"):
            return
        time.sleep(0.1)


def follow(client: Client, job_id: str, sequences: list[int]) -> None:
    """Watch a job to its end, coming back whenever the connection is gone."""
    while True:
        try:
            for event in client.watch(job_id, after=sequences[-1] if sequences else 0):
                if event.sequence:
                    sequences.append(event.sequence)
        except (ClientError, OSError):
            time.sleep(0.2)
        else:
            return
