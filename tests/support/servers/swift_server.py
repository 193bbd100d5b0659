"""OpenStack's Swift with one device, and its S3 interface (docs.openstack.org/swift, "SAIO")."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.host.machine import installed_server
from tests.support.servers.free_port import free_port

_PIPELINE = "catch_errors memcache s3api tempauth copy slo dlo symlink proxy-server"
_KINDS = ("object", "container", "account")
_STARTS_S = 60.0


@contextmanager
def swift() -> Iterator[str]:
    """Enter with the URL for S3; the key is "test:tester", the secret "testing"."""
    programs = {kind: installed_server(f"swift-{kind}-server") for kind in (*_KINDS, "proxy")}
    ports = {kind: free_port() for kind in programs}
    place = Path(tempfile.mkdtemp(prefix="img-swift-"))
    try:
        with ExitStack() as started:
            (place / "devices" / "d1").mkdir(parents=True)
            (place / "swift.conf").write_text(
                "[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n"
                "[storage-policy:0]\nname = one\ndefault = yes\n"
            )
            for kind in _KINDS:
                _make_ring(place, kind, ports[kind])
            servers = {
                kind: _start(started, path, _configure(place, kind, ports[kind]))
                for kind, path in programs.items()
            }
            for kind, server in servers.items():
                _wait(server, ports[kind], place / f"{kind}.log")
            yield f"http://127.0.0.1:{ports['proxy']}"
    finally:
        shutil.rmtree(place)


def _make_ring(place: Path, kind: str, port: int) -> None:
    """Make a ring with one device and one copy of each object."""
    steps = (["create", "4", "1", "1"], ["add", f"r1z1-127.0.0.1:{port}/d1", "1"], ["rebalance"])
    for words in steps:
        command = [installed_server("swift-ring-builder"), f"{kind}.builder", *words]
        subprocess.run(
            command, cwd=place, check=True, capture_output=True, stdin=subprocess.DEVNULL
        )


def _configure(place: Path, kind: str, port: int) -> Path:
    default = {
        "bind_ip": "127.0.0.1",
        "bind_port": port,
        "swift_dir": place,
        "devices": place / "devices",
        "mount_check": "false",
        "workers": 0,
        "user": "",
    }
    sections: dict[str, Mapping[str, object]] = {"DEFAULT": default}
    if kind == "proxy":
        sections["pipeline:main"] = {"pipeline": _PIPELINE}
        sections["app:proxy-server"] = {"use": "egg:swift#proxy", "account_autocreate": "true"}
        for name in _PIPELINE.split()[:-1]:
            sections[f"filter:{name}"] = {"use": f"egg:swift#{name}"}
        sections["filter:tempauth"] = {
            "use": "egg:swift#tempauth",
            "user_test_tester": "testing .admin",
        }
    else:
        sections["pipeline:main"] = {"pipeline": f"{kind}-server"}
        sections[f"app:{kind}-server"] = {"use": f"egg:swift#{kind}"}
    path = place / f"{kind}.conf"
    path.write_text(
        "".join(
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
            for name, values in sections.items()
        )
    )
    return path


def _start(started: ExitStack, program: str, configuration: Path) -> "subprocess.Popen[bytes]":
    with configuration.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [program, str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    started.callback(process.wait)
    started.callback(process.terminate)
    return process


def _wait(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + _STARTS_S
    while server.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(log.read_text()[-2000:])
