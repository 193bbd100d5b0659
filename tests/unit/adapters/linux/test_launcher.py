import os
import socket
from collections.abc import Mapping, Sequence

import pytest

from img.adapters.linux import launcher
from img.adapters.linux.launcher import Program

# As binutils show it (objdump -d) and QEMU runs it: load arguments 1 and 2, call, fall through.
_CODE = {
    "aarch64": (
        "400c80d2 0000a0f2"  # mov x0, #0x62; movk x0, #0x0, lsl #16
        "480080d2 0800a0f2 010000d4"  # mov x8, #0x2; movk; svc #0x0
        "600000b5"  # cbnz x0, 12
        "e003004b 010080d2 0100a2f2 200000b9"  # neg w0, w0; mov x1, #0x10000000; str w0, [x1]
    ),
    "riscv64": (
        "37050000 1b052506"  # lui a0, 0; addiw a0, a0, 98
        "b7080000 9b882800 73000000"  # lui a7, 0; addiw a7, a7, 2; ecall
        "63040500 6f00c000"  # beqz a0, 8; j 12
        "3305a040 b7050010 9b850500 23a0a500"  # neg a0; lui a1, 0x10000; addiw; sw a0, 0(a1)
    ),
}


def run(
    paths: Sequence[str], argv: Sequence[str] = ("it",), env: Mapping[str, str] | None = None
) -> tuple[int, int | None, bytes]:
    """Execute a program by a launcher: return its exit code, the error, what it wrote."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(writable, 1)
            os.dup2(writable, 2)
            file = launcher.new_file()
            program = Program(paths=paths, argv=argv, env=env or {})
            launcher.fill(file, program, theirs.fileno())
            launcher.execute(file, theirs.fileno())
        finally:
            os._exit(99)
    theirs.close()
    os.close(writable)
    with open(readable, "rb") as output, ours:
        text = output.read()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, launcher.error_in(ours.recv(100)), text


def test_the_program_gets_its_arguments_and_its_environment_and_no_more() -> None:
    script = 'printf "%s|" "$0" "$@"; env; readlink /proc/$$/fd/*; exit 3'
    env = {"PATH": os.environ["PATH"], "A": "b c", "EMPTY": "", "OTHER": "ü\udcff"}

    code, error, text = run(["/bin/sh"], ["sh", "-c", script, "0", "1 2", ""], env)

    assert (code, error) == (3, None)
    arguments, _, rest = text.decode("utf-8", "surrogateescape").rpartition("|")
    assert arguments == "0|1 2|"
    seen = dict(line.split("=", 1) for line in rest.splitlines() if "=" in line)
    assert {name: seen.get(name) for name in env} == env
    assert set(seen) <= {*env, "PWD", "OLDPWD", "SHLVL", "_"}
    assert "socket:" not in rest
    assert "memfd:" not in rest


def test_an_error_is_reported() -> None:
    assert run(["/no/such/program"]) == (127, 2, b"")
    assert run(["/etc/passwd"]) == (127, 13, b"")
    assert run(["/bin/true"], ["true", *["x" * 100_000] * 100]) == (127, 7, b"")


def test_the_first_path_that_can_be_executed_is() -> None:
    assert run(["/no/such/program", "/etc/passwd", "/bin/true"]) == (0, None, b"")


def test_a_launcher_runs_once() -> None:
    said = b"img: exec: /proc/self/exe is no program of this root file system\n"

    assert run(["/proc/self/exe"]) == (127, None, said)


def test_what_no_program_can_be_given_is_refused() -> None:
    with pytest.raises(ValueError, match="null byte"):
        launcher.content_of(Program(paths=["/a\0b"], argv=[], env={}), 3)
    with pytest.raises(OSError, match="no program can be made for pdp11"):
        launcher.content_of(Program(paths=["/a"], argv=[], env={}), 3, "pdp11")


@pytest.mark.parametrize("name", _CODE)
def test_other_machines_get_their_instructions(name: str) -> None:
    machine = launcher._MACHINES[name]
    code = machine.load(0, 0x62) + machine.call(2) + machine.skip_if_failed(8)

    assert code + machine.store_error(0x1000_0000) == bytes.fromhex(_CODE[name])


def test_only_a_number_of_four_bytes_is_an_error() -> None:
    assert launcher.error_in((2).to_bytes(4, "little")) == 2
    for message in (b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\2\0\0", b'["Ended",0]'):
        assert launcher.error_in(message) is None
