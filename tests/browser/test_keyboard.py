"""A training asked for by the keyboard alone: Tab, Enter, Space, arrows and what is typed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import Visitor
from tests.scenarios.installation import Running
from tests.scenarios.samples import make_project

MOST_TABS = 60


@pytest.fixture(scope="module")
def project(stack: Running) -> Iterator[str]:
    """Id of a project with 12 annotated images."""
    with stack.rest() as rest:
        yield make_project(rest, "Reached by keys", images=12)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the wanted thing has the focus, which must be visible there."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            expect(wanted).to_be_in_viewport()
            return
    raise AssertionError(f"{wanted} is not reached by {MOST_TABS} times Tab")


def test_a_training_is_asked_for_by_the_keyboard_alone(editor: Visitor, stack: Running, project: str) -> None:
    page = editor.page
    editor.visit("/training/new")
    following = page.get_by_role("button", name="Next")

    tab_to(page, page.get_by_label("Name"))
    page.keyboard.type("Typed")
    detection = page.get_by_role("radio", name="Detection")
    tab_to(page, detection)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Segmentation")).to_be_checked()
    page.keyboard.press("ArrowUp")
    expect(detection).to_be_checked()
    tab_to(page, following)
    page.keyboard.press("Enter")

    # The focus is at the beginning of the next step.
    expect(page.get_by_role("region", name="Projects")).to_be_focused()
    tab_to(page, page.get_by_role("checkbox", name="Reached by keys"))
    page.keyboard.press("Space")
    tab_to(page, following)
    page.keyboard.press("Enter")

    tab_to(page, page.get_by_role("button", name="Add all"))
    page.keyboard.press("Enter")
    tab_to(page, following)
    page.keyboard.press("Enter")

    epochs = page.get_by_label("Epochs", exact=True)
    tab_to(page, epochs)
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("2")
    page.keyboard.press("ArrowUp")
    expect(epochs).to_have_value("3")
    tab_to(page, page.get_by_role("button", name="Optimizer"))
    page.keyboard.press("Enter")
    optimizer = page.get_by_role("combobox", name="Optimizer")
    tab_to(page, optimizer)
    page.keyboard.press("Enter")
    expect(page.get_by_role("option", name="auto")).to_be_visible()
    # Only then does the list begin at what is chosen, which nothing on the page shows.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-combobox-selected]")).to_have_text("SGD")
    page.keyboard.press("Enter")
    expect(optimizer).to_have_value("SGD")
    momentum = page.get_by_label("Momentum", exact=True)
    tab_to(page, momentum)
    page.keyboard.type("0.9")
    tab_to(page, following)
    editor.picture("keyboard-focus")
    page.keyboard.press("Enter")

    expect(page.get_by_text("12 images: ")).to_be_visible()
    # Enter once more starts nothing.
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("button", name="Start training"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Typed", level=1)).to_be_visible()
    with stack.rest() as rest:
        job_id = page.url.split("/training/jobs/")[1]
        config = rest.get(f"/api/v1/training/jobs/{job_id}").json()["config"]
        rest.post(f"/api/v1/training/jobs/{job_id}:cancel", json={})
    assert (config["epochs"], config["optimizer"], config["settings"]["momentum"]) == (3, "SGD", 0.9)
    assert config["project_ids"] == [project]
