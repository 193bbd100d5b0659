"""Thread pools for work that waits for disks, processes and networks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


def threads(most: int, name: str) -> "ThreadPoolExecutor":
    """Return a thread pool, a context manager that waits for the work on leaving."""
    from concurrent.futures import ThreadPoolExecutor  # takes time to import

    return ThreadPoolExecutor(most, name)
