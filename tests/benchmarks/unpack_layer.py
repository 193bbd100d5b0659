"""The time to unpack a layer: ``python -m tests.benchmarks.unpack_layer LAYER.tar[.gz]``."""

import argparse
import os
import subprocess
import tempfile
import time

from img.adapters.layer_archive.tar import TarLayerArchive
from img.domain.filesystem.tree import FileTree


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("layer")
    options.add_argument("--directory", default="/dev/shm")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.directory) as work:
        for number in range(3):
            print(f"img {seconds_of_ours(chosen.layer, f'{work}/ours{number}'):.2f} s")  # noqa: T201
            print(f"tar {seconds_of_tar(chosen.layer, f'{work}/tars{number}'):.2f} s")  # noqa: T201


def seconds_of_ours(layer: str, directory: str) -> float:
    os.mkdir(directory)
    nothing = FileTree.of([])
    start = time.perf_counter()
    with open(layer, "rb") as compressed:
        TarLayerArchive().unpack(
            compressed, directory, overlay=True, place=nothing.place, implied=nothing.get
        )
    return time.perf_counter() - start


def seconds_of_tar(layer: str, directory: str) -> float:
    os.mkdir(directory)
    start = time.perf_counter()
    subprocess.run(["tar", "-C", directory, "--numeric-owner", "-xpf", layer], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
