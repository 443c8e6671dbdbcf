"""The page of a failing run, as somebody reads it who has never seen the source."""

import shlex
import shutil
from contextlib import contextmanager

import pytest

from reporting import FAILING, Runs, run

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test, because playwright cannot be had here")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("the browser test, because there is no chromium here", allow_module_level=True)

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
LOOKS = [(size, theme) for size in ("phone", "desktop") for theme in ("light", "dark")]
SIZES = {"phone": PHONE, "desktop": DESKTOP}

# Every visible text against the ground it stands on: the places where the contrast is too weak.
CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return Array.from(canvas.getImageData(0, 0, 1, 1).data);
  };
  const light = ([r, g, b]) => {
    const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const weak = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest('script, style')) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${element.className || element.tagName}: ${ratio.toFixed(2)}`);
  }
  return Array.from(new Set(weak));
}
"""
SHIFTS = """
() => new Promise(resolve => {
  let sum = 0;
  new PerformanceObserver(list => list.getEntries().forEach(entry => { sum += entry.value; }))
    .observe({ type: 'layout-shift', buffered: true });
  requestAnimationFrame(() => requestAnimationFrame(() => resolve(sum)));
})
"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def read(browser, runs: Runs):
    """Opens a page, and at the end nothing was asked for, complained about or scrolled sideways."""

    @contextmanager
    def opened(name: str = "bad.html", size: str = "desktop", theme: str = "light", script: bool = True, at: str = ""):
        context = browser.new_context(
            viewport=SIZES[size], color_scheme=theme, java_script_enabled=script, reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(10_000)
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        address = (runs.folder / name).as_uri()
        page.goto(address + at)
        yield page
        assert [url for url in asked if not url.startswith((address, "data:"))] == []
        assert complaints == []
        if script:
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
        context.close()

    return opened


def case(page, name: str):
    return page.locator(f"[id='{name}']")


@pytest.mark.parametrize(("size", "theme"), LOOKS, ids=["-".join(look) for look in LOOKS])
def test_a_newcomer_finds_the_cause(read, size: str, theme: str):
    with read(size=size, theme=theme) as page:
        assert page.title().startswith("4 of ")
        assert "fail" in page.get_by_role("heading", level=1).inner_text()
        assert "2 of them break this: “" in page.locator(".sentence").inner_text()
        causes = page.locator("#causes .causes > li")
        assert causes.count() == 3
        wrong_code = causes.filter(has_text="error/code: 1099")
        assert "expected" in wrong_code.inner_text() and "task_not_found" in wrong_code.inner_text()

        wrong_code.get_by_role("link", name="status/unknown-task").click()
        failed = case(page, "status/unknown-task")
        sync_api.expect(failed).to_have_attribute("open", "")
        sync_api.expect(failed.locator("> summary")).to_be_in_viewport()
        sync_api.expect(failed.locator(".minus")).to_be_in_viewport()
        assert "{$spec: task_not_found}" in failed.locator(".minus").inner_text()
        assert "1099" in failed.locator(".plus").inner_text()
        text = failed.inner_text().lower()
        for heading in ("what must hold", "what came instead", "on the wire", "time of each step", "play it again"):
            assert heading in text
        assert "fixtures/server/status.yaml:" in text
        assert failed.locator(".ladder li.client").count() == 1
        assert '"code": 1099' in failed.locator(".ladder li.server").inner_text()
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(SHIFTS) < 0.01


def test_what_is_told_to_be_played_again_fails_again(read):
    with read() as page:
        command = case(page, "status/unknown-task").locator(".rerun code").inner_text()
    words = shlex.split(command)
    assert words[:2] == ["omni-conformance", "run"]
    # Nobody listens there any more; that the command is followed at all is what counts.
    assert run(*words[1:])[0] == 3


def test_a_silence_is_seen_in_the_times(read):
    with read(at="#envelope/unknown-method") as page:
        silent = case(page, "envelope/unknown-method")
        sync_api.expect(silent.locator("> summary")).to_be_focused()
        assert "no frame within 2s" in silent.inner_text()
        bar = silent.locator(".time.bad > span")
        assert bar.count() == 1
        widths = bar.evaluate("bar => [bar.offsetWidth, bar.parentElement.offsetWidth]")
        assert widths[0] == widths[1] > 0
        assert "then nothing for 2" in silent.locator(".ladder").inner_text()


def test_texts_of_the_wire_stay_texts(read):
    with read() as page:
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 2
        assert "taken" not in page.title()
        assert "</script><script>" in case(page, "ping/empty-object").locator(".plus").inner_text()


def test_filters_and_search(read, runs: Runs):
    total = len(runs.document("bad")["cases"])
    with read() as page:
        shown = page.locator(".case:visible")
        assert shown.count() == total
        page.get_by_role("button", name="failed 4").click()
        assert shown.count() == 4
        assert {one.get_attribute("id") for one in shown.all()} == FAILING
        sync_api.expect(page.get_by_role("status")).to_have_text(f"4 cases of {total}")
        page.get_by_label("Suite").select_option("ping")
        assert shown.count() == 2
        page.get_by_label("Suite").select_option("")
        page.get_by_role("searchbox").fill("1099")
        assert [one.get_attribute("id") for one in shown.all()] == ["status/unknown-task"]
        page.get_by_role("searchbox").fill("req:ping.object")
        assert [one.get_attribute("id") for one in shown.all()] == ["ping/empty-object"]
        page.get_by_role("searchbox").fill("nothing is like this")
        assert shown.count() == 0
        page.get_by_role("button", name="Show all cases").click()
        assert shown.count() == total
        page.get_by_label("Level").select_option("may")
        assert shown.count() == sum(one["level"] == "may" for one in runs.document("bad")["cases"])


def test_keys(read):
    with read() as page:
        page.keyboard.press("j")
        first = page.locator(".case").nth(0)
        sync_api.expect(first.locator("> summary")).to_be_focused()
        page.keyboard.press("j")
        second = page.locator(".case").nth(1)
        sync_api.expect(second.locator("> summary")).to_be_focused()
        page.keyboard.press("Enter")
        assert second.get_attribute("open") is None
        page.keyboard.press("k")
        sync_api.expect(first.locator("> summary")).to_be_focused()
        page.keyboard.press("/")
        sync_api.expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("jk/")
        assert page.get_by_role("searchbox").input_value() == "jk/"
        page.keyboard.press("Escape")
        assert page.get_by_role("searchbox").input_value() == ""


def test_the_theme_is_switched_and_kept(read):
    with read(theme="light") as page:
        def ground() -> str:
            return page.evaluate("getComputedStyle(document.body).backgroundColor")

        light = ground()
        page.get_by_role("button", name="Switch between dark and light").click()
        dark = ground()
        assert dark != light
        page.reload()
        assert ground() == dark
        assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("size", SIZES)
def test_the_matrix_leads_from_a_requirement_to_its_cases(read, size: str):
    with read(size=size) as page:
        failed = case(page, "status/unknown-task")
        link = failed.locator(".req").first
        name = link.inner_text()
        link.click()
        row = page.locator(f"[id='req:{name}']")
        sync_api.expect(row).to_be_in_viewport()
        assert "broken" in row.inner_text()
        row.locator("summary").click()
        row.get_by_role("link", name="status/unknown-task").click()
        sync_api.expect(failed.locator("> summary")).to_be_in_viewport()
        page.get_by_role("button", name="broken").click()
        rows = page.locator(".matrix tbody tr:visible")
        assert rows.count() > 0
        assert {one.get_attribute("data-status") for one in rows.all()} == {"broken"}


@pytest.mark.parametrize("size", SIZES)
def test_the_heat_map_scrolls_by_itself(read, size: str):
    with read(size=size) as page:
        page.get_by_role("link", name="Coverage").click()
        region = page.get_by_role("region", name="Methods and their errors")
        sync_api.expect(region).to_be_in_viewport()
        red = region.locator("td.bad")
        assert red.inner_text().split() == ["4", "bad"]
        assert "ping/empty-object" in red.get_attribute("title")
        assert region.locator("td.excluded").get_attribute("title") == "excluded: no client can"
        assert region.locator("td.missing").get_attribute("title") == "no case: write one"


@pytest.mark.parametrize("size", SIZES)
def test_two_runs_are_compared(read, size: str):
    with read(size=size) as page:
        page.get_by_role("link", name="Changes").click()
        newly = page.locator(".change", has_text="Newly failing")
        sync_api.expect(newly).to_be_in_viewport()
        assert {link.inner_text().lstrip("✗") for link in newly.get_by_role("link").all()} == FAILING
        newly.get_by_role("link", name="ping/empty-object").click()
        sync_api.expect(case(page, "ping/empty-object").locator("> summary")).to_be_in_viewport()


def test_passing_cases_show_what_they_did(read):
    with read("good.html") as page:
        assert "all " in page.title()
        assert page.locator("#causes").count() == 0
        passed = case(page, "ping/empty-object")
        passed.locator("> summary").click()
        sync_api.expect(passed.locator(".ladder")).to_be_visible()
        assert passed.locator(".steps li").count() == 2


@pytest.mark.parametrize("size", SIZES)
def test_it_reads_without_a_script(read, size: str):
    with read(size=size, script=False) as page:
        assert page.locator(".toolbar").first.is_hidden()
        assert page.locator("#theme").is_hidden()
        failed = case(page, "status/unknown-task")
        assert "1099" in failed.locator(".plus").inner_text()
        passed = page.locator(".case.good").first
        passed.locator("> summary").click()
        sync_api.expect(passed.locator(".rerun")).to_be_visible()


def test_on_paper_nothing_is_there_to_be_pressed(read):
    with read() as page:
        page.emulate_media(media="print")
        assert page.locator(".toolbar").first.is_hidden()
        assert page.locator(".top").is_hidden()
        assert case(page, "status/unknown-task").locator(".minus").is_visible()
