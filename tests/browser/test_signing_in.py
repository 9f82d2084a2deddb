"""Who may come in, and how."""

from collections.abc import Callable

from playwright.sync_api import expect

from annotateforge.runtime.auth import Role
from tests.browser.visitor import Visitor
from tests.scenarios.installation import Running


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
    page.get_by_role("button", name="You and this server").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert editor.context.cookies() == []
    editor.visit("/projects")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
