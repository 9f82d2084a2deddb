"""What happens to a training that is cancelled, or whose worker dies."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.scenarios.installation import Running, running
from tests.scenarios.samples import job, make_project
from tests.scenarios.watching import of_type, sequences, watch

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_CANCEL_LIMIT = 5.0


def _start(rest: httpx.Client, name: str, **config: Any) -> str:
    made = rest.post("/api/v1/training/jobs", json=job(make_project(rest, name), **config))
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def test_cancel_stops_a_training_in_the_middle_of_an_epoch_within_five_seconds(
    installation: Running, tmp_path: Path
) -> None:
    with installation.rest() as rest:
        # Nine training images at this size take far longer than the limit for one epoch of so many batches.
        job_id = _start(rest, f"cancel {tmp_path.name}", epochs=500, image_size=640, batch_size=1)
        events: list[dict[str, Any]] = []
        asked = ended = 0.0
        for event in watch(installation, job_id):
            events.append(event)
            if event["type"] == "progress" and event["stage"] == "training" and event["done"] and not asked:
                asked = time.monotonic()
                cancelled = rest.post(f"/api/v1/training/jobs/{job_id}:cancel", json={})
                assert cancelled.status_code == 200
                assert cancelled.json()["cancel_requested"]
            if event["type"] == "status_change" and event["status"] == "cancelled":
                ended = time.monotonic()
        assert 0 < ended - asked < _CANCEL_LIMIT
        assert sequences(events) == list(range(1, len(sequences(events)) + 1))
        assert rest.get(f"/api/v1/training/jobs/{job_id}").json()["status"] == "cancelled"


def test_a_job_whose_worker_is_killed_goes_on_in_another_attempt(tmp_path: Path) -> None:
    with running(tmp_path / "data", LEASE_SECONDS="3") as installation, installation.rest() as rest:
        job_id = _start(rest, "killed", epochs=4)
        events: list[dict[str, Any]] = []
        killed = False
        for event in watch(installation, job_id):
            events.append(event)
            if event["type"] == "epoch_complete" and not killed:
                killed = True
                os.kill(installation.child("annotateforge.trainer.worker"), signal.SIGKILL)

        assert sequences(events) == list(range(1, len(sequences(events)) + 1))
        (retry,) = of_type(events, "retry")
        assert retry["reason"] == "WORKER_LOST"
        statuses = [event["status"] for event in of_type(events, "status_change")]
        assert statuses[:3] == ["pending", "preparing", "training"]
        assert statuses[-4:] == ["pending", "preparing", "training", "completed"]
        ended = rest.get(f"/api/v1/training/jobs/{job_id}").json()
        assert ended["attempt"] == 2
        epochs = rest.get(f"/api/v1/training/jobs/{job_id}/epochs").json()["epochs"]
        assert [epoch["epoch"] for epoch in epochs] == [1, 2, 3, 4]
