import itertools
import threading
from collections.abc import Iterator

import pytest

from img.adapters.layer_archive.threads import Feeder, ReadAhead


def test_chunks_come_in_order() -> None:
    chunks = [bytes([number]) for number in range(100)]
    ahead = ReadAhead(iter(chunks))
    assert list(ahead) == chunks
    ahead.close()


def test_an_error_comes_after_the_chunks_before_it() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"1"
        raise KeyError("x")

    ahead = ReadAhead(chunks())
    assert next(ahead) == b"1"
    with pytest.raises(KeyError):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)


def test_an_endless_source_can_be_closed() -> None:
    ahead = ReadAhead(itertools.repeat(b"x"))
    next(ahead)
    ahead.close()
    with pytest.raises(StopIteration):
        next(ahead)


def test_a_feeder_hands_over_everything_before_it_finishes() -> None:
    taken: list[bytes] = []
    feeder = Feeder(taken.append, "test")
    for number in range(100):
        feeder.put(bytes([number]))
    feeder.finish()
    assert taken == [bytes([number]) for number in range(100)]


def test_a_feeder_without_chunks_starts_no_thread() -> None:
    taken: list[bytes] = []
    feeder = Feeder(taken.append, "test")
    assert all(thread.name != "test" for thread in threading.enumerate())
    feeder.finish()
    feeder.stop()
    assert not taken


def test_a_feeder_never_hangs_after_a_failure() -> None:
    def fail(chunk: bytes) -> None:
        raise KeyError(chunk)

    feeder = Feeder(fail, "test")
    with pytest.raises(KeyError):
        for _ in range(100):
            feeder.put(b"x")
    with pytest.raises(KeyError):
        feeder.finish()
    feeder.stop()
