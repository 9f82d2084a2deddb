"""The list of projects."""

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.scenarios.installation import Running


def test_a_project_is_created_and_listed(editor: Visitor) -> None:
    page = editor.page
    editor.picture("projects-empty")
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("Blood cells")
    page.get_by_label("Description").fill("Smears at 100 times")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Blood cells", level=1)).to_be_visible()
    editor.visit("/projects")
    expect(page.get_by_role("link", name="Blood cells")).to_be_visible()
    expect(page.get_by_text("0 images · 0 annotations")).to_be_visible()
    editor.picture("projects")


def test_a_name_that_is_taken_is_refused_at_the_form(editor: Visitor, stack: Running) -> None:
    with stack.rest() as rest:
        rest.post("/api/v1/projects", json={"name": "Taken"})
    page = editor.page
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("Taken")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog").get_by_text("Taken")).to_be_visible()
    assert all("409" in error for error in editor.errors)
    editor.errors.clear()


def test_a_viewer_is_offered_nothing_that_is_refused(viewer: Visitor) -> None:
    expect(viewer.page.get_by_role("heading", name="Projects", level=1)).to_be_visible()
    viewer.settle()
    assert viewer.page.get_by_role("button", name="New project").count() == 0
