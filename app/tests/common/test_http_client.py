"""The environment's proxies, as everything of the app that speaks HTTP to others obeys them."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace

import pytest
from fairweather_interface.metadata import Area
from urllib3.exceptions import HTTPError

from fairweather_app.common.http_client import open_pool
from fairweather_app.errors import ProviderError, SettingsError
from fairweather_app.models_backend.inference_client import InferenceClient
from fairweather_app.observations.open_meteo import OpenMeteo
from local_server import LocalServer
from meteo import Meteo, recording

NOWHERE = "weather.invalid"  # a name that nobody can look up
JFK = {"JFK": Area(latitude=40.6398, longitude=-73.7789, timezone="America/New_York")}
NOW = datetime(2024, 5, 2, tzinfo=UTC)


class Proxy(LocalServer):
    """A proxy that answers 203 itself; `asked` are the lines and users of requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                user = self.headers.get("Proxy-Authorization")
                proxy.asked.append((self.requestline, user))
                self.send_response(403 if self.command == "CONNECT" else 203)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_CONNECT = answer  # noqa: N815 - as the base class calls them

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()
    yield made
    made.stop()


@pytest.fixture
def closed() -> str:
    """Return an address where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(sleep=lambda _seconds: None, time=time.time)
    monkeypatch.setattr("urllib3.util.retry.time", clock)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_provider_is_fetched_through_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, f"http://{proxy.host}")
    with pytest.raises(ProviderError, match="it answers 203 with 1 locations"):
        list(OpenMeteo(f"http://{NOWHERE}/v1").fetch(JFK, since=NOW, until=NOW))
    ((line, user),) = proxy.asked
    assert line.startswith(f"GET http://{NOWHERE}/v1?latitude=40.6398&")
    assert user is None


def test_a_server_of_models_is_asked_through_the_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.host)  # without a scheme, as some write it
    assert InferenceClient(f"http://{NOWHERE}:8080", 5).request("GET", "/v2").status == 203
    assert [line for line, _ in proxy.asked] == [f"GET http://{NOWHERE}:8080/v2 HTTP/1.1"]


def test_https_goes_through_a_tunnel_of_its_own_proxy_and_the_password_is_not_repeated(
    proxy: Proxy, closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{closed}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:s%40cret-%C3%BC@{proxy.host}")
    with pytest.raises(ProviderError) as caught:
        list(OpenMeteo(f"https://{NOWHERE}/v1").fetch(JFK, since=NOW, until=NOW))
    through = f"https://{NOWHERE}/v1 through the proxy http://{proxy.host} cannot be reached"
    assert f"{through}: Tunnel connection failed: 403 Forbidden" in str(caught.value)
    user = base64.b64encode("me:s@cret-ü".encode()).decode()
    asked = {(line.rpartition(" ")[0], given) for line, given in proxy.asked}
    assert asked == {(f"CONNECT {NOWHERE}:443", f"Basic {user}")}


def test_a_proxy_that_cannot_be_reached_is_named(
    closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{closed}")
    with pytest.raises(ProviderError) as caught:
        list(OpenMeteo(f"http://{NOWHERE}/v1").fetch(JFK, since=NOW, until=NOW))
    assert f"through the proxy http://{closed} cannot be reached: " in str(caught.value)
    assert str(caught.value).endswith("Connection refused")
    with pytest.raises(HTTPError) as failed:
        InferenceClient(f"http://{NOWHERE}", 5).request("GET", "/v2")
    assert "secret" not in str(caught.value) + str(failed.value)


@pytest.mark.parametrize(
    "listed",
    ["127.0.0.1", "*", "x.example, 127.0.0.1", "127.0.0.0/8", "x.example,10.0.0.0/8, 127.0.0.1/30"],
)
def test_what_is_not_for_the_proxy_is_connected_to_directly(
    meteo: Meteo, closed: str, monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{closed}")
    monkeypatch.setenv("NO_PROXY", listed)
    meteo.will_answer(recording("one-place"))
    assert list(OpenMeteo(meteo.url).fetch(JFK, since=NOW, until=NOW))
    assert InferenceClient(meteo.url, 5).request("GET", "").status == 200


@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("example.org", "http://api.example.org/v1", True),
        (".example.org", "https://api.example.org", True),
        ("example.org", "http://notexample.org", False),
        ("api.example.org:8080", "http://api.example.org:8080/v1", True),
        ("api.example.org:8080", "http://api.example.org/v1", False),
        ("::1", "http://[::1]:8080", True),
        ("fd00::/8", "http://[fd12::1]/v2", True),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("10.0.0.0/99, 10.0.0.1/31", "http://10.0.0.1", True),
        ("", "http://10.0.0.1", False),
    ],
)
def test_the_list_names_hosts_domains_and_networks(
    monkeypatch: pytest.MonkeyPatch, listed: str, url: str, *, direct: bool
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    with open_pool(url) as pool:
        assert (pool.proxy is None) == direct


@pytest.mark.parametrize(
    "value", ["socks5://me:secret@127.0.0.1:1080", "http://me:secret@[::1", "http://a:b"]
)
def test_what_is_no_http_proxy_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    expected = r"HTTPS_PROXY \(or ALL_PROXY\) is no address of an HTTP proxy: expected one such as"
    with pytest.raises(SettingsError, match=expected) as caught:
        open_pool("https://weather.example/v1")
    assert "secret" not in str(caught.value)
