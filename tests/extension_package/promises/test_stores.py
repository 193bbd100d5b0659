"""The stores of this package keep the promises of img's ports."""

from pathlib import Path

import pytest
from img_one_file import OneFileBlobStore, OneFileImageStore

from img.testing.blob_store import BlobStoreContract
from img.testing.image_store import ImageStoreContract
from img.testing.plugins import plugin_context_in


class TestOneFileBlobStore(BlobStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> OneFileBlobStore:
        return OneFileBlobStore(plugin_context_in(tmp_path))


class TestOneFileImageStore(ImageStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> OneFileImageStore:
        return OneFileImageStore(plugin_context_in(tmp_path))
