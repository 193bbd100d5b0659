"""A network of a step's own: --network private."""

import os
import shlex
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.test_interrupted import Sleeper, assert_nothing_left
from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.host.machine import lacking, need_root, program, this_account
from tests.support.host.waiting import wait_until

pytestmark = [pytest.mark.userns, pytest.mark.registry]

_HELLO = b"hello from outside\n"


@pytest.fixture(autouse=True)
def slirp() -> None:
    program("slirp4netns")
    if not Path("/dev/net/tun").exists():
        lacking("no /dev/net/tun")


def with_tun(img: Img, mode: str) -> Img:
    """Return img on a machine with a /dev/net/tun of ``mode``; "" for none."""
    need_root()
    node = f"mknod -m {mode} /dev/net/tun c 10 200 && " if mode else ""
    account = img.account
    identity = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    script = f'mount -t tmpfs tun /dev/net && {node}exec {shlex.join(identity)} "$@"'
    command = ("unshare", "--mount", "/bin/sh", "-c", script, "sh", *img.command)
    return replace(img, command=command, account=this_account())


def outer_address() -> str:
    """Return an address of this machine that is not its loopback's, or end the test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.connect(("192.0.2.1", 9))
        except OSError:
            lacking("no network but loopback")
        return str(any_socket.getsockname()[0])


@contextmanager
def greeter(address: str) -> Iterator[int]:
    """Listen on ``address`` and greet each connection; yield the port."""
    with socket.create_server((address, 0)) as server:

        def greet() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(_HELLO)

        threading.Thread(target=greet, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("who", "executor"),
    [
        ("root", "unshare"),
        ("root", "runc"),
        ("root", "crun"),
        ("user", "unshare"),
        ("user", "crun"),
        ("one-id", "unshare"),
    ],
)
def test_a_step_reaches_the_world_and_not_the_hosts_loopback(
    img_for: ImgFor, write_context: WriteContext, busybox: str, who: str, executor: str
) -> None:
    outside = outer_address()
    with greeter(outside) as port, greeter("127.0.0.1") as inner:
        context = write_context(
            f"""FROM {busybox}
RUN cat /etc/resolv.conf; ls /sys/class/net | sort | tr '\\n' ' '
RUN nc -w 9 {outside} {port} </dev/null && ! nc -w 2 127.0.0.1 {inner} </dev/null \\
 && ! nc -w 2 10.0.2.2 {inner} </dev/null
"""
        )
        img = with_tun(img_for(who), "0666")
        outcome = img("build", "--network", "private", "--executor", executor, "-t", "x", context)

    assert "nameserver 10.0.2.3\n" in outcome.stderr
    assert "lo tap0" in outcome.stderr
    assert outcome.stderr.count(_HELLO.decode()) == 1


@pytest.mark.parametrize(
    ("mode", "remedy"), [("0600", "chmod 0666 /dev/net/tun"), ("", "modprobe tun")]
)
def test_a_user_without_tun_is_told_what_to_do_and_gets_no_other_network(
    img_for: ImgFor, write_context: WriteContext, busybox: str, mode: str, remedy: str
) -> None:
    context = write_context(f"FROM {busybox}\nRUN echo never\n")

    img = with_tun(img_for("user"), mode)
    outcome = img("build", "--network", "private", "-t", "x", context, code=9)

    assert "a network of its own needs /dev/net/tun" in outcome.error_line
    assert remedy in outcome.error_line
    assert "\nnever" not in outcome.stderr


@pytest.mark.parametrize("network", ["none", "private"])
def test_a_step_may_not_take_the_hosts_network_instead(
    img_for: ImgFor, write_context: WriteContext, busybox: str, network: str
) -> None:
    context = write_context(f"FROM {busybox}\nRUN --network=host true\n")

    outcome = img_for("root")("build", "--network", network, "-t", "x", context, code=3)

    assert f"RUN --network=host is not allowed with --network {network}" in outcome.error_line
    assert "--allow network.host" in outcome.stderr


def test_it_may_where_the_command_line_allows_it(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    script = 'RUN --network=host test -n "$(ls /sys/class/net)"\n'
    context = write_context(f"FROM {busybox}\n{script}")

    allowed = ("--network", "none", "--allow", "network.host")
    img_for("root")("build", *allowed, "-t", "x", context)


def test_user_namespaces_are_made_where_they_are_allowed(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    context = write_context(f"FROM {busybox}\nRUN busybox unshare -Ur id -u\n")
    img = img_for("user")

    refused = img("build", "-t", "x", context, code=4)
    img("build", "--allow", "userns", "-t", "x", context)

    assert "unshare(0x10000000): Operation not permitted" in refused.stderr


@pytest.fixture
def sleeper(img_for: ImgFor, busybox: str, write_context: WriteContext) -> Sleeper:
    img = img_for("root")
    length = f"7{img.state.stat().st_ino}.5"
    context = write_context(f"FROM {busybox}\nRUN exec sleep {length}\n")
    return Sleeper(img, context, length, "--network", "private")


def slirps_of(sleeper: Sleeper) -> list[int]:
    """Return the slirp4netns of the step that sleeps."""
    steps = {line.partition(":")[0] for line in sleeper.processes()}
    found = []
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if words[0].endswith("slirp4netns") and steps & set(words):
            found.append(int(process.name))
    return found


def test_a_killed_build_leaves_no_slirp4netns(sleeper: Sleeper) -> None:
    (slirp,) = slirps_of(sleeper)

    sleeper.process.send_signal(signal.SIGKILL)
    sleeper.end()

    assert_nothing_left(sleeper)
    wait_until(lambda: not Path(f"/proc/{slirp}").exists(), "slirp4netns ends")


def test_a_step_that_loses_its_network_ends_with_the_reason(sleeper: Sleeper) -> None:
    (slirp,) = slirps_of(sleeper)

    os.kill(slirp, signal.SIGKILL)
    _, errors = sleeper.end()

    assert sleeper.process.returncode == 9
    assert b"slirp4netns ended" in errors
    assert_nothing_left(sleeper)


def test_the_executor_chroot_refuses_by_name(
    img_for: ImgFor, write_context: WriteContext, busybox: str
) -> None:
    context = write_context(f"FROM {busybox}\nRUN true\n")

    options = ("--network", "private", "--executor", "chroot", "--backend", "naive")
    outcome = img_for("root")("build", *options, "-t", "x", context, code=4)

    assert "the executor chroot cannot make a network (--network=private)" in outcome.error_line


def test_the_host_is_no_gateway_there(img_for: ImgFor, write_context: WriteContext) -> None:
    context = write_context("FROM scratch\n")

    options = ("--network", "private", "--add-host", "me:host-gateway")
    outcome = img_for("root")("build", *options, "-t", "x", context, code=1)

    assert "host-gateway" in outcome.error_line
