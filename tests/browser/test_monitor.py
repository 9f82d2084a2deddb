"""A training as it is watched: live, over broken connections, and long after it has ended."""

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.visitor import PHONE, Visitor
from tests.scenarios.installation import Running
from tests.scenarios.samples import job, make_project

EPOCHS = 3
TRAINING_MS = 120_000.0


@pytest.fixture(scope="module")
def project(stack: Running) -> str:
    """A project that can be trained on."""
    with stack.rest() as rest:
        return make_project(rest, f"Particles {uuid4()}")


@pytest.fixture
def rest(stack: Running) -> Iterator[httpx.Client]:
    """The API."""
    with stack.rest() as client:
        yield client


def start(rest: httpx.Client, project: str, name: str, **config: object) -> str:
    """Start a training; the job's id."""
    answer = rest.post("/api/v1/training/jobs", json={**job(project, **config), "name": name})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_training_is_watched_over_two_broken_connections_to_its_model(
    editor: Visitor, rest: httpx.Client, project: str
) -> None:
    page = editor.page
    sockets: list[WebSocketRoute] = []

    def let_through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket("**/api/v1/training/ws/**", let_through)
    job_id = start(rest, project, "Watched", epochs=EPOCHS)
    editor.visit(f"/training/jobs/{job_id}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    editor.picture("monitor-waiting")
    for broken in (1, 2):
        expect(page.get_by_text(re.compile(rf"Epoch [{broken}-9] of {EPOCHS}"))).to_be_visible(
            timeout=TRAINING_MS
        )
        if broken == 1:
            editor.picture("monitor-running")
            assert editor.violations() == []
        sockets[-1].close(code=3000)
    expect(page.get_by_role("link", name="Go to the model")).to_be_visible(timeout=TRAINING_MS)
    assert len(sockets) >= 2
    expect(page.get_by_text(f"Epoch {EPOCHS} of {EPOCHS}")).to_be_visible()
    expect(page.get_by_text("Metrics of the best weights")).to_be_visible()
    assert page.get_by_role("img", name=re.compile(f"by epoch, {EPOCHS} epochs")).count() == 2
    editor.picture("monitor-completed")

    # What was followed live and what is read afterwards are the same.
    editor.visit(f"/training/jobs/{job_id}")
    expect(page.get_by_role("img", name=re.compile(f"by epoch, {EPOCHS} epochs"))).to_have_count(2)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible()
    assert editor.violations() == []
    page.get_by_role("tab", name="Evaluation").click()
    expect(page.get_by_text("Confusion matrix")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("val_batch0_pred"))).to_be_visible()
    assert editor.violations() == []
    editor.picture("monitor-evaluation")
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_role("log").get_by_text(re.compile("epochs completed"))).to_be_visible()
    assert page.url.endswith("?tab=log")
    assert editor.violations() == []
    editor.picture("monitor-log")
    editor.resize(PHONE)
    editor.visit(f"/training/jobs/{job_id}")
    assert editor.overflow() == 0
    editor.picture("monitor-phone")


@pytest.mark.slow
def test_a_training_is_cancelled_and_restarted(editor: Visitor, rest: httpx.Client, project: str) -> None:
    page = editor.page
    job_id = start(rest, project, "Cancelled", epochs=500)
    editor.visit(f"/training/jobs/{job_id}")
    page.get_by_role("button", name="Cancel").click()
    editor.picture("monitor-cancelling")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the training").click()
    restart = page.get_by_role("button", name="Restart")
    expect(restart).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible()
    restart.click()
    page.wait_for_url(lambda url: job_id not in url and "/training/jobs/" in url)
    expect(page.get_by_text("500")).to_have_count(2)
    rest.post(f"/api/v1/training/jobs/{page.url.rpartition('/')[2]}:cancel", json={})


@pytest.mark.slow
def test_a_failure_says_what_happened_and_what_to_do(
    viewer: Visitor, rest: httpx.Client, project: str
) -> None:
    page = viewer.page
    job_id = start(rest, project, "Hopeless", pretrained="required", model="yolov8x")
    viewer.visit(f"/training/jobs/{job_id}")
    notice = page.get_by_role("alert").filter(has_text="The training failed")
    expect(notice).to_be_visible(timeout=60_000)
    expect(notice.get_by_text("WEIGHTS_UNAVAILABLE")).to_be_visible()
    assert page.get_by_role("button", name="Restart").count() == 0
    assert viewer.violations() == []
    viewer.picture("monitor-failed")


def test_jobs_are_found_by_status_and_task(viewer: Visitor, rest: httpx.Client, project: str) -> None:
    job_id = start(rest, project, "Listed", epochs=500)
    page = viewer.page
    viewer.visit("/training/jobs?task=detect")
    page.get_by_role("link", name="Listed").click()
    page.wait_for_url(f"**/training/jobs/{job_id}")
    viewer.visit("/training/jobs?task=classify")
    expect(page.get_by_text("No job is like that")).to_be_visible()
    viewer.visit("/training/jobs")
    viewer.picture("jobs")
    assert viewer.violations() == []
    rest.post(f"/api/v1/training/jobs/{job_id}:cancel", json={})
