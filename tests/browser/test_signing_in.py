"""Who may come in, and how."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from annotateforge.runtime.auth import Role
from tests.browser.visitor import Visitor, visiting
from tests.scenarios.installation import Running, running
from tests.scenarios.samples import make_project
from tests.small_provider import CLIENT_ID, CLIENT_SECRET, small_provider


def sign_out(page: Page) -> None:
    """By the menu."""
    page.get_by_role("button", name="You and this server").click()
    page.get_by_role("menuitem", name="Sign out").click()


def test_the_printed_address_signs_in_and_the_token_leaves_no_trace(stack: Running, visitor: Visitor) -> None:
    visitor.sign_in(stack.token)
    page = visitor.page
    expect(page.get_by_role("heading", name="Projects", level=1)).to_be_visible()
    assert page.url == f"{stack.url}/projects"
    (cookie,) = visitor.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    assert page.evaluate("document.cookie") == ""
    assert stack.token not in page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
    page.reload()
    expect(page.get_by_role("heading", name="Projects", level=1)).to_be_visible()


def test_a_token_can_be_pasted_and_one_comes_back_to_where_one_was(
    visitor: Visitor, token: Callable[[Role], str]
) -> None:
    page = visitor.page
    visitor.visit("/workers")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    visitor.picture("sign-in")
    assert visitor.violations() == []
    page.get_by_label("Token").first.fill(token(Role.VIEWER))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Workers", level=1)).to_be_visible()


def test_a_token_that_is_no_good_is_refused_with_the_reason(visitor: Visitor) -> None:
    page = visitor.page
    visitor.sign_in("not.a.token")
    expect(page.get_by_text("none of this installation's")).to_be_visible()
    assert page.url.startswith(f"{visitor.url}/sign-in")
    # The browser notes the refusal itself.
    assert all("401" in error for error in visitor.errors)
    visitor.errors.clear()


def test_signing_out_ends_the_session(editor: Visitor) -> None:
    page = editor.page
    sign_out(page)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert editor.context.cookies() == []
    editor.visit("/projects")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize("slow", ["images?page_size=4", "thumbnail?size=256"], ids=["lists", "pictures"])
def test_what_is_still_on_its_way_when_somebody_signs_out_is_asked_for_no_more(
    visitor: Visitor, stack: Running, token: Callable[[Role], str], slow: str
) -> None:
    page = visitor.page
    name = f"Left with slow {slow}"
    with stack.rest() as rest:
        make_project(rest, name, images=4)
    held: list[Route] = []
    leaving: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    def hold_leaving(route: Route) -> None:
        if route.request.method == "DELETE":
            leaving.append(route)
        else:
            route.continue_()

    page.route(f"**/{slow}", hold)
    page.route("**/api/v1/session", hold_leaving)
    with page.expect_request(f"**/{slow}"):
        visitor.sign_in(token(Role.EDITOR))
        page.get_by_role("link", name=name).scroll_into_view_if_needed()
    visitor.settle()
    lists = [route.fetch() for route in held] if slow.startswith("images") else []
    with page.expect_request(lambda request: request.method == "DELETE"):
        sign_out(page)
    # The session ends, of which the page does not know yet, and only now comes what it has asked for.
    ended = leaving[0].fetch()
    assert visitor.context.cookies() == []
    for route, answer in itertools.zip_longest(held, lists):
        if answer is None:
            route.continue_()
        else:
            route.fulfill(response=answer)
    visitor.see()
    leaving[0].fulfill(response=ended)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    # What was still asked for would be refused by now, which the console notes.
    page.wait_for_load_state("networkidle")
    assert page.url == f"{visitor.url}/sign-in"


def test_who_cannot_be_signed_out_stays_signed_in_and_hears_of_it(editor: Visitor) -> None:
    page = editor.page
    page.route("**/api/v1/session", lambda route: route.abort("connectionrefused"))
    sign_out(page)
    expect(page.get_by_role("alert").get_by_text("does not answer")).to_be_visible()
    expect(page.get_by_role("heading", name="Projects", level=1)).to_be_visible()
    assert len(editor.context.cookies()) == 1
    editor.errors.clear()


def test_where_a_provider_is_set_up_people_sign_in_at_its_page(browser: Browser, tmp_path: Path) -> None:
    with small_provider() as provider:
        settings = {
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Lab accounts",
            "WORKER_DEVICES": "cpu",
            "WARM_CHILD": "false",
        }
        with running(tmp_path, **settings) as stack, visiting(browser, stack.url) as visitor:
            page = visitor.page
            visitor.visit("/workers")
            button = page.get_by_role("link", name="Sign in with Lab accounts")
            expect(button).to_be_visible()
            visitor.picture("sign-in-provider")
            assert visitor.violations() == []
            button.click()
            expect(page.get_by_role("heading", name="Workers", level=1)).to_be_visible()
            page.get_by_role("button", name="You and this server").click()
            expect(page.get_by_text("Signed in as ada")).to_be_visible()
            page.get_by_role("menuitem", name="Sign out").click()
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
            assert visitor.context.cookies() == []
            assert visitor.errors == []

            provider.claims = {"sub": "ada", "annotateforge_role": "guest"}
            page.get_by_role("link", name="Sign in with Lab accounts").click()
            expect(page.get_by_role("heading", name="Signing in did not work")).to_be_visible()
            expect(page.get_by_text("Ask whoever runs the identity provider")).to_be_visible()
            visitor.picture("sign-in-refused")
            assert visitor.violations() == []
            page.get_by_role("link", name="Back to signing in").click()
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
