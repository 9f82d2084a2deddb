"""The pages of models: the list, one model, and what can be done with it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import PHONE, Visitor


@pytest.fixture(autouse=True)
def without_jobs(visitor: Visitor) -> Iterator[None]:
    """These models come from no job, so that the curves of their training are not found."""
    yield
    assert all("404" in error for error in visitor.errors)
    visitor.errors.clear()


def test_a_model_is_activated_in_place_of_another_one_and_compared_with_it(
    editor: Visitor, registered: Callable[[str], str]
) -> None:
    page = editor.page
    registered("First model")
    second = registered("Second model")
    editor.visit("/models")
    page.get_by_role("link", name="First model").click()
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("dialog").get_by_role("button", name="Activate").click()
    expect(page.locator("#main").get_by_role("button", name="Deactivate")).to_be_visible()
    editor.visit(f"/models/{second}")
    assert editor.violations() == []
    editor.picture("model")
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("It replaces First model.")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Activate").click()
    expect(page.locator("#main").get_by_role("button", name="Deactivate")).to_be_visible()
    editor.visit("/models?task=detect")
    expect(page.get_by_role("row", name="Second model").get_by_text("Active")).to_be_visible()
    expect(page.get_by_role("row", name="First model").get_by_text("Active")).to_have_count(0)
    editor.picture("models")
    assert editor.violations() == []
    page.get_by_role("checkbox", name="Compare First model").check()
    page.get_by_role("checkbox", name="Compare Second model").check()
    page.get_by_role("link", name="Compare 2 models").click()
    expect(page.get_by_role("heading", name="Models side by side")).to_be_visible()
    expect(
        page.get_by_role("region", name="Metrics").get_by_role("row", name="mAP@50 0.710 0.710")
    ).to_be_visible()
    editor.settle()
    editor.picture("models-compared")
    assert editor.violations() == []
    editor.visit("/models?task=segment")
    expect(page.get_by_text("No model is like that")).to_be_visible()


def test_a_model_is_renamed_downloaded_and_deleted(editor: Visitor, registered: Callable[[str], str]) -> None:
    page = editor.page
    model = registered("To be renamed")
    editor.visit(f"/models/{model}")
    with page.expect_download() as download:
        page.get_by_role("link", name="results.csv").click()
    assert download.value.path().read_bytes() == b"epoch,loss\n1,0.5\n"
    editor.resize(PHONE)
    assert editor.overflow() == 0
    editor.resize((1280, 800))
    page.get_by_role("button", name="More about this model").click()
    page.get_by_role("menuitem", name="Name and description").click()
    page.get_by_role("textbox", name="Name").fill("Renamed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Renamed", level=1)).to_be_visible()
    page.get_by_role("button", name="More about this model").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Models", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="Renamed")).to_have_count(0)


def test_a_viewer_may_download_a_model_and_change_nothing(
    viewer: Visitor, registered: Callable[[str], str]
) -> None:
    page = viewer.page
    viewer.visit(f"/models/{registered('To be looked at')}")
    expect(page.get_by_role("link", name="Weights")).to_be_visible()
    expect(page.get_by_role("button", name="Activate")).to_have_count(0)
    expect(page.get_by_role("button", name="More about this model")).to_have_count(0)
