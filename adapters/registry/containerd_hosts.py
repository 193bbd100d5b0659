"""containerd's hosts.toml: a directory per registry, a table per mirror (docs/hosts.md)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from img.adapters.registry.toml_file import read_toml
from img.domain.registries import (
    Endpoint,
    PullFrom,
    RegistriesUnreadable,
    RegistryRule,
    RegistryRules,
)

_REFUSED = ("ca", "client", "header")  # certificates are configured in certs.d


def read_hosts_directory(folder: Path) -> RegistryRules:
    """Return the rules of the files ``folder``/HOST/hosts.toml. Raises RegistriesUnreadable.

    ``_default``, the rule for all hosts at once, is left out.
    """
    files = sorted(folder.glob("*/hosts.toml"))
    return RegistryRules(
        rules=tuple(_rule(file) for file in files if file.parent.name != "_default")
    )


def _rule(path: Path) -> RegistryRule:
    document = read_toml(path)
    # File names may not allow a colon: containerd accepts host_5000_ for host:5000.
    name, underscore, port = path.parent.name.removesuffix("_").rpartition("_")
    host = f"{name}:{port}" if underscore and port.isdecimal() else path.parent.name
    server = document.get("server", f"https://{host}")
    if not isinstance(server, str):
        raise RegistriesUnreadable(path, "server is no URL")
    place, insecure = _place(path, server, document)
    is_hub = host == "docker.io"
    hosts = document.get("host", {})
    if not isinstance(hosts, dict) or not all(isinstance(each, dict) for each in hosts.values()):
        raise RegistriesUnreadable(path, 'hosts are tables: [host."https://mirror.example.com"]')
    return RegistryRule(
        prefix=host,
        location=host if is_hub else place,
        insecure=insecure or document.get("skip_verify") is True,
        mirrors=tuple(_mirrors(path, hosts)),
    )


def _mirrors(path: Path, hosts: Mapping[str, Any]) -> Iterator[Endpoint]:
    for url, table in hosts.items():
        capabilities = table.get("capabilities", ["pull", "resolve"])
        if not isinstance(capabilities, list):
            raise RegistriesUnreadable(path, f"{url}: capabilities is no list")
        if "pull" not in capabilities:
            continue
        place, insecure = _place(path, url, table)
        resolves = "resolve" in capabilities
        yield Endpoint(
            location=place,
            insecure=insecure or table.get("skip_verify") is True,
            pull_from=PullFrom.ALL if resolves else PullFrom.DIGESTS,
        )


def _place(path: Path, url: str, table: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the location of ``url``, and whether it uses plain http."""
    for key in _REFUSED:
        if key in table:
            raise RegistriesUnreadable(path, f"{url}: {key} is not understood; see certs.d")
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
    except ValueError:
        raise RegistriesUnreadable(path, f"{url!r} is no URL") from None
    # The path of the API: names of repositories start below /v2.
    names = parts.path.strip("/").removeprefix("v2").strip("/")
    return f"{parts.netloc}/{names}".rstrip("/"), parts.scheme == "http"
