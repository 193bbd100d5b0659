"""Docker's config.json, as far as it is not about credentials (docker/cli, cli/config)."""

from collections.abc import Mapping


def docker_config_place(environment: Mapping[str, str]) -> str:
    """Return the path of the file: $DOCKER_CONFIG/config.json, or ~/.docker/config.json."""
    folder = (
        environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '').rstrip('/')}/.docker"
    )
    return f"{folder}/config.json"


def proxies_for_steps(text: str) -> dict[str, str]:
    """Return the values of http_proxy and others that the file ``text`` sets for all containers.

    They are those of "proxies.default" (cli/config/configfile/file.go, "ParseProxyConfig"). Others
    are for a daemon with a certain address, and img has none. Raises InvalidJson.
    """
    from img.domain.json_text import InvalidJson, parse_json  # a build without the file needs none

    document = parse_json(text) if text.strip() else {}
    proxies = _object(document, "proxies")
    default = _object(proxies, "default")
    found = {}
    for name, value in default.items():
        variable = _VARIABLES.get(name.lower())  # Go ignores the case of names
        if variable and value:
            if not isinstance(value, str):
                raise InvalidJson(f"proxies.default.{name} is no text")
            found[variable] = value
    return found


_VARIABLES = {
    "httpproxy": "http_proxy",
    "httpsproxy": "https_proxy",
    "ftpproxy": "ftp_proxy",
    "noproxy": "no_proxy",
    "allproxy": "all_proxy",
}


def _object(document: object, name: str) -> Mapping[str, object]:
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, dict) else {}
