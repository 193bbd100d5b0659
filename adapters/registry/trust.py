"""Which certificates a registry may show, and which to show it."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from img.application.ports.registry import RegistryError
from img.domain.dataclass import dataclass
from img.domain.reference import DEFAULT_DOMAIN, DOCKER_HUB_HOST


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
            authorities=tuple(map(Path, _authorities(environment))),
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
            for place in (*(self.authorities or _usual()), *certificates.authorities):
                _load(context, place)
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


def _authorities(environment: Mapping[str, str]) -> list[str]:
    """Return files and directories that the environment names, none if it names none.

    What one of OpenSSL's two variables leaves open, is the system's.
    """
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := environment.get(name):
            return [bundle]
    file, directories = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if not file and not directories:
        return []
    paths = ssl.get_default_verify_paths()
    usual_file = paths.openssl_cafile if Path(paths.openssl_cafile).exists() else ""
    usual = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else ""
    # A file must be there, of directories those that are, as OpenSSL and Go have it.
    there = [place for place in (directories or usual).split(os.pathsep) if Path(place).is_dir()]
    return [place for place in (file or usual_file, *there) if place]


def _usual() -> tuple[Path, ...]:
    """Return the system's authorities, or certifi's where it has none, as in a small container."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return (Path(paths.cafile),)
    if paths.capath is not None and os.listdir(paths.capath):
        return (Path(paths.capath),)
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return (Path(DEFAULT_CA_BUNDLE_PATH),)


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


def _load(context: ssl.SSLContext, place: Path) -> None:
    try:
        if place.is_dir():
            context.load_verify_locations(capath=place)
        else:
            context.load_verify_locations(cafile=place)
    except OSError as error:  # SSLError is one
        raise RegistryError(f"certificates in {place} cannot be used: {_reason(error)}") from None


def _load_client(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        # A password would be asked for at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        text = f"certificate {certificate} with its key cannot be used: {_reason(error)}"
        raise RegistryError(text) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is none").lower().replace("_", " ")
    return (error.strerror or str(error)).lower()
