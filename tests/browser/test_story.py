"""The guide's whole story, told to an installation that holds nothing yet."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.browser.visitor import Visitor, visiting
from tests.scenarios.installation import Running, running

EPOCHS = 3
TRAINING_MS = 180_000.0
RETURN_MS = 60_000.0
# What a browser notes of a connection that was cut on purpose.
CUT = ("ERR_CONNECTION", "ERR_EMPTY_RESPONSE", "ERR_INCOMPLETE", "WebSocket connection")


@pytest.fixture
def empty(tmp_path: Path, program: str) -> Iterator[Running]:
    """An installation that was never used."""
    with running(tmp_path / "installation", WORKER_DEVICES="cpu", WARM_CHILD="false") as started:
        yield started


def looked_at(visitor: Visitor, name: str) -> None:
    """Keep a picture of the page, on which nothing serious is to be found."""
    visitor.settle()
    visitor.picture(f"story-{name}")
    assert visitor.violations() == [], name


def kill_the_gateway(visitor: Visitor, sockets: list[WebSocket], installation: Running) -> None:
    """Let the gateway die, which `up` starts again, until the page follows the job over a new connection."""
    page, broken = visitor.page, sockets[-1]
    os.kill(installation.child("annotateforge.gateway"), signal.SIGKILL)
    expect(page.get_by_text("Live", exact=True)).to_be_hidden()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=RETURN_MS)
    assert broken.is_closed()
    assert sockets[-1] is not broken
    assert all(any(word in error for word in CUT) for error in visitor.errors), visitor.errors
    visitor.errors.clear()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_comes_of_labelled_images_in_an_empty_installation(
    browser: Browser, empty: Running, shared_data: Path
) -> None:
    with visiting(browser, empty.url) as visitor:
        visitor.sign_in(empty.token)
        page = visitor.page
        expect(page.get_by_text("No projects yet")).to_be_visible()
        looked_at(visitor, "1-empty")
        _import_cells(visitor, shared_data / "detect_bccd_voc")
        _ask_for_a_training(visitor)
        _watch_to_the_end(visitor, empty)
        _activate(visitor)
        page.get_by_role("link", name="Projects").first.click()
        expect(page.get_by_text("364 images · 4,886 annotations")).to_be_visible()
        assert visitor.errors == []


def _import_cells(visitor: Visitor, folder: Path) -> None:
    page = visitor.page
    page.get_by_role("button", name="New project").first.click()
    page.get_by_label("Name").fill("Blood cells")
    page.get_by_role("button", name="Create").click()
    page.get_by_label("Folder to import").set_input_files(folder)
    expect(page.get_by_text("detect_bccd_voc is imported")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("364 images and 4,886 annotations added")).to_be_visible()
    # Of shapes that did not come there is no column.
    expect(page.get_by_role("columnheader", name="Boxes")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Polygons")).to_have_count(0)
    looked_at(visitor, "2-imported")
    page.get_by_role("tab", name="Statistics").click()
    expect(page.get_by_role("img", name=re.compile("Annotations by width and height"))).to_be_visible()
    looked_at(visitor, "3-statistics")


def _ask_for_a_training(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("link", name="Training").first.click()
    page.get_by_role("link", name="New training").first.click()
    page.get_by_label("Name").fill("Cells")
    looked_at(visitor, "4-task")
    _next(page)
    page.get_by_role("checkbox", name="Blood cells").click()
    looked_at(visitor, "5-projects")
    _next(page)
    page.get_by_role("button", name="Add all").click()
    looked_at(visitor, "6-classes")
    _next(page)
    page.get_by_label("Epochs", exact=True).fill(str(EPOCHS))
    page.get_by_label("Image size").fill("64")
    page.get_by_label("Batch size").fill("32")
    looked_at(visitor, "7-configuration")
    _next(page)
    expect(page.get_by_text("364 images: ")).to_be_visible(timeout=60_000)
    looked_at(visitor, "8-review")
    page.get_by_role("button", name="Start training").click()


def _watch_to_the_end(visitor: Visitor, installation: Running) -> None:
    page = visitor.page
    sockets: list[WebSocket] = []

    def remember(socket: WebSocket) -> None:
        sockets.append(socket)

    page.on("websocket", remember)
    expect(page.get_by_role("heading", name="Cells", level=1)).to_be_visible()
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    for epoch in (1, 2):
        expect(page.get_by_text(re.compile(rf"Epoch [{epoch}-9] of {EPOCHS}"))).to_be_visible(
            timeout=TRAINING_MS
        )
        if epoch == 1:
            looked_at(visitor, "9-training")
        kill_the_gateway(visitor, sockets, installation)
    expect(page.get_by_role("link", name="Go to the model")).to_be_visible(timeout=TRAINING_MS)
    # Each epoch is there, and none twice.
    expect(page.get_by_role("img", name=re.compile(f"by epoch, {EPOCHS} epochs"))).to_have_count(2)
    looked_at(visitor, "10-completed")
    page.get_by_role("tab", name="Evaluation").click()
    expect(page.get_by_role("img", name=re.compile("val_batch0_pred"))).to_be_visible()
    looked_at(visitor, "11-evaluation")
    page.get_by_role("tab", name="Overview").click()


def _activate(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("link", name="Go to the model").click()
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("dialog").get_by_role("button", name="Activate").click()
    expect(page.locator("#main").get_by_role("button", name="Deactivate")).to_be_visible()
    looked_at(visitor, "12-model")
    page.get_by_role("link", name="Models").first.click()
    expect(page.get_by_role("row", name="Cells").get_by_text("Active")).to_be_visible()
    looked_at(visitor, "13-models")


def _next(page: Page) -> None:
    page.get_by_role("button", name="Next").click()
