"""What is looked for on every page: what axe finds, what hangs over, and what must never come out of a text."""

from __future__ import annotations

from functools import cache

from playwright.sync_api import Page

from blastwall.testing.servers import find_axe

_RUN = "options => axe.run(document, {...options, resultTypes: ['violations']}).then(found => found.violations)"
_OVERHANG = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_BORN = """
() => ({
  owned: window.owned ?? null,
  elements: [...document.querySelectorAll("script, style, iframe, img, base, meta, object, embed, form, [onerror], [onload], [onfocus], [style]:not(.mark), [srcdoc]")]
    .filter((one) => document.body.contains(one) && (one.tagName !== "FORM" || one.hasAttribute("action")))
    .map((one) => one.outerHTML.slice(0, 120)),
  addresses: [...document.querySelectorAll("[href], [src], [action], [formaction]")].filter((one) => document.body.contains(one))
    .map((one) => one.getAttribute("href") ?? one.getAttribute("src") ?? one.getAttribute("action") ?? one.getAttribute("formaction"))
    .filter((address) => !/^(#|\\/static\\/|\\/auth\\/login\\?|https:\\/\\/[^@]*$)/.test(address)),
})
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
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]} {one['nodes'][0]['failureSummary']}" for one in found]


def overhang(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    width: int = page.evaluate(_OVERHANG)
    return width


def born(page: Page) -> dict[str, object]:
    """Return what a text made of the page that no text may: a script's mark, elements, addresses."""
    found: dict[str, object] = page.evaluate(_BORN)
    return found


NOTHING = {"owned": None, "elements": [], "addresses": []}
