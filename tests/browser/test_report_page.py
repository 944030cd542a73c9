"""The report page in a browser: what its scripts do, and that it reaches for nothing outside."""

import os
import shutil
import sys
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
N_DATASETS = 52  # so many that the table has pages
HOSTILE = '<img src=x onerror="window.harmed = 1">'


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium of the system."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """The page of simulated datasets, one of them with a hostile name of its TF."""
    from motifloom.report import write_page

    folder = tmp_path_factory.mktemp("atlas")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(REPOSITORY / "tests" / "benchmarks"), *sys.path])
        import atlas

        patch.setattr(atlas, "MOTIFS", 4)
        # Hundreds of small files need not reach the disk.
        patch.setattr(os, "fsync", lambda descriptor: None)
        given = atlas.simulate(folder / "results", N_DATASETS)
        given["inputs"] += write_sites(folder / "results", atlas.write)
        given["inputs"] += write_variants(folder / "results", atlas.write)
    given["sheet"][1]["tf"] = HOSTILE
    write_page(folder / "report.html", **given)
    return folder / "report.html"


def write_sites(folder, write):
    """Sites of ten datasets, better than those of the matrix in seven of them."""
    rows = [
        {"dataset": f"TF{i:03d}", "tf": f"Tf{i:03d}", "model": model, "preset": model,
         "split": split, "n_sites": 7 * i, "n_peaks": 100, "found": i, "tolerance": 50,
         "threshold_by": "validation", "note": ""}
        | {f"{rate}{end}": 0.9 - i / 20 if model == "deepbind" else 0.52
           for rate in ("precision", "recall", "f1") for end in ("", "_low", "_high")}
        for i in range(1, 11)
        for model in ("deepbind", "pwm")
        for split in ("validation", "test")
    ]  # fmt: skip
    write(rows, folder / "sites.tsv")
    return [folder / "sites.tsv"]


def write_variants(folder, write):
    """Counts and strongest effects of a file of variants."""
    base = folder / "variants" / "mine"
    write([{"stage": "records", "count": 12}, {"stage": "scored", "count": 12}],
          base / "deepbind.summary.tsv")  # fmt: skip
    rows = [
        {"chrom": "chr1", "pos": 100 * i, "id": HOSTILE, "ref": "A" * i, "alt": "C",
         "dataset": "TF001", "reference": 3.5, "alternative": 1.25, "difference": -2.25,
         "log_odds": -4.5, "p": 0.0001 * i, "strand": "+", "position": 100 * i - 3}
        for i in range(1, 31)
    ]  # fmt: skip
    write(rows, base / "deepbind.top.tsv")
    return [base / "deepbind.summary.tsv", base / "deepbind.top.tsv"]


@pytest.fixture
def opened(browser, page_file):
    """Open the page; whatever it complains of or asks for outside fails the test at its end."""
    pages, faults = [], []

    def open_page(anchor="", **context):
        page = browser.new_page(**({"viewport": {"width": 1440, "height": 900}} | context))
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("request", lambda sent: check(sent.url))
        page.goto(f"file://{page_file}{anchor}")
        page.wait_for_selector(".dt-search input")
        pages.append(page)
        return page

    def check(url):
        if not url.startswith((f"file://{page_file}", "data:")):
            faults.append(f"asked for {url}")

    yield open_page
    for page in pages:
        page.close()
    assert faults == []


def cells(page, column):
    """The texts of one column of the table's page."""
    return page.locator(f"#table tbody tr > :nth-child({column})").all_inner_texts()


def test_sorting_by_mouse_and_keyboard(opened):
    page = opened()
    assert cells(page, 1) == [f"TF{number:03d}" for number in range(1, 26)]
    header = page.locator("#table thead th").nth(3)
    assert header.inner_text().split()[:2] == ["DeepBind", "AUROC"]
    header.click()
    values = [float(text.split()[0]) for text in cells(page, 4)]
    assert values == sorted(values, reverse=True) and len(values) == 25
    assert header.get_attribute("aria-sort") == "descending"
    first = page.locator("#table thead th").first.locator(".dt-column-order")
    first.focus()
    page.keyboard.press("Enter")
    names = page.locator("#table tbody th, #table tbody td:first-child").first
    expect(names).to_have_text("TF001")
    page.keyboard.press("Enter")
    expect(names).to_have_text(f"TF{N_DATASETS:03d}")


def test_search_narrows_table_and_sections(opened):
    page = opened()
    page.locator(".dt-search input").fill("TF01")
    assert cells(page, 1) == [f"TF{number:03d}" for number in range(10, 20)]
    assert page.locator("details.dataset:visible").count() == 10
    assert "of 52" in page.locator(".dt-info").inner_text()
    page.locator(".dt-search input").fill("no such factor")
    assert page.locator("details.dataset:visible").count() == 0


def test_a_section_opens_with_all_it_holds_and_is_let_go(opened):
    page = opened()
    section = page.locator("#dataset-TF003")
    assert section.locator("img").count() == 0
    section.locator("summary").click()
    section.locator(".inside").wait_for()
    images = section.locator("img")
    assert images.count() == 4
    for image in images.all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("(image) => image.naturalWidth") > 0
    logo = section.locator("svg.logo").first
    logo.scroll_into_view_if_needed()
    for kind in ("logo", "pair"):
        section.locator(f"svg.{kind} use").first.wait_for(state="attached")
    assert section.locator("svg.attribution rect").count() > 100
    section.locator("summary").click()
    expect(section.locator(".inside")).to_have_count(0)


def test_a_deep_link_opens_its_section_on_whatever_page(opened):
    page = opened("#dataset-TF050")
    section = page.locator("#dataset-TF050")
    section.locator(".inside").wait_for()
    assert section.get_attribute("open") is not None
    near = (
        "() => Math.abs(document.querySelector('#dataset-TF050').getBoundingClientRect().top) < 300"
    )
    page.wait_for_function(near)
    page.locator("#table tbody a").first.click()
    page.locator("#dataset-TF001 .inside").wait_for()


def test_names_are_text(opened):
    page = opened("#dataset-TF002")
    page.locator("#dataset-TF002 .inside").wait_for()
    assert HOSTILE in page.locator("#dataset-TF002 summary").inner_text()
    assert page.evaluate("window.harmed") is None


def test_figures_follow_their_selects(opened):
    page = opened()
    page.locator("#comparison").scroll_into_view_if_needed()
    page.locator("#chart-pair path.background, #chart-pair svg").first.wait_for()
    words = page.locator("#words-pair")
    assert "DeepBind is above PWM on 52 of 52" in words.inner_text()
    page.select_option("select[data-chart=pair][data-name=x]", "k-mers")
    expect(page.locator("#chart-pair")).to_contain_text("k-mers, AUROC")
    assert "DeepBind is above k-mers" in words.inner_text()
    assert page.locator("#chart-pair .mark-symbol path").count() == N_DATASETS


def test_sites_are_sorted_and_drawn_beside_the_matrix(opened):
    page = opened()
    expect(page.locator("#sites-table tbody tr")).to_have_count(20)
    rows = page.locator("#sites-table tbody tr > :first-child")
    assert rows.all_inner_texts()[:2] == ["TF001", "TF002"]
    page.locator("#sites-table thead th").nth(5).click()
    assert rows.all_inner_texts()[:4] == ["TF010", "TF010", "TF009", "TF009"]
    page.locator("#chart-called").scroll_into_view_if_needed()
    page.locator("#chart-called svg").wait_for()
    assert page.locator("#chart-called .mark-symbol path").count() == 20
    assert "F1 is higher with DeepBind on 7 of 10 datasets" in (
        page.locator("#words-called").inner_text()
    )
    page.select_option("select[data-chart=called][data-name=split]", "validation")
    expect(page.locator("#chart-called .mark-symbol path")).to_have_count(20)
    page.locator("#sites-table tbody a").first.click()
    page.locator("#dataset-TF010 .inside").wait_for()


def test_strongest_effects_are_listed(opened):
    page = opened()
    assert page.locator("#variants-1 tbody tr").count() == 20
    assert HOSTILE in page.locator("#variants-1 tbody tr").first.inner_text()
    assert page.evaluate("window.harmed") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_has_no_sideways_scroll(opened, scheme):
    page = opened("#dataset-TF001", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.locator("#dataset-TF001 .inside").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, background.removeprefix("rgb(").rstrip(")").split(",")))
    assert (lightness < 150) == (scheme == "dark")
