"""TLS settings for registries: trusted CA certificates, and client certificates."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path

from img.adapters.http.ca_certificates import (
    UnusableCertificates,
    load_certificates,
    named_certificates,
    reason_of,
    system_certificates,
)
from img.application.log import logger
from img.application.ports.registry import RegistryError
from img.domain.dataclass import dataclass
from img.domain.kaniko.registries import Certificates
from img.domain.reference import DEFAULT_DOMAIN, DOCKER_HUB_HOST

log = logger("registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificates:
    """The certificates for one host in a directory of certs.d (Docker's "certificates")."""

    ca_certificates: tuple[Path, ...] = ()
    clients: tuple[tuple[Path, Path], ...] = ()  # certificate and key


_NONE: Mapping[str, HostCertificates] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The sources of certificates.

    ``ca_certificates`` are files and directories that replace the system's; ``folders`` have one
    directory per host, named as in image names, with a port if there is one. They add to the
    others.
    """

    ca_certificates: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    named: Mapping[str, HostCertificates] = field(default_factory=dict, hash=False)

    @classmethod
    def of(
        cls, environment: Mapping[str, str], named: Mapping[str, HostCertificates] = _NONE
    ) -> "Trust":
        """Return the settings of the environment, and the directories that container tools use.

        ``named`` are certificates by their host, which replace those of its directory.
        """
        home = environment.get("HOME", "/")  # container tools ignore XDG_CONFIG_HOME here
        folders = (f"{home}/.config/containers", "/etc/containers", "/etc/docker")
        return cls(
            ca_certificates=named_certificates(environment),
            folders=tuple(Path(folder, "certs.d") for folder in folders),
            named=named,
        )

    def context(self, host: str, *, known: bool, verified: bool = True) -> ssl.SSLContext:
        """Return the TLS context, with the client certificate for ``host`` if it is ``known``.

        Redirects of the registry get no client certificate, but its CA certificates apply to them
        too. Raises RegistryError.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        certificates = self._certificates(host)
        if verified:
            _load(context, self.ca_certificates or _usual())
            _load_usable(context, certificates.ca_certificates)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if known:
            for certificate, key in certificates.clients:
                _load_client(context, certificate, key)
        return context

    def _certificates(self, host: str) -> HostCertificates:
        """Return the certificates in the first directory for ``host``. Raises RegistryError."""
        names = (DEFAULT_DOMAIN, host) if host == DOCKER_HUB_HOST else (host,)
        for name in names:
            if name in self.named:
                return self.named[name]
        for folder in self.folders:
            for name in names:
                try:
                    files = sorted((folder / name).iterdir())
                except OSError:
                    continue
                return _sort_by_kind(files)
        return HostCertificates()


def trust_in(files: Iterable[Certificates], environment: Mapping[str, str]) -> Trust:
    """Return the settings of the environment, with ``files`` for their hosts."""
    return Trust.of(environment, _by_host(files))


def _by_host(files: Iterable[Certificates]) -> Mapping[str, HostCertificates]:
    by_host: dict[str, HostCertificates] = {}
    for each in files:
        before = by_host.get(each.host, HostCertificates())
        trusted = (Path(each.trusted),) if each.trusted else ()
        clients = ((Path(each.client[0]), Path(each.client[1])),) if each.client else ()
        by_host[each.host] = HostCertificates(
            ca_certificates=(*before.ca_certificates, *trusted),
            clients=(*before.clients, *clients),
        )
    return by_host


def _usual() -> tuple[Path, ...]:
    """Return the system's CA certificates, or certifi's if there are none."""
    if system := system_certificates():
        return system
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return (Path(DEFAULT_CA_BUNDLE_PATH),)


def _load(context: ssl.SSLContext, places: Iterable[Path]) -> None:
    try:
        load_certificates(context, places)
    except UnusableCertificates as error:
        raise RegistryError(str(error)) from None


def _load_usable(context: ssl.SSLContext, files: Iterable[Path]) -> None:
    """Load the files that are certificates, if any is; docker and skopeo skip the others."""
    failures = []
    is_any_good = False
    for file in files:
        try:
            load_certificates(context, (file,))
        except UnusableCertificates as error:
            failures.append(str(error))
        else:
            is_any_good = True
    if failures and not is_any_good:
        raise RegistryError(failures[0])
    for failure in failures:
        log.warning("authority passed over", reason=failure)


def _sort_by_kind(files: list[Path]) -> HostCertificates:
    """Sort files by name: x.crt is a CA certificate, x.cert and x.key are for the client."""
    keys = {file.stem: file for file in files if file.suffix == ".key"}
    certificates = {file.stem: file for file in files if file.suffix == ".cert"}
    for name in keys.keys() ^ certificates.keys():
        has, lacks = (keys[name], "cert") if name in keys else (certificates[name], "key")
        raise RegistryError(
            f"{has} has no {name}.{lacks} beside it",
            hint="authorities are named .crt, our certificate .cert and its key .key",
        )
    return HostCertificates(
        ca_certificates=tuple(file for file in files if file.suffix == ".crt"),
        clients=tuple((certificates[name], keys[name]) for name in sorted(keys)),
    )


def _load_client(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # Otherwise OpenSSL would ask for a password at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        text = f"certificate {certificate} with its key cannot be used: {reason_of(error)}"
        raise RegistryError(text) from None
