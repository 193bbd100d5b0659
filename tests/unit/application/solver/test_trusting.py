"""CA certificates of the host in steps, with each executor."""

import threading
from collections.abc import Mapping

from img.adapters.executor.scripted import ScriptedExecutor
from img.application.solver.resolving import ResolvingExecutor
from img.application.solver.trusting import TrustingExecutor
from img.domain.certificates import Certificates
from img.domain.process import DirectoryRoot, ExitStatus, FileMount, Process, Resolver, TmpfsMount

_ONE = Certificates(encoded=(b"0\x03abc",))


def run(env: Mapping[str, str]) -> Process:
    scripted = ScriptedExecutor(lambda *_: ExitStatus(0))
    executor = TrustingExecutor(ResolvingExecutor(scripted, Resolver(servers=("::1",))), _ONE)
    process = Process(argv=("true",), env=env, mounts=(TmpfsMount(target="/t"),))
    executor.run(process, DirectoryRoot(path="/"), lambda *_: None, threading.Event())
    return scripted.processes[0]


def test_files_outside_of_the_root_are_named_by_variables() -> None:
    process = run({"A": "1"})

    files = {each.target: each for each in process.mounts if isinstance(each, FileMount)}
    assert all(path.startswith("/dev/") and each.mode == 0o444 for path, each in files.items())
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"):
        assert files[process.env[name]].content == _ONE.pem()
    assert process.env["SSL_CERT_FILE"].encode() in files[process.env["APT_CONFIG"]].content
    assert process.env["A"] == "1"
    assert TmpfsMount(target="/t") in process.mounts
    assert process.resolver == Resolver(servers=("::1",))


def test_variables_of_the_image_stay_unless_they_name_certificates() -> None:
    env = run({"SSL_CERT_FILE": "/x", "WGETRC": "/w", "JAVA_TOOL_OPTIONS": "-Xmx1g"}).env

    assert env["SSL_CERT_FILE"] == env["CURL_CA_BUNDLE"] != "/x"
    assert env["WGETRC"] == "/w"
    assert env["JAVA_TOOL_OPTIONS"].startswith("-Xmx1g -Djavax.net.ssl.trustStore=/dev/")
