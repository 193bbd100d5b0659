"""The build of the source distribution; pyproject.toml has everything else."""

from __future__ import annotations

import os
import shutil
from typing import Any

from setuptools import setup
from setuptools.command.sdist import sdist


class SourceDistribution(sdist):
    """An archive in which the links below ``img/`` are links, as in a checkout.

    setuptools follows them, so that a change in ``domain/`` would not change the program.
    """

    def make_release_tree(self, base_dir: str, files: Any) -> None:
        """Copy the files, and replace copies of linked directories by links."""
        links = [entry for entry in os.scandir("img") if entry.is_symlink()]
        super().make_release_tree(base_dir, files)
        for link in links:
            copy = os.path.join(base_dir, link.path)
            shutil.rmtree(copy)
            os.symlink(os.readlink(link.path), copy)


setup(cmdclass={"sdist": SourceDistribution})
