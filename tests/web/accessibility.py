"""axe-core on a page: what it objects to, in each colour scheme."""

from collections.abc import Iterable
from typing import Any, Final

import pytest
from playwright.async_api import Page

from tests.web.test_modules import WEB

AXE: Final = WEB / "node_modules" / "axe-core" / "axe.min.js"
COLOURS: Final = ("color-contrast", "color-contrast-enhanced", "link-in-text-block")  # rules of axe-core
# Nobody reads the nodes of rules that pass, and no rule here needs a second copy of the style sheets.
RUN: Final = """async options => {
  const {passes, violations} = await axe.run({resultTypes: ['violations'], preload: false, ...options});
  return [passes.map(({id}) => id), violations.map(({id, nodes}) => [id, nodes[0].html])];
}"""

needs_axe: Final = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci in web/")


async def violations(
    page: Page, schemes: Iterable[Any] = (), *, is_enhanced: bool = False
) -> list[tuple[Any, str, str]]:
    """Return scheme, rule and the HTML of one element, of each rule that is broken.

    Without schemes, the page keeps its own. Only the first has all rules: those that are not about colours
    find the same in each. *is_enhanced* adds the contrast of 7:1.
    """
    if not await page.evaluate("'axe' in window"):
        await page.add_script_tag(path=AXE)
    colours = [rule for rule in COLOURS if is_enhanced or not rule.endswith("-enhanced")]
    options: dict[str, Any] = {"rules": {rule: {"enabled": True} for rule in colours}}
    found: list[tuple[Any, str, str]] = []
    for scheme in tuple(schemes) or (None,):
        if scheme is not None:
            await page.emulate_media(color_scheme=scheme)
        passed, broken = await page.evaluate(RUN, options)
        found += [(scheme, rule, html) for rule, html in broken]
        assert found or set(colours) & set(passed), "axe-core looked at no colour"
        options = {"runOnly": colours}
    return found
