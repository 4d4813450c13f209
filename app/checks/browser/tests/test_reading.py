"""Reading the pages as people do: by mouse, by keyboard, on a phone, in the dark, scriptless."""

from __future__ import annotations

import re
from collections.abc import Callable

from addresses import ALL, filled
from playwright.sync_api import Browser, Page, expect

Open = Callable[..., Page]
Keep = Callable[..., None]

PHONE = {"width": 375, "height": 800}


def chart_is_drawn(page: Page) -> None:
    expect(page.locator(".plot canvas")).to_be_visible()


def fits(page: Page) -> None:
    """Nothing may be wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


def test_choose_an_area_and_read_its_week(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=")
    keep(page, "choose")
    page.get_by_role("combobox", name="Area").fill("jfk")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"\?area=jfk"))
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"Tomorrow: low\s.*\d+\s°C, high\s.*\d+\s°C, humidity"))
    expect(page.get_by_text("80 % range", exact=True).first).to_be_visible()
    expect(page.get_by_text("Old observations")).to_have_count(0)
    chart_is_drawn(page)
    keep(page, "forecast")


def test_the_area_is_remembered_until_another_is_chosen(open_page: Open) -> None:
    page = open_page("/?area=JFK")
    page.goto("/")
    expect(page).to_have_url(re.compile(r"\?area=JFK$"))
    page.get_by_role("link", name="fairweather").click()
    expect(page.get_by_role("heading", name="Choose an area")).to_be_visible()


def test_units_are_switched_and_stay(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=JFK")
    page.get_by_role("link", name="°F").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("°F")
    expect(page.get_by_role("link", name="°F")).to_have_attribute("aria-current", "true")
    page.goto("/?area=EWR")
    expect(page.get_by_role("heading", level=1)).to_contain_text("°F")
    keep(page, "fahrenheit")


def test_old_observations_announce_themselves(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=EWR")
    expect(page.get_by_role("note")).to_contain_text("The newest observation for EWR is from")
    expect(page.get_by_role("note")).to_contain_text("2 days ago")
    keep(page, "stale")


def test_a_past_forecast_is_read_beside_the_observations(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=JFK")
    page.get_by_role("link", name=re.compile("compare last week")).click()
    expect(page.get_by_role("heading", name="How it turned out")).to_be_visible()
    expect(page.get_by_text("of values were inside the range").first).to_be_visible()
    chart_is_drawn(page)
    page.get_by_text("Every hour as a table").click()
    expect(page.get_by_role("columnheader", name="Temperature, observed")).to_be_visible()
    keep(page, "past")


def test_a_refusal_names_the_cause_and_what_to_try_instead(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=LGA")
    expect(page.get_by_role("heading", level=1)).to_have_text("No forecast for LGA")
    expect(page.get_by_text("area-not-declared").first).to_be_visible()
    keep(page, "refusal")
    page.get_by_role("link", name="JFK").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Tomorrow:")


def test_a_time_without_observations_leads_to_one_with_a_forecast(
    open_page: Open, keep: Keep
) -> None:
    page = open_page("/?area=JFK&reference_time=2015-07-01T12:00")
    expect(page.get_by_text("observations-missing").first).to_be_visible()
    keep(page, "refusal-start")
    page.locator(".starts a").first.click()
    expect(page.get_by_role("heading", name="Why this model")).to_be_visible()


def test_simulated_weather_wears_a_badge(open_page: Open) -> None:
    page = open_page("/?area=Jerusalem")
    expect(page.get_by_text("synthetic: trained on simulated data")).to_be_visible()


def test_dark_pages_follow_the_system(open_page: Open, keep: Keep) -> None:
    for name, path in (("dark", "/?area=JFK"), ("dark-refusal", "/?area=LGA"),
                       ("dark-coverage", "/coverage")):  # fmt: skip
        page = open_page(path, color_scheme="dark")
        shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", shade)[:3])) < 60
        if name == "dark":
            chart_is_drawn(page)
        keep(page, name)


def test_every_page_fits_a_phone_and_a_wide_screen(
    open_page: Open, address: str, keep: Keep
) -> None:
    for width in (320, 375, 1900):
        for name, path in ALL.items():
            page = open_page(filled(address, path), viewport={"width": width, "height": 800})
            if name == "docs":
                page.locator(".opblock-summary-path").last.wait_for()
            fits(page)
            if width == PHONE["width"]:
                keep(page, f"phone-{name}")
    page = open_page("/?area=JFK", viewport={"width": 1900, "height": 1000})
    chart_is_drawn(page)
    keep(page, "wide")


def test_without_scripts_everything_is_there(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=", java_script_enabled=False)
    page.get_by_role("combobox", name="Area").fill("JFK")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Tomorrow:")
    expect(page.locator("figure")).to_be_hidden()
    page.get_by_text("Every hour as a table").click()
    expect(page.locator("table time")).to_have_count(168)
    page.get_by_role("link", name="°F").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("°F")
    keep(page, "no-script")


def test_nothing_moves_when_the_chart_is_drawn(open_page: Open) -> None:
    page = open_page("/?area=JFK")
    chart_is_drawn(page)
    moved = page.evaluate(
        "new Promise((found) => new PerformanceObserver((list) => found("
        "list.getEntries().reduce((sum, each) => sum + each.value, 0)))"
        ".observe({type: 'layout-shift', buffered: true}) || setTimeout(() => found(0), 500))"
    )
    assert moved < 0.01


def test_a_chart_whose_library_does_not_arrive_leaves_no_gap(
    browser: Browser, address: str
) -> None:
    page = browser.new_page()
    page.route("**/echarts.js*", lambda route: route.abort())
    page.goto(f"{address}/?area=JFK")
    expect(page.locator("figure")).to_have_count(0)
    expect(page.locator("table.week")).to_be_visible()
    page.close()


def test_the_keyboard_alone_reaches_everything(open_page: Open, keep: Keep) -> None:
    page = open_page("/?area=EWR")
    chart_is_drawn(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Area")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("JFK")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("area=JFK"))
    chart_is_drawn(page)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate("document.activeElement.className || document.activeElement.tagName")
        if here == "BODY":
            break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"the focus cannot be seen on {here}"
        if here == "plot":
            page.keyboard.press("ArrowRight")
            expect(page.locator("[aria-live]")).to_contain_text("Temperature")
            expect(page.locator(".tip")).to_be_visible()
            keep(page, "keyboard")
            page.keyboard.press("Escape")
            expect(page.locator("[aria-live]")).to_be_empty()
        reached.add(here)
    assert {"plot", "SUMMARY", "A", "BUTTON"} <= reached
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("cell").first).to_be_visible()


def test_models_are_found_and_read(open_page: Open, keep: Keep) -> None:
    page = open_page("/models")
    keep(page, "models")
    expect(page.get_by_role("heading", name="6 deliveries")).to_be_visible()
    page.get_by_role("link", name=re.compile("^quarantined")).click()
    expect(page.get_by_role("heading", name="1 delivery found")).to_be_visible()
    page.get_by_role("link", name=re.compile("^all")).click()
    page.get_by_label("Search", exact=True).fill("coast ahead")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="2 deliveries found")).to_be_visible()
    page.get_by_role("link", name="CoastPredictor").first.click()
    expect(page.get_by_role("heading", name="Status")).to_be_visible()
    keep(page, "model")
    page.get_by_role("link", name="Model card").click()
    expect(page).to_have_url(re.compile("/card/$"))


def test_the_map_shows_where_no_model_is(open_page: Open, keep: Keep) -> None:
    page = open_page("/coverage")
    row = page.get_by_role("row").filter(has_text="Beit-Shemesh")
    expect(row.locator(".covered")).to_have_count(3)
    expect(row.locator("td.uncovered")).to_have_count(9)
    expect(page.get_by_text("LGA", exact=True)).to_be_visible()
    expect(page.locator("[aria-current=date]")).to_have_count(1)
    keep(page, "coverage")


def test_the_interface_is_read_and_tried_on_its_page(open_page: Open, keep: Keep) -> None:
    """Swagger UI runs under our policy and asks no host but the app's: `open_page` sees to it."""
    page = open_page("/docs")
    document = page.request.get("/openapi.json").json()
    operations = sum(len(item) for item in document["paths"].values())
    expect(page.locator(".opblock-summary-path")).to_have_count(operations)
    assert operations >= 14
    keep(page, "docs")
    block = page.locator("#operations-forecasts-list_areas")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    status = block.locator(".live-responses-table tbody .response-col_status")
    expect(status.first).to_contain_text("200")
    expect(block.locator(".live-responses-table")).to_contain_text("Beit-Shemesh")


def test_the_page_of_the_interface_follows_the_system_into_the_dark(open_page: Open) -> None:
    page = open_page("/docs", color_scheme="dark")
    expect(page.locator(".opblock-summary-path").first).to_be_visible()
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", shade)[:3])) < 60
    for part in (".opblock-summary-description", ".opblock-tag"):
        colour = page.locator(part).first.evaluate("each => getComputedStyle(each).color")
        assert min(map(int, re.findall(r"\d+", colour)[:3])) > 120, part
