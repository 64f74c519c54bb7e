"""The page of a run in a browser: no errors, axe-core finds nothing, and it is whole without its script.

The browser is the machine's own Chromium, found by name; where there is none, these tests are skipped.
"""

import re
import shutil
from dataclasses import replace

import pytest

import mfderive as mf
from mfderive.notation import html
from mfderive.report.folder import write_run

from .material import run_result, trajectories

playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed on this machine")

SPEC = {
    "format": 1,
    "title": "Two layers",
    "data": {"kind": "isotropic-gaussians", "dimension": 4, "separation": 0.4},
    "loss": {"kind": "squared", "error": "sign"},
    "layers": [
        {"name": "h1", "from": "x", "weight": "normal(0, 1)", "activation": "tanh"},
        {"name": "h2", "from": "h1", "weight": "normal(1, 0.1)", "bias": "0", "activation": "relu"},
    ],
    "output": {"from": "h2", "weight": "normal(1, 0.1)"},
    "training": {"learning_rate": 0.01, "batch_size": 10, "steps": 200},
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The page of a run whose curves are made up: exp(-t) times 1 + 2 / sqrt(n), or 1 - 2 / sqrt(n)."""
    place = tmp_path_factory.mktemp("browser")
    result = run_result(place / "solver")
    net = mf.load(SPEC)
    limit = mf.derive(net)
    equations = {"text": "", "latex": "", "html": html(limit), "reduced": html(mf.reduce(limit))}
    result = replace(result, network=net, limit=limit, equations=equations, trajectories=trajectories(net))
    write_run(place / "run", result)
    return (place / "run" / "index.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as program:
        opened = program.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield opened
        opened.close()


@pytest.fixture
def show(browser, url):
    """Open the page; what the console says beside silence, and every request for another file, are errors."""
    opened, said = [], []

    def page(**settings):
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **settings})
        opened.append(context)
        one = context.new_page()
        one.on("console", lambda message: said.append(message.text))
        one.on("pageerror", lambda problem: said.append(str(problem)))
        one.on("request", lambda request: request.url != url and said.append(request.url))
        one.goto(url)
        return one

    yield page
    for context in opened:
        context.close()
    assert not said


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1100)])
def test_axe_finds_nothing(show, scheme, width):
    """Contrast, names, focus, headings: no rule of axe-core is broken, folded parts included."""
    base = pytest.importorskip("axe_playwright_python.base", reason="axe-core is not installed")
    page = show(color_scheme=scheme, viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.evaluate(base.AXE_SCRIPT)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert not [(each["id"], each["nodes"][0]["html"][:200]) for each in found["violations"]]
    assert len(found["passes"]) > 30
    assert (
        page.evaluate("document.documentElement.scrollWidth") <= width
    )  # nothing but boxes scrolls sideways


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_first_screen_is_the_answer(show, width, height):
    """The sentence, the whole curve and the three numbers are seen without scrolling."""
    page = show(viewport={"width": width, "height": height})
    parts = [page.locator(each) for each in ("#answer .verdict", "#answer figure.answer svg", "#answer dl")]
    for part in parts:
        box = part.bounding_box()
        assert box["y"] > 0 and box["y"] + box["height"] < height
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert 1 <= page.locator("#answer dl dd").count() <= 3


def test_without_scripts_everything_is_there(show):
    """Folded tables open, layers lead to their equations and back, and no control does nothing."""
    page = show(java_script_enabled=False)
    assert page.locator("button, input").count() == 0
    assert not page.get_by_role("cell", name="h2.weight").first.is_visible()
    page.get_by_role("heading", name="Parameters", exact=True).click()
    assert page.get_by_role("cell", name="h2.weight").first.is_visible()
    page.locator('figure.graph a[href="#equations-h2"]').click()
    row = page.locator("tr:target")
    assert row.get_attribute("data-layer") == "h2" and row.locator("math").count() == 2
    row.get_by_role("link").click()
    assert page.locator(":target > g.node").get_attribute("data-node") == "h2"


def test_every_equation_of_a_layer_leads_to_it(show):
    page = show()
    rows = page.locator("tr[data-layer]")
    owners = [row.get_attribute("data-layer") for row in rows.all()]
    assert {"h1", "h2", "output"} <= set(owners) and len(owners) > 20
    for owner, row in zip(owners, rows.all(), strict=True):
        if owner in ("h1", "h2", "output"):
            assert row.locator("td.of a").get_attribute("href") == f"#layer-{owner}"
            assert page.locator(f"#layer-{owner}").count() == 1


def test_a_width_is_hidden_and_shown_by_keys(show):
    """In all figures at once; a pressed button says so to those who do not see it."""
    page = show()
    lines = page.locator('g[id*="series-n50-"]')
    assert lines.count() > 4
    page.get_by_role("button", name="n = 50").first.focus()
    page.keyboard.press("Space")
    states = [each.get_attribute("aria-pressed") for each in page.get_by_role("button", name="n = 50").all()]
    assert len(states) > 2 and set(states) == {"false"}
    assert not any(line.is_visible() for line in lines.all())
    assert page.locator('g[id*="series-n400-"]').first.is_visible()
    page.keyboard.press("Space")
    assert all(line.is_visible() for line in lines.all())


def test_values_are_read_off_the_curves(show):
    """The limit's loss is 0.2 + exp(-t), its error exp(-t) / 2; lines are drawn to a ninth of a point.

    The tolerance: a ninth of a point on a frame more than 200 points high, whose values reach less than 2.2,
    half a unit of the third digit of a value below 2, and chords of the stored times (curvature below 1,
    times at most 0.25 apart).
    """
    page = show()
    tolerance = 2.2 / (9 * 200) + 0.005 + 0.25**2 / 8
    for title, curve in (("Loss against training time", 0.2), ("Error against training time", 0.0)):
        figure = page.locator("figure", has=page.get_by_role("img", name=title))
        slider = figure.get_by_role("slider")
        slider.focus()
        slider.press("Home")
        for _ in range(3):
            slider.press("PageUp")
        told = figure.locator("output").inner_text()
        time, loss = map(float, re.match(r"At t = (\S+) — limit: ([\d.]+);", told).groups())
        factor = 1.0 if curve else 0.5
        expected = curve + factor * 2.718281828459045**-time
        assert 0.1 < time < 1.9 and abs(loss - expected) < tolerance, told


def test_the_pointer_reads_steps_on_their_logarithmic_axis(show):
    """At the last step the curves end at 0.2 + exp(-2) and, for n = 100, 0.2 + exp(-2) (1 ± 0.2)."""
    page = show()
    figure = page.locator("figure", has=page.get_by_role("img", name="Loss against steps"))
    size = figure.locator("svg").bounding_box()
    figure.locator("svg").hover(position={"x": size["width"] - 1, "y": size["height"] / 2})
    told = figure.locator("output").inner_text()
    ends = [0.2 + 0.1353353 * factor for factor in (1.0, 0.8, 1.2)]
    found = re.match(r"At step 200 — limit: (\S+);.* n = 100: (\S+) to (\S+);", told)
    off = [abs(float(a) - b) for a, b in zip(found.groups(), ends, strict=True)]
    assert max(off) < 2.2 / (9 * 200) + 0.0005  # a ninth of a point, half a unit of the third digit


def test_what_is_folded_is_printed_and_controls_are_not(show):
    page = show()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_role("cell", name="h2.weight").first.is_visible()
    assert not any(each.is_visible() for each in page.locator("button, input, nav").all())
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 1  # the spec file, as before
    assert page.pdf(format="A4").startswith(b"%PDF")
