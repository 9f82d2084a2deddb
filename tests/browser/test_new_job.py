"""The five steps to a training."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.visitor import PHONE, Visitor
from tests.scenarios.installation import Running
from tests.scenarios.samples import make_project


@pytest.fixture(scope="module")
def project(stack: Running) -> Iterator[str]:
    """Id of a project with 12 annotated images."""
    with stack.rest() as rest:
        yield make_project(rest, "To be trained", images=12)


def go_on(page: Page) -> None:
    """Press Next."""
    page.get_by_role("button", name="Next").click()


def test_who_may_only_look_is_told_that_starting_a_training_takes_another_role(viewer: Visitor) -> None:
    viewer.page.goto(f"{viewer.url}/training/new")
    expect(viewer.page.get_by_role("heading", name="Not for your role", level=1)).to_be_visible()
    assert viewer.page.get_by_label("Name").count() == 0
    assert viewer.violations() == []


def test_five_steps_make_a_job_and_lead_to_it(editor: Visitor, stack: Running, project: str) -> None:
    page = editor.page
    editor.visit("/training/jobs")
    page.get_by_role("link", name="New training").click()
    expect(page.get_by_role("heading", name="New training")).to_be_visible()
    go_on(page)
    expect(page.get_by_text("Give the job a name.")).to_be_visible()
    editor.picture("new-job-task")
    assert editor.violations() == []
    page.get_by_label("Name").fill("Particles in five steps")
    go_on(page)

    page.get_by_role("checkbox", name="To be trained").click()
    editor.picture("new-job-projects")
    assert editor.violations() == []
    go_on(page)

    page.get_by_role("button", name="Add all").click()
    editor.picture("new-job-classes")
    assert editor.violations() == []
    page.reload()
    expect(page.get_by_text("Add all")).to_have_count(0)
    go_on(page)

    epochs = page.get_by_label("Epochs", exact=True)
    epochs.fill("0")
    expect(page.get_by_text("Choose a number from 1 to 10,000.")).to_be_visible()
    go_on(page)
    expect(epochs).to_be_visible()
    epochs.fill("1")
    page.get_by_label("Image size").fill("64")
    page.get_by_label("Batch size").fill("4")
    page.get_by_role("button", name="Augmentation").click()
    page.get_by_label("Mosaic", exact=True).press_sequentially("0.25")
    page.get_by_label("Find a setting").fill("saturation")
    page.get_by_label("Saturation").fill("1.5")
    expect(page.get_by_text("Choose a number from 0 to 1.")).to_be_visible()
    page.get_by_label("Saturation").fill("0.5")
    page.get_by_label("Find a setting").fill("momentum")
    expect(page.get_by_label("Momentum", exact=True)).to_be_disabled()
    page.get_by_label("Find a setting").fill("no such setting")
    expect(page.get_by_text("No setting of this task is like that.")).to_be_visible()
    page.get_by_label("Find a setting").fill("")
    page.reload()
    page.get_by_role("button", name="Augmentation").click()
    expect(page.get_by_label("Mosaic", exact=True)).to_have_value("0.25")
    editor.picture("new-job-configuration")
    assert editor.violations() == []
    editor.resize(PHONE)
    assert editor.overflow() == 0
    editor.resize((1280, 800))
    go_on(page)

    expect(page.get_by_text("12 images: ")).to_be_visible()
    expect(page.get_by_text("Saturation 0.5, Mosaic 0.25")).to_be_visible()
    editor.picture("new-job-review")
    assert editor.violations() == []
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("heading", name="Particles in five steps")).to_be_visible()
    job_id = page.url.split("/training/jobs/")[1]
    with stack.rest() as rest:
        job = rest.get(f"/api/v1/training/jobs/{job_id}").json()
        rest.post(f"/api/v1/training/jobs/{job_id}:cancel", json={})
    assert job["config"]["project_ids"] == [project]
    assert (job["config"]["epochs"], job["config"]["image_size"], job["config"]["batch_size"]) == (1, 64, 4)
    settings = job["config"]["settings"]
    assert (settings["mosaic"], settings["hsv_s"], settings["hsv_h"]) == (0.25, 0.5, 0.015)
    editor.visit("/training/new")
    expect(page.get_by_label("Name")).to_have_value("")
