"""Proxies of the environment, and the settings of the network transport."""

from __future__ import annotations

import pytest

from reach_mcp.api.transport import network_transport, proxy_for
from reach_mcp.settings import ConfigurationError

PROXY = "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "used"),
    [
        ("https://api.reach.test", "", True),
        ("https://api.reach.test", "*", False),
        ("https://api.reach.test", "localhost, .reach.test", False),
        ("https://api.reach.test", "*.reach.test", False),
        ("https://api.reach.test", "API.reach.TEST:443", False),
        ("https://api.reach.test", "api.reach.test:8443", True),
        ("https://notreach.test", "reach.test", True),
        ("https://api.reach.test", "localhost,[::1],::1,fd00::/8,10.0.0.0/8,bad/net,/", True),
        ("http://[::1]:8080", "localhost,[::1]", False),
        ("http://[::1]:8080", "[::1]:8080", False),
        ("http://[fd00::7]", "[fd00::]/8", False),
        ("http://10.1.2.3", "10.0.0.0/8", False),
    ],
)
def test_no_proxy_takes_names_addresses_ranges_and_ports(url: str, no_proxy: str, used: bool) -> None:
    proxies = {"http": PROXY, "https": PROXY, "no": no_proxy}
    assert proxy_for(url, proxies) == (PROXY if used else None)


def test_a_proxy_without_a_scheme_and_one_for_all_are_used() -> None:
    assert proxy_for("https://reach.test", {"all": "proxy.test:3128"}) == PROXY
    assert proxy_for("https://reach.test", {"http": PROXY}) is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HTTPS_PROXY", "socks5://x", "SOCKS is not supported"),
        ("HTTPS_PROXY", "http://x:port", "proxy variable"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem", "SSL_CERT_FILE"),
    ],
)
def test_a_wrong_variable_of_the_environment_is_named(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=told):
        network_transport("https://reach.test")
