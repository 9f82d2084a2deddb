"""What all pages share: the frame, its sizes and schemes, errors, and what the browser loads."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Response, expect

from annotateforge.runtime.auth import Role
from tests.browser.visitor import PHONE, WIDE, Visitor, visiting
from tests.scenarios.installation import Running

PAGES = ["/projects", "/training/jobs", "/models", "/workers"]
FIRST_LOAD_BYTES = 250_000
FIRST_LOAD_FILES = 15
_MOVING = "document.getAnimations().map(({ transitionProperty }) => transitionProperty)"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_is_readable_by_everybody_on_wide_and_narrow_windows(
    browser: Browser, stack: Running, token: Callable[[Role], str], dark: bool
) -> None:
    with visiting(browser, stack.url, dark=dark) as visitor:
        visitor.sign_in(token(Role.EDITOR))
        for path in PAGES:
            visitor.visit(path)
            name = f"{path.strip('/').replace('/', '-')}-{'dark' if dark else 'light'}"
            visitor.picture(name)
            assert visitor.violations() == [], path
            visitor.resize(PHONE)
            assert visitor.overflow() == 0, path
            visitor.picture(f"{name}-phone")
            visitor.resize((2560, 1200))
            assert visitor.overflow() == 0, path
            visitor.picture(f"{name}-wide")
            visitor.resize((1280, 800))
        assert visitor.errors == []


def test_a_page_has_its_new_size_at_once_for_those_who_want_no_motion(viewer: Visitor) -> None:
    viewer.visit("/projects")
    for window in (PHONE, WIDE):
        # A change is a transition only after it has been seen without.
        viewer.see()
        viewer.resize(window)
        assert viewer.page.evaluate(_MOVING) == []


def test_the_keyboard_alone_is_enough(editor: Visitor) -> None:
    page = editor.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Training", level=1)).to_be_visible()


def test_an_address_that_leads_nowhere_says_so(editor: Visitor) -> None:
    page = editor.page
    page.goto(f"{editor.url}/nowhere")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    page.get_by_role("navigation", name="Places", exact=True).get_by_role("link", name="Workers").click()
    expect(page.get_by_role("heading", name="Workers", level=1)).to_be_visible()
    page.goto(f"{editor.url}/training/jobs/00000000-0000-7000-8000-000000000000")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    assert all("404" in error for error in editor.errors)
    editor.errors.clear()


def test_a_server_that_is_away_is_noticed_and_so_is_its_return(editor: Visitor) -> None:
    page = editor.page
    editor.visit("/workers")
    page.route("**/*", lambda route: route.abort("connectionrefused"))
    expect(page.get_by_text("The server does not answer", exact=True)).to_be_visible()
    editor.picture("server-away")
    page.unroute("**/*")
    expect(page.get_by_text("The server does not answer", exact=True)).to_be_hidden()
    editor.errors.clear()


def test_the_filters_of_a_list_are_a_part_of_its_address(editor: Visitor) -> None:
    page = editor.page
    # Whatever other tests have left, no such job is among it.
    editor.visit("/training/jobs?status=failed&task=segment")
    expect(page.get_by_text("No job is like that")).to_be_visible()
    page.get_by_role("combobox", name="Task").click()
    page.get_by_role("option", name="Classification").click()
    page.wait_for_url("**/training/jobs?status=failed&task=classify")
    # What is no status filters nothing.
    editor.visit("/training/jobs?status=nonsense")
    expect(page.get_by_role("combobox", name="Status")).to_have_value("")
    expect(page.get_by_text("No job is like that")).to_have_count(0)


def test_the_first_load_is_small_and_from_this_server_alone(
    browser: Browser, stack: Running, token: Callable[[Role], str]
) -> None:
    answers: list[Response] = []

    def remember(answer: Response) -> None:
        answers.append(answer)

    with visiting(browser, stack.url) as visitor:
        visitor.page.on("response", remember)
        visitor.sign_in(token(Role.VIEWER))
        visitor.settle()
        sizes = {answer.url: answer.request.sizes()["responseBodySize"] for answer in answers}
    assert all(url.startswith(stack.url) for url in sizes)
    files = {url: size for url, size in sizes.items() if "/api/" not in url}
    assert 5 < len(files) <= FIRST_LOAD_FILES, files
    assert sum(files.values()) < FIRST_LOAD_BYTES, files
