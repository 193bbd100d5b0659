"""Which certificates a registry may show, and which to show it."""

import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from img.adapters.http.ca_certificates import (
    UnusableAuthorities,
    load_authorities,
    named_authorities,
    reason_of,
    system_authorities,
)
from img.application.log import logger
from img.application.ports.registry import RegistryError
from img.domain.dataclass import dataclass
from img.domain.reference import DEFAULT_DOMAIN, DOCKER_HUB_HOST

log = logger("registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificates:
    """What a folder of certs.d holds for one host (Docker's "certificates")."""

    authorities: tuple[Path, ...] = ()
    clients: tuple[tuple[Path, Path], ...] = ()  # certificate and key


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Where certificates come from.

    ``authorities`` are files and directories in place of the system's; ``folders`` hold one folder
    a host, named as it is in image names, with its port if it has one. They add to the others.
    """

    authorities: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Trust":
        """Return what the environment says, and the folders that containers' tools look into."""
        home = environment.get("HOME", "/")  # containers' tools do not look at XDG_CONFIG_HOME here
        folders = (f"{home}/.config/containers", "/etc/containers", "/etc/docker")
        return cls(
            authorities=named_authorities(environment),
            folders=tuple(Path(folder, "certs.d") for folder in folders),
        )

    def context(self, host: str, *, known: bool, verified: bool = True) -> ssl.SSLContext:
        """Return how to speak TLS; our own certificate for ``host`` is shown where ``known``.

        Without it for places that the registry sends us to: its authorities count there too, but
        who we are is for the registry alone. Raises RegistryError.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        certificates = self._certificates(host)
        if verified:
            _load(context, self.authorities or _usual())
            _load_usable(context, certificates.authorities)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if known:
            for certificate, key in certificates.clients:
                _load_client(context, certificate, key)
        return context

    def _certificates(self, host: str) -> HostCertificates:
        """Return what the first folder has that knows ``host``. Raises RegistryError."""
        names = (DEFAULT_DOMAIN, host) if host == DOCKER_HUB_HOST else (host,)
        for folder in self.folders:
            for name in names:
                try:
                    files = sorted((folder / name).iterdir())
                except OSError:
                    continue
                return _sorted_out(files)
        return HostCertificates()


def _usual() -> tuple[Path, ...]:
    """Return the system's authorities, or certifi's where it has none."""
    if system := system_authorities():
        return system
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return (Path(DEFAULT_CA_BUNDLE_PATH),)


def _load(context: ssl.SSLContext, places: Iterable[Path]) -> None:
    try:
        load_authorities(context, places)
    except UnusableAuthorities as error:
        raise RegistryError(str(error)) from None


def _load_usable(context: ssl.SSLContext, files: Iterable[Path]) -> None:
    """Load those that are certificates, if any are; docker and skopeo pass over the others."""
    failures = []
    is_any_good = False
    for file in files:
        try:
            load_authorities(context, (file,))
        except UnusableAuthorities as error:
            failures.append(str(error))
        else:
            is_any_good = True
    if failures and not is_any_good:
        raise RegistryError(failures[0])
    for failure in failures:
        log.warning("authority passed over", reason=failure)


def _sorted_out(files: list[Path]) -> HostCertificates:
    """Return what each file is by its name: x.crt an authority, x.cert and x.key ourselves."""
    keys = {file.stem: file for file in files if file.suffix == ".key"}
    certificates = {file.stem: file for file in files if file.suffix == ".cert"}
    for name in keys.keys() ^ certificates.keys():
        has, lacks = (keys[name], "cert") if name in keys else (certificates[name], "key")
        raise RegistryError(
            f"{has} has no {name}.{lacks} beside it",
            hint="authorities are named .crt, our certificate .cert and its key .key",
        )
    return HostCertificates(
        authorities=tuple(file for file in files if file.suffix == ".crt"),
        clients=tuple((certificates[name], keys[name]) for name in sorted(keys)),
    )


def _load_client(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # A password would be asked for at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        text = f"certificate {certificate} with its key cannot be used: {reason_of(error)}"
        raise RegistryError(text) from None
