"""A process of img in a root that an image made takes nothing from that root."""

import ctypes
import linecache
import os
import traceback
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from img.adapters.executor import (
    chroot_watcher,
    emulated_identity,
    first_process,
    proc_supervision,
)
from img.adapters.executor.fork_server_executor import ForkServerExecutor
from img.adapters.executor.unshare import UnshareLauncher
from img.adapters.linux import capabilities
from img.adapters.syscall_supervisor.dispatcher import Dispatcher
from img.adapters.syscall_supervisor.root.level import Emulation
from img.application.ports.executor import Executor, ExecutorUnavailable, ProcessNotStarted
from img.domain.errors import ImgError
from tests.security.traps import Traps, traps_in
from tests.support.host.kinds import there_is_one_id
from tests.support.steps.executors import executor_named
from tests.support.steps.step_roots import StepRoot, Steps, in_env, step_root
from tests.support.steps.system_call import program_that_calls

pytestmark = pytest.mark.userns
# With a supervisor and without; img enters a root in the same way at the other two levels.
_LEVELS = Emulation if "IMG_TESTS_ALL" in os.environ else (Emulation.FULL, Emulation.FAKE)
EMULATED = [pytest.param(level.value, marks=pytest.mark.one_id) for level in _LEVELS]
ENTERING = ("unshare", "chroot", *EMULATED)  # those of which a process enters the root


def executor_of(kind: str, *, patched: bool = False) -> Executor:
    if kind in {level.value for level in Emulation}:
        return ForkServerExecutor(UnshareLauncher(Emulation(kind)))
    if kind == "unshare" and there_is_one_id():
        pytest.skip("each level of emulation has a test of its own")
    return executor_named(kind, patched=patched)


@pytest.fixture(params=ENTERING)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root() -> Iterator[StepRoot]:
    with step_root("directory") as made:
        yield made


@pytest.fixture
def traps(root: StepRoot, tmp_path: Path) -> Iterator[Traps]:
    marker = root.changed / "tmp" / "marker"
    marker.parent.mkdir(exist_ok=True)
    with traps_in(root.changed, marker) as traps:
        yield traps


# --- what it must not do, done on purpose ---


def _import() -> None:
    import img_trap  # type: ignore[import-not-found] # noqa: F401


def _encode() -> None:
    "".encode("img-trap")


def _look_for_a_line() -> None:
    linecache.clearcache()
    linecache.getline(first_process.__file__, 1)


def _print_a_traceback() -> None:
    linecache.clearcache()
    try:
        raise KeyError("any")
    except KeyError:
        traceback.format_exc()


def _read_a_zone() -> None:
    zoneinfo.ZoneInfo("Etc/Trap")


def _load_a_library() -> None:
    ctypes.CDLL("libimgtrap.so")


def _open_a_file() -> None:
    with open("/etc/passwd"):
        raise AssertionError("opened")


def _resolve_a_name() -> None:
    import socket

    socket.getaddrinfo("trap.example", 80)


FORBIDDEN = [
    _import,
    _encode,
    _look_for_a_line,
    _print_a_traceback,
    _read_a_zone,
    _load_a_library,
    _open_a_file,
    _resolve_a_name,
]


def _raise(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    act.__name__ = type(error).__name__
    return act


RAISED = [
    _raise(RuntimeError("a bug")),
    _raise(UnicodeEncodeError("img-trap", "\udc80", 0, 1, "no")),
    _raise(OverflowError("a number")),
    _raise(RecursionError("deep")),
    _raise(MemoryError()),
    _raise(KeyboardInterrupt()),
    _raise(SystemExit(0)),
]


def stage_of(kind: str) -> list[tuple[object, str]]:
    """Return the functions that run after the root was entered, in order."""
    if kind == "unshare":
        module = first_process
        return [
            (module, "take_identity"),
            (module, "enter_directory"),
            (module, "_set_ids"),
            (module, "find_executable"),
        ]
    if kind == "chroot":
        return [
            (chroot_watcher, "take_identity"),
            (proc_supervision, "confine"),
            (capabilities, "keep_only"),
            (chroot_watcher, "execute"),
        ]
    return [
        (first_process, "enter_directory"),
        (emulated_identity, "_load_filter"),
        (first_process, "find_executable"),
    ]


def run_with(
    kind: str,
    root: StepRoot,
    monkeypatch: pytest.MonkeyPatch,
    place: tuple[object, str],
    act: object,
) -> tuple[str, Steps]:
    """Run a step of which ``act`` takes the place of a function; return how it ended."""
    with monkeypatch.context() as patched:
        patched.setattr(*place, lambda *_, **__: act())  # type: ignore[operator]
        executor = executor_of(kind, patched=True)
    steps = Steps(executor, root)
    try:
        return f"exit code {steps.run(['/bin/true']).code}", steps
    except (ImgError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}", steps
    finally:
        executor.close()


@pytest.mark.parametrize("act", FORBIDDEN, ids=lambda act: act.__name__)
def test_a_process_in_the_root_ends_where_python_would_open_a_file(
    kind: str,
    act: Callable[[], None],
    root: StepRoot,
    traps: Traps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = stage_of(kind)[-1]

    ended, _ = run_with(kind, root, monkeypatch, place, act)

    assert not traps.sprung()
    assert "in a foreign root" in ended


@pytest.mark.parametrize("act", RAISED, ids=lambda act: act.__name__)
def test_whatever_is_raised_in_the_root_ends_the_step_with_a_word(
    kind: str,
    act: Callable[[], None],
    root: StepRoot,
    traps: Traps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in stage_of(kind):
        ended, _ = run_with(kind, root, monkeypatch, place, act)

        assert "exit code" not in ended, (place, ended)
        assert not traps.sprung(), place


@pytest.mark.parametrize("act", [*FORBIDDEN, *RAISED], ids=lambda act: act.__name__)
@pytest.mark.parametrize("kind", ["chroot", pytest.param("full", marks=pytest.mark.one_id)])
def test_who_answers_calls_takes_nothing_from_the_root_either(
    kind: str,
    act: Callable[[], None],
    root: StepRoot,
    traps: Traps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended, _ = run_with(kind, root, monkeypatch, (Dispatcher, "attend"), act)

    assert not traps.sprung()
    assert "exit code 0" not in ended


def test_a_step_may_open_what_it_likes(kind: str, root: StepRoot, traps: Traps) -> None:
    executor = executor_of(kind)
    try:
        Steps(executor, root).sh(f"cat {Path(os.__file__).parent}/img_trap.py")
    finally:
        executor.close()
    assert traps.sprung()


# --- numbers and texts of images ---


EVERY = ("unshare", "crun", "runc", "chroot", pytest.param("proot", marks=pytest.mark.plain_user))


@pytest.fixture(params=EVERY)
def steps(request: pytest.FixtureRequest, root: StepRoot, traps: Traps) -> Iterator[Steps]:
    executor = executor_named(request.param)
    try:
        yield Steps(executor, root)
    finally:
        executor.close()


@pytest.mark.parametrize("uid", ["9999999999", "4294967295", "4294967296", "-1"])
def test_a_user_with_an_impossible_number_is_refused(steps: Steps, traps: Traps, uid: str) -> None:
    steps.root.write("etc/passwd", f"evil:x:{uid}:0::/:/bin/sh\n")

    with pytest.raises(ImgError):
        steps.run(["/bin/true"], process=in_env(user="evil"))
    assert not traps.sprung()


@pytest.mark.parametrize(
    "cwd", ["/\udc80", "/x" * 3000, "/" + "x" * 300, "/bin/busybox", "/loop/x"], ids=ascii
)
def test_a_working_directory_that_is_none_is_refused(steps: Steps, traps: Traps, cwd: str) -> None:
    steps.root.link("loop", "loop")
    try:
        steps.run(["/bin/true"], process=in_env(cwd=cwd))
    except (ProcessNotStarted, ExecutorUnavailable):
        assert cwd != "/\udc80"
    else:
        assert cwd == "/\udc80"
    assert not traps.sprung()


@pytest.mark.parametrize(
    "argv", [[""], ["/bin/true", "\ud800"], ["/bin/true", "x" * (1 << 23)], ["/x" * 3000]], ids=len
)
def test_words_that_no_program_can_be_given_are_refused(
    steps: Steps, traps: Traps, argv: list[str]
) -> None:
    with suppress(ImgError):
        assert not steps.run(argv).success
    assert not traps.sprung()


@pytest.mark.parametrize("env", [{"A=B": "c"}, {"": ""}, {"A": "\ud800"}], ids=ascii)
def test_an_environment_that_is_none_is_refused(
    steps: Steps, traps: Traps, env: dict[str, str]
) -> None:
    with suppress(ImgError):
        steps.run(["/bin/true"], process=in_env(env=env))
    assert not traps.sprung()


FLAGS = (0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF, 0x4000_0000)


@pytest.mark.parametrize("user", ["", "1000"])
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("path", [b"/proc/self/status", b"/made"])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="its programs are x86-64's")
def test_flags_that_are_none_make_a_call_fail_and_nothing_else(
    kind: str, root: StepRoot, traps: Traps, user: str, flags: int, path: bytes
) -> None:
    for number, extra in enumerate((0, os.O_CREAT | os.O_WRONLY)):
        program = root.changed / f"call{number}"
        arguments = (0xFFFF_FF9C, -1, flags | extra, 0o7777_7777)
        program.write_bytes(program_that_calls(257, arguments, text=path))  # openat
        program.chmod(0o755)
    executor = executor_of(kind)
    try:
        steps = Steps(executor, root)
        if kind == Emulation.OFF.value:
            user = ""  # there is no other user
        said = steps.sh("/call0; /call1; echo still here", in_env(user=user))
    finally:
        executor.close()
    assert said == "still here\n"
    assert not traps.sprung()
