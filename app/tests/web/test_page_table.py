"""One table of pages: addresses, links and the OpenAPI document follow from it."""

from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from fairweather_app.api.operation import operation_of
from fairweather_app.web import PAGES
from pages import BROWSER, read

FILES = {"page.asset", "page.docs_file"}


def test_every_address_with_a_page_is_in_the_table_and_no_other(app: Flask) -> None:
    operations = {name: operation_of(view) for name, view in app.view_functions.items()}
    with_page = {
        name
        for name, operation in operations.items()
        if name.startswith("page.") or (operation is not None and operation.page)
    }
    assert with_page - FILES == {page.endpoint for page in PAGES}


def test_every_titled_page_is_linked_from_all(client: FlaskClient) -> None:
    addresses = [each["href"] for each in read(client.get("/docs")).all("a")]
    assert addresses[-4:] == ["/?area=", "/models", "/coverage", "/docs"]
    assert [page.title for page in PAGES if page.title] == ["Areas", "Models", "Coverage", "API"]


def test_a_page_with_its_own_address_is_in_the_document(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    assert document is not None
    for page in PAGES:
        if page.rule:
            described = document["paths"][page.rule]["get"]
            assert described["summary"] == (page.view.__doc__ or "").partition("\n")[0]
            assert described["tags"] == ["pages"]


def test_a_shared_address_gives_its_page_to_browsers(client: FlaskClient) -> None:
    for page in PAGES:
        if not page.rule:
            rule = next(client.application.url_map.iter_rules(page.endpoint)).rule
            address = rule.replace("<delivery_id>", "nothing")
            assert client.get(address, headers={"Accept": BROWSER}).mimetype == "text/html"
            assert "json" in (client.get(address).mimetype or "")
