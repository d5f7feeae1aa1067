"""What is looked for on every page: what axe finds, what hangs over, and what must never come out of a text."""

from __future__ import annotations

from functools import cache

from playwright.sync_api import Page

from blastwall.testing.servers import find_axe

_RUN = "options => axe.run(document, {...options, resultTypes: ['violations']}).then(found => found.violations)"
_OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_BORN = """
() => {
  const all = [...document.body.querySelectorAll("*")];
  const foreign = "script, style, iframe, img, base, meta, object, embed, form[action], [onerror], [onload], [onfocus],"
    + " [style]:not(.mark), [srcdoc]";
  const address = (one) => ["href", "src", "action", "formaction"].map((name) => one.getAttribute(name)).find(Boolean);
  const ours = /^(#|\\/static\\/|\\/auth\\/login\\?|https:\\/\\/[^@]*$)/;
  return {
    owned: window.owned ?? null,
    elements: all.filter((one) => one.matches(foreign)).map((one) => one.outerHTML.slice(0, 120)),
    addresses: all.map(address).filter((one) => one && !ours.test(one)),
  };
}
"""


@cache
def _axe() -> str:
    return find_axe().read_text()


def barriers(page: Page, *rules: str) -> list[str]:
    """Return what axe finds, each with the elements; `rules` runs those alone."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe())
    options = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = page.evaluate(_RUN, options)
    return [
        f"{one['id']}: {[node['target'] for node in one['nodes']]} {one['nodes'][0]['failureSummary']}" for one in found
    ]


def overhang(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    width: int = page.evaluate(_OVERHANG)
    return width


def born(page: Page) -> dict[str, object]:
    """Return what a text made of the page that no text may: a script's mark, elements, addresses."""
    found: dict[str, object] = page.evaluate(_BORN)
    return found


NOTHING: dict[str, object] = {"owned": None, "elements": [], "addresses": []}
