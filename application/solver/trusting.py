"""CA certificates of the host in steps (``--inject-ca``)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from img.application.ports.executor import Cancellation, Executor, OutputSink
from img.application.ports.terminal import Terminal
from img.domain.certificates import JAVA_PASSWORD, Certificates
from img.domain.process import ExitStatus, FileMount, Process, Root

_FOLDER = "/dev/img-ca"  # in a file system of the step: no layer has it
_BUNDLE, _JAVA = f"{_FOLDER}/bundle.pem", f"{_FOLDER}/java.jks"
_APT, _WGET = f"{_FOLDER}/apt.conf", f"{_FOLDER}/wgetrc"
_MODE = 0o444
_VARIABLES = {
    "SSL_CERT_FILE": _BUNDLE,  # OpenSSL, Go, Ruby, .NET, Python's ssl and httpx, uv
    "CURL_CA_BUNDLE": _BUNDLE,
    "REQUESTS_CA_BUNDLE": _BUNDLE,
    "PIP_CERT": _BUNDLE,
    "NODE_EXTRA_CA_CERTS": _BUNDLE,
    "GIT_SSL_CAINFO": _BUNDLE,
    "CARGO_HTTP_CAINFO": _BUNDLE,
    "AWS_CA_BUNDLE": _BUNDLE,
}
# Files that may have more settings of the image: a value of the image stays.
_FILES = {"APT_CONFIG": _APT, "WGETRC": _WGET}
_JAVA_OPTIONS = "JAVA_TOOL_OPTIONS"


class TrustingExecutor(Executor):
    """Another executor; its processes trust ``certificates``.

    The certificates are files outside of the root, which variables name: files of the root would
    be in the way of a step that installs certificates.
    """

    def __init__(self, executor: Executor, certificates: Certificates) -> None:
        self._executor = executor
        self._certificates = certificates

    def require(self) -> None:
        self._executor.require()

    def run(
        self,
        process: Process,
        root: Root,
        output: OutputSink,
        cancelled: Cancellation,
        terminal: Terminal | None = None,
    ) -> ExitStatus:
        trusting = replace(
            process,
            env=_environment(process.env),
            mounts=(*process.mounts, *self._mounts),
        )
        return self._executor.run(trusting, root, output, cancelled, terminal)

    def close(self) -> None:
        self._executor.close()

    @cached_property
    def _mounts(self) -> Sequence[FileMount]:
        contents = {
            _BUNDLE: self._certificates.pem(),
            _JAVA: self._certificates.java_trust_store(),
            _APT: f'Acquire::https::CaInfo "{_BUNDLE}";\n'.encode(),
            _WGET: f"ca_certificate = {_BUNDLE}\n".encode(),
        }
        return [
            FileMount(target=path, content=content, mode=_MODE)
            for path, content in contents.items()
        ]


def _environment(env: Mapping[str, str]) -> Mapping[str, str]:
    store = f"-Djavax.net.ssl.trustStore={_JAVA} -Djavax.net.ssl.trustStorePassword={JAVA_PASSWORD}"
    java = " ".join(filter(None, (env.get(_JAVA_OPTIONS), store)))
    return {**_FILES, **env, **_VARIABLES, _JAVA_OPTIONS: java}
