"""Random faults for the requests of one run, the same for the same seed."""

import random
from collections.abc import Callable

from tests.support.servers.fault_proxy import Choose, Exchange, Fault, Line
from tests.support.servers.network_faults import (
    Cut,
    CutUpload,
    Endless,
    Flip,
    FlipUpload,
    Garbage,
    Header,
    Say,
    Slow,
    Stall,
    WithoutRange,
)

_PRIVATE = "http://10.1.2.3/v2/"
_REALM = f'Bearer realm="{_PRIVATE}token",service="s"'
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

Make = Callable[[random.Random, Exchange], Fault]


class LostAnswer:
    """The registry does its work, and its answer gets lost."""

    def __repr__(self) -> str:
        return "LostAnswer()"

    def __call__(self, line: Line) -> None:
        line.forward(answer_limit=0)


def _passing(dice: random.Random, _exchange: Exchange) -> Fault:
    status = dice.choice([408, 429, 499, 500, 502, 503, 504, 522])
    wait = dice.choice(["", "0", "1", "3600", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
    return Say(status, (("Retry-After", wait),) if wait else ())


def _refusal(dice: random.Random, _exchange: Exchange) -> Fault:
    if dice.random() < 0.3:
        return Say(401, (("WWW-Authenticate", dice.choice([_REALM, "Bearer", "", "???"])),))
    body = dice.choice([b"", b'{"errors":[{"code":"DENIED","message":"no"}]}', b"<html>", b"[]"])
    return Say(dice.choice([400, 403, 404, 405, 410, 413, 416, 418]), (), body)


def _nonsense(dice: random.Random, exchange: Exchange) -> Fault:
    if dice.random() < 0.3:
        return Garbage(dice.randrange(1000))
    body = dice.choice([b"", b"{}", b"null", b'{"schemaVersion":1}', b"\xff" * 100])
    headers = (("Content-Type", dice.choice([_MANIFEST, "text/html", ""])),)
    return Say(dice.choice([200, 201, 202, 204, 206, 304]), headers, body)


def _redirect(dice: random.Random, exchange: Exchange) -> Fault:
    where = dice.choice([exchange.path, "/elsewhere", f"{_PRIVATE}x", "ftp://nowhere/", ""])
    return Say(dice.choice([301, 302, 307, 308]), (("Location", where),))


def _break(dice: random.Random, _exchange: Exchange) -> Fault:
    after = dice.choice([0, dice.randrange(400), dice.randrange(200_000)])
    return dice.choice([Cut(after), Cut(after, rude=True)])


def _delay(dice: random.Random, _exchange: Exchange) -> Fault:
    if dice.random() < 0.2:
        return Stall(dice.choice([0, dice.randrange(100_000)]))
    return Slow(0.002)


def _lie(dice: random.Random, _exchange: Exchange) -> Fault:
    name, values = dice.choice(
        [
            ("Content-Length", ["0", "1", "70000", "100000000", "-1", "x"]),
            ("Content-Type", ["text/html", "application/json", ""]),
            ("Docker-Content-Digest", ["sha256:" + "0" * 64, "sha256:xyz", ""]),
            ("Content-Range", ["bytes 0-9/10", "bytes 5-/*", "x", ""]),
            ("Content-Encoding", ["gzip", "deflate", "br"]),
            ("Transfer-Encoding", ["chunked"]),
            ("Location", ["", "/nowhere", f"{_PRIVATE}u", "http://[::1/", "//", "http://a:99999/"]),
            ("Range", ["0-0", "0-10", "0-99999999", "x", ""]),
        ]
    )
    return Header(name, dice.choice(values))


def _flip(dice: random.Random, _exchange: Exchange) -> Fault:
    return Flip(dice.choice([dice.randrange(300), dice.randrange(150_000)]))


def _endless(dice: random.Random, _exchange: Exchange) -> Fault:
    return Endless((("Content-Type", _MANIFEST),), dice.choice([b"\0", b" ", b"["]))


def _upload(dice: random.Random, _exchange: Exchange) -> Fault:
    at = dice.choice([0, 1, dice.randrange(40_000)])
    faults: list[Fault] = [CutUpload(at), CutUpload(at), FlipUpload(at), LostAnswer(), LostAnswer()]
    return dice.choice(faults)


def _without_range(_dice: random.Random, _exchange: Exchange) -> Fault:
    return WithoutRange()


_ANYWHERE: list[Make] = [_passing, _passing, _refusal, _nonsense, _redirect, _break, _delay, _lie]


def _fault(dice: random.Random, exchange: Exchange) -> Fault:
    makes: list[Make] = list(_ANYWHERE)
    if exchange.method == "GET":
        makes += [_flip, _break, _break, _lie]
        if dice.random() < 0.3:
            makes += [_endless]
        if "range" in exchange.headers:
            makes += [_without_range]
    if exchange.method in {"PUT", "PATCH"}:
        makes += [_upload] * 6
    make: Make = dice.choice(makes)
    return make(dice, exchange)


def random_faults(seed: int, requests: int) -> Choose:
    """Return faults for one to three of the first ``requests``, or for all from one on."""
    dice = random.Random(seed)
    lasting = dice.random() < 0.15
    chosen = set(dice.sample(range(requests), dice.randint(1, 3)))
    count = 0

    def choose(exchange: Exchange) -> Fault | None:
        nonlocal count
        number, count = count, count + 1
        if number in chosen or (lasting and number > min(chosen)):
            return _fault(dice, exchange)
        return None

    return choose
