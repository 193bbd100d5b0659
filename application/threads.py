"""Thread pools for work that waits for disks, processes and networks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from img.application.cancellation import LinkedCancellation, current_cancellation, make_current

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_Result = TypeVar("_Result")


@contextmanager
def threads(most: int, name: str) -> Iterator["ThreadPoolExecutor"]:
    """Enter with a thread pool; wait for its work on leaving.

    The cancellation of the caller is also that of the work. If the caller is interrupted, the work
    is cancelled.
    """
    from concurrent.futures import ThreadPoolExecutor  # takes time to import

    cancelled = LinkedCancellation(current_cancellation())
    pool = ThreadPoolExecutor(most, name, initializer=make_current, initargs=(cancelled,))
    with pool:
        try:
            yield pool
        except Exception:
            raise
        except BaseException:
            cancelled.set()
            raise


def gather(futures: "Sequence[Future[_Result]]") -> list[_Result]:
    """Return the results of all, in order; after a failure, which is raised, none is begun."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
