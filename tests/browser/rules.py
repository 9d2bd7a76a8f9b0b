"""axe's rules (WCAG 2.2 A and AA) on whatever a page shows now, light and dark."""

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).resolve().parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHECK = """async (tags) => {
    const found = await axe.run(document, { runOnly: { type: "tag", values: tags } });
    return found.violations.map((rule) => rule.id + ": " + rule.nodes.slice(0, 3).map((n) => n.html).join(" | "));
}"""
# The innermost element that makes the page wider than this, or null.
WIDE = """(width) => {
    if (document.documentElement.scrollWidth <= width) return null;
    const over = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width);
    return (over.at(-1) ?? document.body).outerHTML.slice(0, 300);
}"""


def broken(page: Page, where: str) -> list[str]:
    """One line for each rule that is broken, and one where the page is wider than a phone."""
    found = []
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{where} {scheme} {each}" for each in page.evaluate(CHECK, TAGS)]
    page.set_viewport_size({"width": 390, "height": 844})
    if wide := page.evaluate(WIDE, 390):
        found.append(f"{where} is wider than a phone: {wide}")
    page.set_viewport_size({"width": 1280, "height": 900})
    return found
