"""Threads that wait for disks, processes and networks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


def threads(most: int, name: str) -> "ThreadPoolExecutor":
    """Return a pool of at most so many; to be entered, and all is done when it is left."""
    from concurrent.futures import ThreadPoolExecutor  # only now: it takes a moment

    return ThreadPoolExecutor(most, name)
