"""Proxies for steps in docker's config.json."""

import pytest

from img.domain.docker_config import proxies_for_steps
from img.domain.json_text import InvalidJson


def test_the_default_proxies_are_read() -> None:
    text = """{"auths": {}, "proxies": {
        "default": {"httpProxy": "http://a:b@p:1", "HTTPSPROXY": "http://p:2", "noProxy": "*.x",
                    "ftpProxy": "", "allProxy": "socks5://p", "other": 1},
        "tcp://other:2376": {"httpProxy": "http://other"}}}"""

    assert proxies_for_steps(text) == {
        "http_proxy": "http://a:b@p:1",
        "https_proxy": "http://p:2",
        "no_proxy": "*.x",
        "all_proxy": "socks5://p",
    }


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"proxies": []}', '{"proxies": {"default": 1}}'])
def test_a_file_without_proxies_has_none(text: str) -> None:
    assert proxies_for_steps(text) == {}


@pytest.mark.parametrize("text", ["{", '{"proxies": {"default": {"httpProxy": ["x"]}}}'])
def test_a_broken_file_is_an_error(text: str) -> None:
    with pytest.raises(InvalidJson):
        proxies_for_steps(text)
