"""A small generated ELF program that executes another program.

The process that starts a step runs Python until the step's program runs, and execve(2) reads that
program's interpreters before it replaces Python: a chain of "#!" lines, or the PT_INTERP of an ELF
file, that ends at /proc/self/exe would run the host's Python in the step, which then could change a
file of the host (CVE-2019-5736). So the process executes this program first: from then on
/proc/self/exe is a file in memory that belongs to the step alone.

No compiler is needed: the few instructions are assembled here (Linux psABIs; syscall(2)).
"""

import errno
import os
import struct
import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NoReturn, Protocol

from img.adapters.linux import small_files
from img.domain.dataclass import compile_initializer, dataclass

# The addresses of the two mappings of the whole file: one executable, one writable.
_CODE_AT, _DATA_AT = 0x40_0000, 0x1000_0000
_MOST = 0x800_0000  # bytes of data
_PAGE = 0x1_0000  # the largest page size of Linux
_FILE_HEADER, _PROGRAM_HEADER = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
_HEADERS = 3
_DATA_OFFSET = _FILE_HEADER.size + _HEADERS * _PROGRAM_HEADER.size
_PT_LOAD, _PT_GNU_STACK = 1, 0x6474_E551
_READ, _WRITE, _EXECUTE = 4, 2, 1
_F_SETFD, _FD_CLOEXEC = 2, 1
_MFD_CLOEXEC, _MFD_EXEC = 0x1, 0x10  # the second since Linux 6.3
_NOT_STARTED = 127
_AGAIN = b"img: exec: /proc/self/exe is no program of this root file system\n"
_FIRST_DATA = bytes(8) + _AGAIN.ljust(72, b"\0")
_ERROR_AT = _DATA_AT + _DATA_OFFSET
_AGAIN_AT = _ERROR_AT + 8
_TEXTS_AT = _ERROR_AT + len(_FIRST_DATA)


class _Machine(Protocol):
    """The machine instructions that the program needs; ``argument`` is the index of an argument."""

    number: int  # e_machine
    fcntl: int
    write: int
    execve: int
    exit_group: int

    @abstractmethod
    def load(self, argument: int, value: int) -> bytes:
        """Load a number below 2**31 into an argument register."""

    @abstractmethod
    def call(self, number: int) -> bytes:
        """Make a system call."""

    @abstractmethod
    def skip_if_failed(self, skipped: int) -> bytes:
        """Skip the next ``skipped`` bytes unless the last call returned 0."""

    @abstractmethod
    def store_error(self, address: int) -> bytes:
        """Store the error of the last call, four bytes; this clobbers the argument registers."""


class _X86(_Machine):
    number, fcntl, write, execve, exit_group = 62, 72, 1, 59, 231

    def load(self, argument: int, value: int) -> bytes:
        return struct.pack("<BI", (0xBF, 0xBE, 0xBA)[argument], value)  # mov edi|esi|edx, value

    def call(self, number: int) -> bytes:
        return struct.pack("<BIH", 0xB8, number, 0x050F)  # mov eax, number; syscall

    def skip_if_failed(self, skipped: int) -> bytes:
        return b"\x48\x85\xc0\x0f\x85" + struct.pack("<i", skipped)  # test rax, rax; jnz

    def store_error(self, address: int) -> bytes:
        return b"\xf7\xd8\x89\x04\x25" + struct.pack("<I", address)  # neg eax; mov [address], eax


class _Generic(_Machine):
    """An architecture with the numbers of asm-generic/unistd.h and instructions of four bytes."""

    fcntl, write, execve, exit_group = 25, 64, 221, 94


class _Arm(_Generic):
    number = 183

    def load(self, argument: int, value: int) -> bytes:
        low, high = value & 0xFFFF, value >> 16
        words = (0xD280_0000 | low << 5 | argument, 0xF2A0_0000 | high << 5 | argument)
        return struct.pack("<II", *words)  # movz; movk, lsl 16

    def call(self, number: int) -> bytes:
        return self.load(8, number) + struct.pack("<I", 0xD400_0001)  # svc 0

    def skip_if_failed(self, skipped: int) -> bytes:
        return struct.pack("<I", 0xB500_0000 | (skipped // 4 + 1) << 5)  # cbnz x0

    def store_error(self, address: int) -> bytes:
        negated, stored = 0x4B00_03E0, 0xB900_0020  # sub w0, wzr, w0; str w0, [x1]
        return struct.pack("<I", negated) + self.load(1, address) + struct.pack("<I", stored)


class _RiscV(_Generic):
    number = 243
    _FIRST = 10  # a0

    def load(self, argument: int, value: int) -> bytes:
        register = self._FIRST + argument
        high = (value + 0x800) >> 12
        low = (value - (high << 12)) & 0xFFF
        words = (
            high << 12 | register << 7 | 0x37,
            low << 20 | register << 15 | register << 7 | 0x1B,
        )
        return struct.pack("<II", *words)  # lui; addiw

    def call(self, number: int) -> bytes:
        return self.load(7, number) + struct.pack("<I", 0x73)  # ecall

    def skip_if_failed(self, skipped: int) -> bytes:
        over_jump = 0x0005_0463  # beq a0, zero, 8
        offset = skipped + 4
        jump = (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3FF) << 21
        jump |= (offset >> 11 & 1) << 20 | (offset >> 12 & 0xFF) << 12 | 0x6F  # jal zero
        return struct.pack("<II", over_jump, jump)

    def store_error(self, address: int) -> bytes:
        negated, stored = 0x40A0_0533, 0x00A5_A023  # sub a0, zero, a0; sw a0, 0(a1)
        return struct.pack("<I", negated) + self.load(1, address) + struct.pack("<I", stored)


_MACHINES: Mapping[str, _Machine] = {"x86_64": _X86(), "aarch64": _Arm(), "riscv64": _RiscV()}
_HERE = os.uname().machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program to execute: the first of ``paths`` that can be executed."""

    paths: Sequence[str]
    argv: Sequence[str]
    env: Mapping[str, str]


def new_file() -> int:
    """Return a descriptor of a new empty file in memory; call it before limits are set.

    Raises OSError.
    """
    try:
        return os.memfd_create("img-start", _MFD_CLOEXEC | _MFD_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create("img-start", _MFD_CLOEXEC)


def fill(file: int, program: Program, report: int, *, inherited: bool = False) -> None:
    """Write the result of ``content_of`` into ``file``. Raises ValueError, OSError.

    ``inherited``: another program executes the file by its descriptor, which is then closed too.
    """
    small_files.write(file, content_of(program, report, also=file if inherited else None))


def execute(file: int, report: int) -> NoReturn:
    """Execute the program that ``fill`` wrote into ``file``. Raises OSError if that fails."""
    os.set_inheritable(report, True)
    os.execve(file, ("img",), {})


def content_of(
    program: Program, report: int, machine: str = _HERE, *, also: int | None = None
) -> bytes:
    """Return an ELF file that executes ``program``.

    If that fails, the ELF program sends the error to the descriptor ``report``, in four bytes
    (``error_in``). The descriptor must be open when the file is executed, and is closed when
    ``program`` is executed: so the file runs only once. If it is executed again, as the interpreter
    of ``program``, it reports that and exits. The descriptor ``also`` is closed as well.

    Raises ValueError for a zero byte, OSError for an unknown machine.
    """
    frame = frame_for(machine, len(program.paths))
    env = [f"{name}={value}" for name, value in program.env.items()]
    texts = os.fsencode("\0".join([*program.paths, *program.argv, *env]))
    addresses, end = [], _TEXTS_AT
    for text in texts.split(b"\0"):
        addresses.append(end)
        end += len(text) + 1
    if len(addresses) != len(program.paths) + len(program.argv) + len(env):
        raise ValueError("embedded null byte")
    if len(texts) > _MOST:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    arrays_at = end + -end % 8
    paths = addresses[: len(program.paths)]
    argv = addresses[len(paths) : len(paths) + len(program.argv)]
    arrays = (*argv, 0, *addresses[len(paths) + len(argv) :], 0)
    env_at = arrays_at + 8 * (len(argv) + 1)
    code = frame.code(report, [(path, arrays_at, env_at) for path in paths])
    if also is not None:
        code = frame.closing(also) + code
    data = b"".join(
        (_FIRST_DATA, texts, bytes(arrays_at - end + 1), struct.pack(f"<{len(arrays)}Q", *arrays))
    )
    return _headers(frame.machine.number, len(data), len(code)) + data + code


def prepare() -> None:
    """Prepare once what all forks of this process need to execute programs. Raises OSError."""
    compile_initializer(Program)
    content_of(Program(paths=("/",), argv=("a",), env={"A": ""}), 3)


def error_in(message: bytes) -> int | None:
    """Return the error in a message of the ELF program, None if the message is something else."""
    number = int.from_bytes(message, sys.byteorder)
    return number if len(message) == 4 and 0 < number < 4096 else None


class _Frame:
    """The instructions that all programs with the same number of paths have in common.

    They are generated before a fork: a forked process has to copy each page that it touches first.
    """

    def __init__(self, machine: _Machine, paths: int) -> None:
        self.machine = machine
        end = machine.load(0, _NOT_STARTED) + machine.call(machine.exit_group)
        again = (2, _AGAIN_AT, len(_AGAIN))
        self._again = self._loaded(*again) + machine.call(machine.write) + end
        self._execute = machine.call(machine.execve)
        self._failed = machine.store_error(_ERROR_AT)
        self._tell = machine.load(1, _ERROR_AT) + machine.load(2, 4)
        self._tell += machine.call(machine.write) + end
        self._begin = machine.load(1, _F_SETFD) + machine.load(2, _FD_CLOEXEC)
        self._begin += machine.call(machine.fcntl)
        # The descriptor is closed by the execution of the program.
        self._begin += machine.skip_if_failed(len(self._run(0, [(0, 0, 0)] * paths)))

    def closing(self, descriptor: int) -> bytes:
        """Return the instructions that set a descriptor to be closed on execution."""
        machine = self.machine
        return self._loaded(descriptor, _F_SETFD, _FD_CLOEXEC) + machine.call(machine.fcntl)

    def code(self, report: int, calls: Sequence[tuple[int, int, int]]) -> bytes:
        """Return the complete code, for calls of execve(2) with those arguments."""
        return b"".join(
            (self.machine.load(0, report), self._begin, self._run(report, calls), self._again)
        )

    def _run(self, report: int, calls: Sequence[tuple[int, int, int]]) -> bytes:
        tries = b"".join([self._loaded(*call) + self._execute for call in calls])
        return tries + self._failed + self.machine.load(0, report) + self._tell

    def _loaded(self, first: int, second: int, third: int) -> bytes:
        load = self.machine.load
        return load(0, first) + load(1, second) + load(2, third)


@cache
def frame_for(machine: str, paths: int = 1) -> _Frame:
    """Return the frame for programs with that many paths, cached for a process and its forks.

    Raises OSError for an unknown machine.
    """
    if machine not in _MACHINES:
        raise OSError(errno.ENOSYS, f"no program can be made for {machine}")
    return _Frame(_MACHINES[machine], paths)


def _headers(number: int, data: int, code: int) -> bytes:
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")  # 64 bits, little-endian
    executable, version, flags = 2, 1, 0
    sizes = (_FILE_HEADER.size, _PROGRAM_HEADER.size, _HEADERS, 0, 0, 0)
    entry = _CODE_AT + _DATA_OFFSET + data
    file = _FILE_HEADER.pack(
        ident, executable, number, version, entry, _FILE_HEADER.size, 0, flags, *sizes
    )
    whole = _DATA_OFFSET + data + code
    stack = _PROGRAM_HEADER.pack(_PT_GNU_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16)
    return (
        file
        + _mapped(_READ | _EXECUTE, _CODE_AT, whole)
        + _mapped(_READ | _WRITE, _DATA_AT, whole)
        + stack
    )


def _mapped(rights: int, address: int, size: int) -> bytes:
    return _PROGRAM_HEADER.pack(_PT_LOAD, rights, 0, address, address, size, size, _PAGE)
