"""The dashboard, as somebody uses it: a real browser, a real server, a mock that can be made to fail."""

import re
import shutil
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from conftest import DEADLINE, HANG, ROOT, Mock, Server, free_port
from test_report import CONTRAST

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser test, because playwright cannot be had here")
expect = sync_api.expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("the browser test, because there is no chromium here", allow_module_level=True)

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}
TOKEN = "a-token-of-the-test"
# A name in DNS that means this machine, as that of a tailnet does.
NAME = "omni.test"
# What a browser says of a server that is away, or that wants a token: it has seen it, no script has failed.
EXPECTED = re.compile(r"ERR_CONNECTION_|WebSocket connection to|status of (401|403|503)")
# Every control that can be reached has a name, in its text, its label or its attribute.
NAMELESS = """
() => Array.from(document.querySelectorAll('a, button, input, select, textarea, [tabindex], svg, [role]'))
  .filter(each => each.checkVisibility() && !(
    each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length || each.role === 'status'
    || each.role === 'alert'))
  .map(each => each.outerHTML.slice(0, 120))
"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        names = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", names])
        yield browser
        browser.close()


@pytest.fixture
def look(browser):
    """Opens the page; at the end nothing was asked of anybody else, and no script complained."""

    @contextmanager
    def opened(
            server: Server, at: str = "", size: dict = DESKTOP, theme: str = "light", away: bool = False,
            clock: bool = False, host: str = "127.0.0.1"):
        context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(DEADLINE * 1000)
        expect.set_options(timeout=DEADLINE * 1000)
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url.replace("ws://", "http://")))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        if clock:
            page.clock.install()
        page.goto(address(server, host) + at)
        yield page
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.evaluate(NAMELESS) == []
        context.close()
        assert [url for url in asked if not url.startswith((address(server, host), "data:"))] == []
        assert [text for text in complaints if not (away and EXPECTED.search(text))] == []

    return opened


def address(server: Server, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{server.port}/"


def is_live(page) -> None:
    expect(page.locator("#link-text")).to_contain_text("live")
    expect(page.locator("#state")).to_have_attribute("data-state", re.compile("normal|degraded|brainstem"))


def create(page, text: str, kind: str = "general") -> None:
    page.get_by_role("button", name="New task").click()
    page.get_by_label("What is to be done").fill(text)
    page.get_by_label("Type").select_option(kind)
    page.get_by_role("button", name="Create task").click()
    expect(page.locator("#create")).to_be_hidden()


def row(page, text: str):
    return page.locator("#rows tr", has_text=text)


def get(server: Server, method: str = "GET", **headers: str):
    request = urllib.request.Request(address(server), method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            return response.status, response.headers, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_a_task_goes_from_idle_to_completed_live(look, mock: Mock, serve):
    mock.arm(litellm=[{"on": "POST /v1/chat/completions", "delay": "1s"}])
    server = serve(**mock.variables)
    with look(server) as watching, look(server) as page:
        is_live(watching)
        is_live(page)
        expect(page.locator("#empty")).to_contain_text("No tasks yet")
        watching.evaluate("""() => {
          window.seen = [];
          new MutationObserver(() => {
            const word = document.querySelector('#rows td.state')?.textContent;
            if (word && seen.at(-1) !== word) seen.push(word);
          }).observe(document.getElementById('rows'), { childList: true, subtree: true, characterData: true });
        }""")
        hostile = "<img src=x onerror=alert(1)><script>alert(2)</script> \u202e{\"a\": 1}"
        create(page, hostile)
        expect(page.locator("#detail-state")).to_have_text("completed")
        expect(page.locator("#detail-description")).to_have_text(hostile)
        expect(page.locator("#outcome-text")).to_contain_text("<img src=x")
        assert page.locator("#board img, #board script").count() == 0
        steps = page.locator("#timeline li .name")
        expect(steps).to_have_text(["idle", "dispatching", "executing", "completed"])
        # The other page was told of it, without a question.
        expect(row(watching, "onerror").locator("td.state")).to_have_text("completed")
        seen = watching.evaluate("seen")
        assert seen[-1] == "completed" and {"idle", "dispatching", "executing"} & set(seen), seen
        expect(watching.locator("#states button", has_text="completed").locator(".num")).to_have_text("1")
        expect(watching.locator("#throughput rect.completed")).to_have_count(1)
        expect(watching.locator("#latency")).to_have_attribute("aria-label", re.compile("half within"))


def test_the_system_goes_degraded_and_back_live(look, mock: Mock, serve):
    server = serve(OMNI_HEALTH_INTERVAL="200ms", **mock.variables)
    with look(server) as page:
        is_live(page)
        expect(page.locator("#state")).to_have_text("Normal")
        mock.arm(litellm=[{"refuse": True}])
        expect(page.locator("#state")).to_have_text("Degraded")
        assert page.title().startswith("Degraded")
        expect(page.locator("#upstreams .ill")).to_contain_text("LiteLLM")
        expect(page.locator("#history li").first).to_contain_text("degraded")
        create(page, "while LiteLLM is away")
        expect(page.locator("#detail-state")).to_have_text("completed")
        expect(page.locator("#timeline")).to_contain_text("direct")
        mock.reset()
        expect(page.locator("#state")).to_have_text("Normal")
        expect(page.locator("#upstreams .ill")).to_have_count(0)
        expect(page.locator("#history li .name")).to_have_text(["normal", "degraded", "normal"])
        expect(page.locator("#history li").first).to_contain_text("litellm")
        expect(page.locator("#strip span")).to_have_count(3)


def test_search_filter_and_cancel_by_keyboard_alone(look, mock: Mock, serve):
    server = serve(**mock.variables)
    with look(server) as page:
        is_live(page)
        for text in ("find the needle", "hay", "more hay"):
            create(page, text)
            page.keyboard.press("Escape")
            expect(row(page, text).locator("td.state").first).to_have_text("completed")
        mock.arm(litellm=[HANG])
        press = page.keyboard.press
        page.locator("#new-task").focus()
        press("Enter")
        page.keyboard.type("to be cancelled")
        press("Control+Enter")
        expect(page.locator("#detail-state")).to_have_text("executing")
        expect(page.locator("#detail-title")).to_be_focused()
        for name in ("close-detail", "cancel"):
            press("Tab")
            expect(page.locator(f"#{name}")).to_be_focused()
        press("Enter")
        expect(page.locator("#confirm-no")).to_be_focused()
        press("Tab")
        press("Enter")
        expect(page.locator("#detail-state")).to_have_text("cancelled")
        expect(page.locator("#cancel")).to_be_hidden()
        press("Escape")
        expect(page.locator("#detail")).to_be_hidden()

        page.locator("#search").focus()
        page.keyboard.type("NEEDLE")
        expect(page.locator("#rows tr")).to_have_count(1)
        assert "q=NEEDLE" in page.url
        page.locator("#search").fill("nothing like it")
        expect(page.locator("#empty")).to_contain_text("matches “nothing like it”")
        page.get_by_role("button", name="Show all").click()
        expect(page.locator("#rows tr")).to_have_count(4)
        page.locator("#states button", has_text="cancelled").press("Enter")
        expect(page.locator("#rows tr")).to_have_count(1)
        row(page, "to be cancelled").get_by_role("link").press("Enter")
        expect(page.locator("#detail-state")).to_have_text("cancelled")
        # The address says it all.
        page.reload()
        expect(page.locator("#detail-state")).to_have_text("cancelled")
        expect(page.locator("#rows tr")).to_have_count(1)
        expect(page.locator("#states [aria-pressed='true']")).to_contain_text("cancelled")


def test_a_token_is_asked_for_kept_and_forgotten(look, mock: Mock, serve):
    server = serve(OMNI_TOKEN=TOKEN, **mock.variables)
    status, headers, text = get(server)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    status, _, same = get(server, Authorization=f"Bearer {TOKEN}")
    assert status == 200 and text == same and TOKEN not in text
    with look(server, away=True) as page:
        token = page.get_by_label("Token")
        expect(token).to_be_focused()
        expect(page.locator("#board")).to_be_hidden()
        token.fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").first).to_contain_text("not the one")
        token.fill("what no (browser) sends")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").first).to_contain_text("cannot send that token")
        token.fill(TOKEN)
        page.keyboard.press("Enter")
        is_live(page)
        create(page, "with a token")
        expect(page.locator("#detail-state")).to_have_text("completed")
        assert TOKEN not in page.url and TOKEN not in page.content()
        page.reload()
        is_live(page)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_focused()
        assert page.evaluate("JSON.stringify({ ...sessionStorage, ...localStorage })") == "{}"
        assert page.locator("#rows tr").count() == 0


def test_a_server_that_comes_back_is_live_again(look, mock: Mock, serve, tmp_path):
    port = free_port()
    server = serve(port=port, **mock.variables)
    with look(server, away=True) as page:
        is_live(page)
        create(page, "before the end of the process")
        expect(page.locator("#detail-state")).to_have_text("completed")
        server.kill()
        expect(page.locator("#link-text")).to_have_text("reconnecting")
        expect(page.locator("#banner")).to_contain_text("What you see is as of")
        expect(page.get_by_role("button", name="New task")).to_be_disabled()
        expect(row(page, "before the end")).to_have_count(1)
        serve(port=port, **mock.variables)
        is_live(page)
        expect(page.locator("#banner")).to_be_hidden()
        create(page, "after it")
        expect(row(page, "after it").locator("td.state")).to_have_text("completed")
        expect(page.locator("#rows tr")).to_have_count(2)


def test_a_name_in_dns_is_taken_if_the_server_was_told_of_it(look, mock: Mock, serve):
    server = serve(**mock.variables)
    with look(server, away=True, host=NAME) as page:
        expect(page.locator("body")).to_contain_text("OMNI_ORIGINS", use_inner_text=True)
    server.kill()
    port = free_port()
    server = serve(port=port, OMNI_ORIGINS=f"http://{NAME}:{port}", **mock.variables)
    with look(server, host=NAME) as page:
        is_live(page)


def test_a_tab_that_nobody_sees_lets_go(look, mock: Mock, serve):
    server = serve(**mock.variables)
    with look(server, clock=True) as page:
        is_live(page)
        show = """isHidden => {
          Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
          document.dispatchEvent(new Event('visibilitychange'));
        }"""
        with page.expect_event("websocket") as again:
            page.evaluate(show, True)
            page.clock.fast_forward("01:01")
            expect(page.locator("#link-text")).to_have_text("resting")
            page.evaluate(show, False)
        assert again.value.url.startswith("ws://127.0.0.1:")
        is_live(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_reads_on_a_phone_dark_and_light(look, mock: Mock, serve, theme: str):
    server = serve(**mock.variables)
    grounds = {}
    for size in (PHONE, DESKTOP):
        with look(server, size=size, theme=theme) as page:
            is_live(page)
            create(page, "a-very-long-word" * 40)
            expect(page.locator("#detail-state")).to_have_text("completed")
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate(CONTRAST) == []
            page.get_by_role("button", name="Close the task").click()
            expect(page.locator("#rows a").first).to_be_visible()
            assert page.evaluate(CONTRAST) == []
            ground = "getComputedStyle(document.body).backgroundColor"
            grounds[theme] = page.evaluate(ground)
            page.get_by_role("button", name="Colours").click()
            page.get_by_role("button", name="Colours").click()
            page.get_by_role("button", name="Colours: dark").click()
            assert page.evaluate(ground) == grounds[theme]


def test_what_is_served_at_the_root(mock: Mock, serve):
    server = serve(**mock.variables)
    status, headers, text = get(server)
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == "'self' ws: wss:" and policy["img-src"] == "data:"
    assert all(re.fullmatch(r"'sha256-[\w+/]{43}='", policy[name]) for name in ("script-src", "style-src"))
    assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert headers["Cache-Control"] == "no-store"
    assert not re.search(r"(src|href)=\"(?!data:|#)", text) and "innerHTML" not in text
    status, headers, body = get(server, "HEAD")
    assert (status, body, int(headers["Content-Length"])) == (200, "", len(text.encode()))
    status, headers, _ = get(server, "POST")
    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    # The words of the specification are those of the page.
    [states] = re.findall(r"state: \{enum: \[([^\]]+)\]", (ROOT / "Spec" / "task.yaml").read_text())
    assert re.search(r"STATES = \[([^\]]+)\]", text)[1].replace("'", "") == states
    [kinds] = re.findall(r"enum: \[(general[^\]]+)\]", (ROOT / "Spec" / "methods" / "create_task.yaml").read_text())
    assert re.findall(r"<option>([^<]+)", text) == kinds.split(", ")
