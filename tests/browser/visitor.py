"""Somebody who uses the web app in a browser, and what is noticed meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.conftest import REPOSITORY

SCREENSHOTS = Path(__file__).with_name("screenshots")
WIDE = (1280, 800)
PHONE = (375, 740)

_AXE = REPOSITORY / "web/node_modules/axe-core/axe.min.js"
_SIDEWAYS = """
[...document.querySelectorAll("[role=region]")]
  .filter(({scrollWidth, clientWidth}) => scrollWidth > clientWidth)
  .map((element) => element.ariaLabel ?? element.id)
"""
_STEP_MS = 15_000.0
# Only what is asked for leaves the page: all that axe tells takes longer to send than to find.
_VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"]}).then(({violations}) =>
  violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, nodes}) => ({id, nodes: nodes.map(({html}) => html.slice(0, 160))})))
"""
_SEEN = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"


@dataclass
class Visitor:
    """A person at a browser window."""

    url: str
    page: Page
    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    """What the browser's console complained about."""

    def sign_in(self, token: str) -> None:
        """Open the address that `up` prints."""
        self.page.goto(f"{self.url}/#token={token}")
        self.page.get_by_role("heading", level=1).wait_for()
        self.settle()

    def visit(self, path: str) -> None:
        """Open an address of the app and wait for its heading."""
        self.page.goto(f"{self.url}{path}")
        self.page.get_by_role("heading", level=1).wait_for()
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is being loaded any more."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def see(self) -> None:
        """Wait until what the page shows now has been painted."""
        self.page.evaluate(_SEEN)

    def resize(self, size: tuple[int, int]) -> None:
        """Change the size of the window."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})

    def picture(self, name: str) -> None:
        """Keep what is seen now."""
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", animations="disabled")

    def violations(self) -> list[str]:
        """What axe finds on the page that is serious or critical, as `rule: elements`."""
        if not self.page.evaluate("'axe' in window"):
            # By the protocol, so that the page's own policy stays in force.
            self.page.evaluate(_AXE.read_text("utf-8"))
        found: list[dict[str, Any]] = self.page.evaluate(_VIOLATIONS)
        return [f"{violation['id']}: {violation['nodes']}" for violation in found]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        width = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.page.evaluate(width))

    def sideways(self) -> set[str]:
        """Names of the parts of the page that scroll sideways in their own place."""
        return set(self.page.evaluate(_SIDEWAYS))


@contextmanager
def visiting(browser: Browser, url: str, *, dark: bool = False) -> Iterator[Visitor]:
    """A visitor with no past, for the time of the context."""
    context = browser.new_context(
        viewport={"width": WIDE[0], "height": WIDE[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        accept_downloads=True,
    )
    context.set_default_timeout(_STEP_MS)
    page = context.new_page()
    visitor = Visitor(url, page, context)

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            visitor.errors.append(f"{message.text} ({message.location['url']})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    try:
        yield visitor
    finally:
        context.close()
