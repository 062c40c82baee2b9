"""Has axe-core look for what keeps people out of a page, and looks for what Lighthouse calls best practices."""

from axe_playwright_python.base import AXE_SCRIPT

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = [(320, 640), (390, 844), (1280, 800)]
RUN = """async ([context, tags]) => {
    const found = await axe.run(context, { runOnly: tags, resultTypes: ["violations"] });
    return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, html }) => [id, target.join(" "), html]));
}"""
DOCUMENT = """() => ({
    doctype: document.doctype.name,
    mode: document.compatMode,
    charset: document.characterSet,
    language: document.documentElement.lang,
    hasTitle: document.title.trim() !== "",
    fitsPhones: document.querySelector("meta[name=viewport]").content.includes("width=device-width"),
    images: Array.from(document.images, (image) => image.complete && image.naturalWidth > 0
        && image.hasAttribute("alt") && image.hasAttribute("width") && image.hasAttribute("height")).every(Boolean),
})"""
WELL_MADE = {
    "doctype": "html",
    "mode": "CSS1Compat",
    "charset": "UTF-8",
    "language": "en",
    "hasTitle": True,
    "fitsPhones": True,
    "images": True,
}


def expect_accessible(page, part="html"):
    """Nothing is found on two phones and a desktop, in light and in dark, and none of them scrolls sideways."""
    assert page.evaluate(DOCUMENT) == WELL_MADE
    # By the browser's protocol: the page's policy forbids a script of somebody else's.
    page.evaluate(AXE_SCRIPT)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(RUN, [part, TAGS]) == [], f"{page.url}, {width} pixels wide, {scheme}"
