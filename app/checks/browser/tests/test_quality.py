"""What the pages weigh, what they load, and what axe-core finds."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from addresses import ALL, filled
from playwright.sync_api import Browser, Page

Open = Callable[..., Page]
Measured = Callable[[str, dict[str, Any]], None]

MOST_BYTES = 500_000
AXE = os.environ.get("AXE", "")
OF_SWAGGER_UI = {
    *("heading-order", "landmark-main-is-top-level"),
    *("landmark-no-duplicate-main", "landmark-unique"),
}
"""What axe-core finds in the library's own part of /docs: how parts are nested; none is serious."""
RUN_AXE = """axe.run(document, {resultTypes: ["violations"]}).then(
  ({violations}) => violations.map(({id, impact, help, nodes}) => ({
    id, impact, help, where: nodes.map(({target}) => target.join(" ")),
  })))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", sorted(set(ALL) - {"docs"}))
def test_axe_finds_nothing(
    open_page: Open, address: str, measured: Measured, name: str, scheme: str
) -> None:
    assert AXE, "set AXE to axe.min.js: npm install --ignore-scripts axe-core"
    page = open_page(filled(address, ALL[name]), color_scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    if name == "forecast":
        page.locator(".plot canvas").wait_for()
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate(RUN_AXE)
    measured(f"axe {name} {scheme}", {"findings": found})
    assert found == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_on_the_page_of_the_interface_only_what_is_known_of_its_library(
    open_page: Open, measured: Measured, scheme: str
) -> None:
    page = open_page("/docs", color_scheme=scheme)
    page.locator(".opblock-summary-path").first.wait_for()
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    found = page.evaluate(RUN_AXE)
    measured(f"axe docs {scheme}", {"findings": found})
    assert {each["id"] for each in found} <= OF_SWAGGER_UI
    ours = page.evaluate(RUN_AXE.replace("document,", "{exclude: ['#swagger-ui']},", 1))
    assert [each for each in ours if not each["id"].startswith("landmark-")] == []


@pytest.mark.parametrize("name", sorted(set(ALL) - {"docs"}))
def test_a_page_weighs_little_and_asks_for_little(
    open_page: Open, address: str, measured: Measured, name: str
) -> None:
    page = open_page("/healthz")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: dict[str, float] = {}
    addresses: dict[str, str] = {}

    def sent(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    def arrived(event: dict[str, Any]) -> None:
        asked_for = addresses.get(event["requestId"], "data:")
        # the browser's own: what draws its date field, and the icon of the page before
        if not asked_for.startswith("data:") and not asked_for.endswith("/favicon.ico"):
            sizes[event["requestId"]] = event["encodedDataLength"]

    session.on("Network.requestWillBeSent", sent)
    session.on("Network.loadingFinished", arrived)
    page.goto(filled(address, ALL[name]))
    page.wait_for_load_state("networkidle")
    timing = page.evaluate(
        "(() => { const [n] = performance.getEntriesByType('navigation');"
        " const p = performance.getEntriesByName('first-contentful-paint')[0];"
        " return {readable_ms: n.domInteractive, painted_ms: p ? p.startTime : null,"
        " loaded_ms: n.loadEventEnd, document_bytes: n.encodedBodySize,"
        " document_unpacked_bytes: n.decodedBodySize} })()"
    )
    figures = {
        "requests": len(sizes),
        "bytes": sum(sizes.values()),
        **{key: value and round(value) for key, value in timing.items()},
    }
    measured(f"weight {name}", figures)
    assert set(sizes) <= set(addresses)
    assert 1 <= figures["requests"] <= 5
    assert figures["bytes"] < MOST_BYTES


def test_the_files_of_a_page_are_asked_for_once(open_page: Open) -> None:
    page = open_page("/?area=JFK")
    page.locator(".plot canvas").wait_for()
    page.goto("/?area=EWR")
    page.locator(".plot canvas").wait_for()
    sent = page.evaluate("performance.getEntriesByType('resource').map((r) => r.transferSize)")
    assert len(sent) >= 3
    assert sum(sent) == 0


def test_the_policy_lets_no_inline_script_run(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/?area=JFK")
    ran = page.evaluate(
        "new Promise((told) => { addEventListener('securitypolicyviolation', () => told(false));"
        " const s = document.createElement('script'); s.textContent = 'window.ran = true';"
        " document.body.append(s); setTimeout(() => told(window.ran === true), 300) })"
    )
    page.close()
    assert ran is False
