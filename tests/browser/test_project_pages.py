"""A project's pages: what an import brought, the images, one image, and the statistics."""

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from annotateforge.local.demo.sample import sample_images
from annotateforge.runtime.auth import Role
from tests.browser.visitor import PHONE, Visitor, visiting
from tests.scenarios.installation import Running
from tests.scenarios.samples import make_project


@pytest.fixture(scope="module")
def project(stack: Running) -> Iterator[str]:
    """Id of a project with 12 annotated images."""
    with stack.rest() as rest:
        yield make_project(rest, "Particles", images=12)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A zip of YOLO labels, one of which lies outside of its image, and one image without any."""
    archive = tmp_path / "particles.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("set/data.yaml", "names: [particle, scratch]\n")
        for number, sample in enumerate(sample_images(5)):
            zipped.writestr(f"set/images/{number}.png", sample.content)
            if number < 4:
                zipped.writestr(
                    f"set/labels/{number}.txt", "0 0.5 0.5 0.2 0.2\n1 0.3 0.3 0.1 0.1\n0 3.5 0.5 0.1 0.1\n"
                )
    return archive


def test_an_archive_is_imported_and_its_problems_can_be_read(editor: Visitor, labelled: Path) -> None:
    page = editor.page
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("Imported particles")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("No images yet")).to_be_visible()
    editor.picture("project-empty")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import files").click()
    chooser.value.set_files(labelled)
    report = page.get_by_label("Import", exact=True)
    expect(report.get_by_text("particles.zip is imported")).to_be_visible()
    expect(report.get_by_text("5 images and 8 annotations added")).to_be_visible()
    report.get_by_role("button").filter(has_text="warning").first.click()
    expect(report.get_by_text("set/labels/0.txt, line 3")).to_be_visible()
    expect(page.get_by_role("tab", name="5 images")).to_be_visible()
    editor.settle()
    editor.picture("project-import-report")
    assert editor.violations() == []


def test_a_folder_is_packed_and_imported_with_its_labels(
    editor: Visitor, stack: Running, tmp_path: Path, labelled: Path
) -> None:
    with zipfile.ZipFile(labelled) as zipped:
        zipped.extractall(tmp_path)
    with stack.rest() as rest:
        made = rest.post("/api/v1/projects", json={"name": "From a folder"}).json()
    page = editor.page
    editor.visit(f"/projects/{made['id']}")
    page.get_by_label("Folder to import").set_input_files(tmp_path / "set")
    expect(page.get_by_text("set is imported")).to_be_visible()
    expect(page.get_by_text("5 images and 8 annotations added")).to_be_visible()


def test_images_are_narrowed_down_by_the_address(editor: Visitor, project: str) -> None:
    page = editor.page
    editor.visit(f"/projects/{project}")
    images = page.get_by_role("list", name="Images").get_by_role("link")
    expect(images).to_have_count(12)
    editor.picture("project-images")
    page.get_by_label("File name").fill("no such name")
    expect(page.get_by_text("No image is like that")).to_be_visible()
    assert "name=no" in page.url
    page.get_by_role("button", name="Any file name").click()
    expect(images).to_have_count(12)
    editor.visit(f"/projects/{project}?reviewed=yes")
    expect(page.get_by_text("No image is like that")).to_be_visible()


def test_an_image_shows_its_annotations_and_they_can_be_changed(
    editor: Visitor, stack: Running, project: str
) -> None:
    page = editor.page
    editor.visit(f"/projects/{project}")
    page.get_by_role("list", name="Images").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"\d+ annotations?"))).to_be_visible()
    image_id = page.url.split("/images/")[1]
    with stack.rest() as rest:
        before = rest.get(f"/api/v1/images/{image_id}/annotations").json()["annotations"]
        shapes = page.locator("svg circle, svg rect, svg polygon").filter(has=page.locator("title"))
        expect(shapes).to_have_count(len(before))
        page.get_by_role("button", name="Zoom in").click()
        editor.picture("image")
        page.locator("table button[aria-pressed]").first.click()
        page.get_by_role("combobox", name="Class of this annotation").fill("renamed")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("table button[aria-pressed]").first).to_have_text("renamed")
        after = rest.get(f"/api/v1/images/{image_id}/annotations").json()["annotations"]
        page.get_by_role("combobox", name="Image class").fill("good")
        page.keyboard.press("Enter")
        page.get_by_role("switch", name="Reviewed").click()
        expect(page.get_by_role("switch")).to_be_checked()
        image = rest.get(f"/api/v1/images/{image_id}").json()
    assert [entry["class_label"] for entry in after] == ["renamed", *(e["class_label"] for e in before[1:])]
    assert image["image_class"] == "good"
    assert image["reviewed"] is True
    page.get_by_role("button", name="Image after").click()
    page.wait_for_url(lambda url: image_id not in url)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/images/{image_id}")
    assert editor.violations() == []


def test_keys_step_on_while_images_are_slow_to_come(editor: Visitor, project: str) -> None:
    page = editor.page
    editor.visit(f"/projects/{project}")
    links = page.get_by_role("list", name="Images").get_by_role("link")
    expect(links).to_have_count(12)
    images = [str(link.get_attribute("href")).split("?")[0] for link in links.all()]
    links.first.click()
    expect(page.get_by_role("heading", name=re.compile(r"\d+ annotations?"))).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/v1/images/*", hold)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**{images[3]}")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**{images[2]}")
    assert held
    # Lets go what was held.
    page.unroute("**/api/v1/images/*", hold)
    expect(page.get_by_role("heading", name=re.compile(r"\d+ annotations?"))).to_be_visible()
    expect(page.get_by_text("3", exact=True)).to_be_visible()


def test_statistics_lead_to_the_images_of_a_class(editor: Visitor, project: str) -> None:
    page = editor.page
    editor.visit(f"/projects/{project}/statistics")
    expect(page.get_by_role("heading", name="Instances per class")).to_be_visible()
    editor.picture("project-statistics")
    assert editor.violations() == []
    page.get_by_role("list", name="Classes by instances").get_by_role("link").first.click()
    page.wait_for_url("**/projects/*?class=*")


def test_a_viewer_sees_a_project_and_cannot_change_it(viewer: Visitor, project: str) -> None:
    page = viewer.page
    viewer.visit(f"/projects/{project}")
    expect(page.get_by_role("button", name="Import files")).to_have_count(0)
    expect(page.get_by_role("button", name="More about this project")).to_have_count(0)
    page.get_by_role("list", name="Images").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name=re.compile(r"\d+ annotations?"))).to_be_visible()
    expect(page.get_by_label("Image class")).to_have_count(0)
    page.locator("table button[aria-pressed]").first.click()
    expect(page.get_by_label("Class of this annotation")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_project_is_readable_on_a_phone(
    browser: Browser, stack: Running, token: Callable[[Role], str], project: str, dark: bool
) -> None:
    with visiting(browser, stack.url, dark=dark) as visitor:
        visitor.sign_in(token(Role.EDITOR))
        visitor.resize(PHONE)
        with stack.rest() as rest:
            image = rest.get(f"/api/v1/projects/{project}/images").json()["images"][0]["id"]
        for name, path in {
            "images": f"/projects/{project}",
            "statistics": f"/projects/{project}/statistics",
            "image": f"/projects/{project}/images/{image}",
        }.items():
            visitor.visit(path)
            visitor.picture(f"project-{name}-{'dark' if dark else 'light'}-phone")
            assert visitor.overflow() == 0, path
            assert visitor.violations() == [], path
        assert visitor.errors == []
