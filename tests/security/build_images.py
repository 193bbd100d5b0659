"""Builds hostile images in one process: ``python -m tests.security.build_images EXECUTOR …``.

It is a separate process, because it enters namespaces; its parent chooses the user.
"""

import argparse
import sys
from pathlib import Path

from img.entrypoints.rootless import enter_for_build


def main() -> int:
    """Build as many images as asked for. Raises AssertionError with the smallest that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("executor")
    parser.add_argument("place", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, help="Hypothesis decides by itself unless it is given")
    options = parser.parse_args()
    host = enter_for_build(options.executor)  # first: it takes a process without threads
    if host.obstacle is not None:
        sys.stderr.write(f"{host.obstacle.message}\n")
        return 77
    from tests.security.image_builds import Builds

    Builds(options.place, host, options.executor).run(options.count, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
