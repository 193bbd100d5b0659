"""Thread pools for work that waits for disks, processes and networks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_Result = TypeVar("_Result")


def threads(most: int, name: str) -> "ThreadPoolExecutor":
    """Return a thread pool, a context manager that waits for the work on leaving."""
    from concurrent.futures import ThreadPoolExecutor  # takes time to import

    return ThreadPoolExecutor(most, name)


def gather(futures: "Sequence[Future[_Result]]") -> list[_Result]:
    """Return the results of all, in order; after a failure, which is raised, none is begun."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
