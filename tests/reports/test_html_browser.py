"""The page in a real browser. Debian: `apt-get install chromium chromium-driver`."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from pytest_mailu.behaviours import built_in
from pytest_mailu.core.model import Comparison, Report
from pytest_mailu.core.plan import Plan, side_spec
from pytest_mailu.reports import html
from pytest_mailu.reports.view import ReportView
from pytest_mailu.running.whole_run import compare_sides
from tests.chromium import chromium

pytestmark = pytest.mark.browser


def render(report: Report, comparisons: Sequence[Comparison] = ()) -> str:
    return html.render(ReportView(report, comparisons))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A headless Chromium with an empty profile that writes down every request it makes."""
    with chromium(tmp_path_factory.mktemp("profile"), logs=("performance", "browser")) as chrome:
        yield chrome


def show(browser: Chrome, page: str, folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text(page, "utf-8")
    browser.get("about:blank")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(file.as_uri())
    return file


def shown(browser: Chrome, selector: str = ".finding") -> list[WebElement]:
    return [element for element in browser.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]


def verdicts(browser: Chrome) -> set[str | None]:
    return {finding.get_attribute("data-verdict") for finding in shown(browser)}


@pytest.fixture
def page(browser: Chrome, report: Report, comparisons: list[Comparison], tmp_path: Path) -> Chrome:
    show(browser, render(report, comparisons), tmp_path)
    return browser


def test_verdicts_can_be_filtered_away_and_back(page: Chrome) -> None:
    everything = len(page.find_elements(By.CSS_SELECTOR, ".finding"))
    page.find_element(By.CSS_SELECTOR, "[name=verdict][value=regressed]").click()
    assert "regressed" not in verdicts(page)
    assert shown(page)
    assert page.find_element(By.CSS_SELECTOR, ".filters output").text == f"{len(shown(page))} of {everything} shown"
    page.find_element(By.NAME, "all").click()
    assert len(shown(page)) == everything


def test_family_severity_and_text_filter_together(page: Chrome) -> None:
    Select(page.find_element(By.NAME, "family")).select_by_value("access")
    assert {finding.get_attribute("data-family") for finding in shown(page)} == {"access"}
    Select(page.find_element(By.NAME, "severity")).select_by_value("major")
    assert {finding.get_attribute("data-severity") for finding in shown(page)} == {"major"}
    page.find_element(By.NAME, "text").send_keys("143-STARTTLS")
    (only,) = shown(page)
    assert "port 143 (starttls)" in only.text
    assert len(shown(page, ".group")) == 1


def test_a_cell_of_the_map_opens_its_finding_even_if_that_is_filtered_away(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "[name=verdict][value=regressed]").click()
    cell = page.find_element(By.CSS_SELECTOR, ".sheet a.spot.regressed")
    finding = page.find_element(By.CSS_SELECTOR, (cell.get_attribute("href") or "").partition("#")[2].join(("#", "")))
    assert not finding.is_displayed()
    page.find_element(By.CSS_SELECTOR, "#map summary").click()
    cell.click()
    assert finding.get_attribute("open")
    assert finding.find_element(By.CSS_SELECTOR, ".inside").is_displayed()


def test_all_findings_open_and_close_at_once(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "#calm > summary").click()
    button = page.find_element(By.NAME, "open")
    button.click()
    assert len(shown(page, ".finding .inside")) == len(shown(page))
    button.click()
    assert not shown(page, ".finding .inside")


def test_a_finding_opens_by_itself_without_scripts(
    browser: Chrome, report: Report, comparisons: list[Comparison], tmp_path: Path
) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, render(report, comparisons), tmp_path)
        assert not shown(browser, ".filters")
        finding = shown(browser)[0]
        assert not finding.find_element(By.CSS_SELECTOR, ".inside").is_displayed()
        finding.find_element(By.TAG_NAME, "summary").click()
        assert finding.find_element(By.CSS_SELECTOR, ".inside").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(
    browser: Chrome, report: Report, comparisons: list[Comparison], tmp_path: Path
) -> None:
    file = show(browser, render(report, comparisons), tmp_path)
    browser.find_element(By.NAME, "open").click()
    assert requests(browser) == {file.as_uri()}
    assert browser.get_log("browser") == []


def test_nothing_runs_that_a_server_said(browser: Chrome, most_hostile: Report, tmp_path: Path) -> None:
    file = show(browser, render(most_hostile), tmp_path)
    browser.find_element(By.NAME, "open").click()
    browser.execute_script(
        "for (const element of document.querySelectorAll('body *'))"
        " for (const kind of ['mouseover', 'focus', 'load', 'error', 'toggle']) element.dispatchEvent(new Event(kind))"
    )
    assert browser.execute_script("return window.pwned") is None
    assert requests(browser) == {file.as_uri()}
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 1
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert "<script>window.pwned=1</script>" in browser.find_element(By.TAG_NAME, "main").text


def test_even_markup_that_got_in_would_not_run(page: Chrome) -> None:
    page.execute_script(
        "document.body.insertAdjacentHTML('beforeend', arguments[0]);"
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.pwned = 1'}));",
        "<img src='https://evil.example/x.png' onerror='window.pwned=1'>"
        "<a id='trap' href='javascript:window.pwned=1'>x</a>",
    )
    page.execute_script("document.getElementById('trap').click()")
    assert page.execute_script("return window.pwned") is None
    refused = " ".join(entry["message"] for entry in page.get_log("browser"))
    assert "Content Security Policy" in refused


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_both_colour_schemes(
    browser: Chrome, report: Report, comparisons: list[Comparison], tmp_path: Path, scheme: str
) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    show(browser, render(report, comparisons), tmp_path)
    browser.find_element(By.NAME, "open").click()
    assert browser.execute_script(WORST_CONTRAST) >= 4.5, "WCAG 2.2 section 1.4.3"


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_the_page_never_scrolls_sideways(
    browser: Chrome, report: Report, comparisons: list[Comparison], tmp_path: Path, width: int
) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        show(browser, render(report, comparisons), tmp_path)
        browser.find_element(By.NAME, "open").click()
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_table_that_is_cut_shows_that_it_scrolls(
    browser: Chrome, report: Report, comparisons: list[Comparison], tmp_path: Path
) -> None:
    """At 400 pixels the table of ports ended after "service", without a sign of more."""
    bar = "const box = document.querySelector('#ports .scroll'); return box.offsetHeight - box.clientHeight"
    try:
        for width, shown in ((400, True), (1280, False)):
            metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            show(browser, render(report, comparisons), tmp_path)
            assert (browser.execute_script(bar) > 0) is shown
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_filters_stand_in_the_address_and_come_back_from_it(page: Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "[name=verdict][value=changed]").click()
    Select(page.find_element(By.NAME, "family")).select_by_value("access")
    found = [finding.get_attribute("id") for finding in shown(page)]
    address = page.current_url
    assert "family=access" in address
    page.get("about:blank")
    page.get(address)
    assert [finding.get_attribute("id") for finding in shown(page)] == found
    page.find_element(By.NAME, "all").click()
    assert "?" not in page.current_url


def test_blockers_and_things_to_do_stand_before_findings_and_findings_before_the_map(page: Chrome) -> None:
    places = {
        id_: page.find_element(By.ID, id_).location["y"] for id_ in ("blockers", "todo", "findings", "ports", "map")
    }
    assert list(places.values()) == sorted(places.values())
    assert places["blockers"] < 400, "on the first screen"
    for link in page.find_elements(By.CSS_SELECTOR, "nav a"):
        target = (link.get_attribute("href") or "").partition("#")[2]
        assert page.find_element(By.ID, target)


def test_the_first_tab_leads_past_the_head(page: Chrome) -> None:
    ActionChains(page).send_keys(Keys.TAB).perform()
    link = page.switch_to.active_element
    assert link.get_attribute("class") == "skip"
    assert (link.get_attribute("href") or "").endswith("#main")
    assert link.is_displayed()


def test_what_is_to_be_pasted_is_copied_whole(page: Chrome) -> None:
    page.execute_script(
        "window.taken = []; document.execCommand = (kind) => { window.taken.push("
        "document.activeElement.value); return true; };"
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: () => Promise.reject()}});"
    )
    page.find_element(By.CSS_SELECTOR, ".finding summary").click()
    button = page.find_element(By.CSS_SELECTOR, ".finding[open] .entry .copy")
    button.click()
    WebDriverWait(page, 10).until(lambda _: button.text == "Copied")
    (taken,) = page.execute_script("return window.taken")
    assert tomllib.loads(taken)["waiver"][0]["behaviour"] == "submission/587-plain/login"


@pytest.mark.parametrize("opened", [False, True])
def test_axe_finds_nothing_that_keeps_anybody_out(page: Chrome, opened: bool) -> None:
    if opened:
        page.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")
    page.execute_script((files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    page.set_script_timeout(100)
    found = page.execute_async_script(
        "axe.run().then((result) => arguments[0](result.violations.map("
        "(each) => `${each.id}: ${each.nodes.length} × ${each.nodes[0].html.slice(0, 120)}`)))"
    )
    assert found == []


def test_the_example_prints_on_at_most_4_pages(browser: Chrome, tmp_path: Path) -> None:
    plan = Plan(side_spec("recorded:2.0.43"), side_spec("recorded:2024.06.24"))
    report, _ = compare_sides(plan, built_in())
    show(browser, render(report), tmp_path)
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed["data"]))) <= 4


WORST_CONTRAST = """
const parse = (text) => text.match(/[0-9.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((part) => part / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = parse(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
let worst = 21;
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest(".spoken, .waived.spot, script, option")) continue;
  const [one, other] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
  worst = Math.min(worst, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05));
}
return worst;
"""


def requests(browser: Chrome) -> set[str]:
    """Every address the browser asked for since the page was opened."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {
        event["params"]["request"]["url"].partition("#")[0]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    } - {"about:blank"}
