"""Faults that a FaultProxy can make."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.servers.fault_proxy import Choose, Exchange, Fault, Line, head_of

_BLOCK = 64 * 1024
_ENDLESS = 48 << 20  # bytes of an answer without end


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends after so many bytes of the answer, its head among them."""

    after: int
    rude: bool = False  # with a reset

    def __call__(self, line: Line) -> None:
        line.forward(answer_limit=self.after)
        if self.rude:
            line.reset()


@dataclass(frozen=True, slots=True)
class CutBody:
    """The connection ends after so many bytes of the answer's body."""

    after: int

    def __call__(self, line: Line) -> None:
        def nothing_after(offset: int, data: bytes) -> bytes:
            left = max(self.after - offset, 0)
            if left < len(data):
                line.client.sendall(data[:left])
                line.exchange.received += left
                raise BrokenPipeError
            return data

        line.forward(alter=nothing_after)


@dataclass(frozen=True, slots=True)
class CutUpload:
    """The connection ends, on both sides, after so many bytes of the request's body."""

    after: int

    def __call__(self, line: Line) -> None:
        line.forward(body_limit=self.after)


@dataclass(frozen=True, slots=True)
class Stall:
    """After so many bytes of the answer nothing more comes."""

    after: int

    def __call__(self, line: Line) -> None:
        line.forward(answer_limit=self.after)
        line.wait_for_hang_up()


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes slowly."""

    pause_s: float

    def __call__(self, line: Line) -> None:
        line.forward(pause_s=self.pause_s)


@dataclass(frozen=True, slots=True)
class Say:
    """The registry seems to answer so; it never hears of the request."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __call__(self, line: Line) -> None:
        line.say(self.status, dict(self.headers), self.body)


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that are no HTTP."""

    seed: int

    def __call__(self, line: Line) -> None:
        line.say_raw(random.Random(self.seed).randbytes(300))


@dataclass(frozen=True, slots=True)
class Endless:
    """An answer that does not end."""

    headers: tuple[tuple[str, str], ...] = ()
    fill: bytes = b"\0"

    def __call__(self, line: Line) -> None:
        line.say_raw(head_of("HTTP/1.1 200 OK", dict(self.headers)))
        for _ in range(_ENDLESS // _BLOCK):
            line.client.sendall(self.fill * _BLOCK)


@dataclass(frozen=True, slots=True)
class Flip:
    """A bit of the answer's body is another, if it is that long."""

    at: int

    def __call__(self, line: Line) -> None:
        line.forward(alter=lambda offset, data: _flipped(data, self.at - offset))


@dataclass(frozen=True, slots=True)
class FlipUpload:
    """A bit of the request's body is another, if it is that long."""

    at: int

    def __call__(self, line: Line) -> None:
        line.forward(alter_up=lambda offset, data: _flipped(data, self.at - offset))


@dataclass(frozen=True, slots=True)
class Header:
    """A header of the answer is another; "" takes it away."""

    name: str
    value: str

    def __call__(self, line: Line) -> None:
        def change(headers: Mapping[str, str]) -> Mapping[str, str]:
            others = {k: v for k, v in headers.items() if k.lower() != self.name.lower()}
            return {**others, self.name: self.value} if self.value else others

        line.forward(change=change)


@dataclass(frozen=True, slots=True)
class WithoutRange:
    """The registry seems not to support ranges."""

    def __call__(self, line: Line) -> None:
        line.exchange.headers.pop("range", None)
        line.forward()


def _flipped(data: bytes, at: int) -> bytes:
    if not 0 <= at < len(data):
        return data
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def once(fault: Fault, method: str, part_of_path: str, *, skip: int = 0) -> Choose:
    """Return a rule that makes ``fault`` of one such request, after ``skip`` others."""
    seen = 0
    lock = threading.Lock()

    def choose(exchange: Exchange) -> Fault | None:
        nonlocal seen
        if exchange.method != method or part_of_path not in exchange.path:
            return None
        with lock:
            seen += 1
            return fault if seen == skip + 1 else None

    return choose
