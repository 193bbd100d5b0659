"""One state, used inside and outside of a user namespace."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PUT = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from img.adapters.blob_store.files import FileBlobStore
from img.adapters.image_store.sqlite import SqliteImageStore
from img.adapters.storage.sqlite import Database
from img.domain.digest import Digest
from img.domain.oci.descriptor import Descriptor
from img.domain.reference import ImageReference

root, name = Path(sys.argv[1]), sys.argv[2]
images = SqliteImageStore(Database(root / "state.db"))
blob = FileBlobStore(root).writer()
blob.write(name.encode())
target = Descriptor(media_type="a/b", digest=blob.commit(), size=len(name))
images.put(ImageReference.parse(name), target, datetime.now(UTC))
print(json.dumps([image.reference.familiar_name for image in images.list()]))
print(json.dumps(len(list(FileBlobStore(root).digests()))))
"""


@pytest.mark.userns
def test_a_state_works_in_turn_inside_and_outside_of_a_user_namespace(tmp_path: Path) -> None:
    inside = ["unshare", "--user", "--map-root-user"]
    if shutil.which(inside[0]) is None or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    python = [sys.executable, "-c", PUT, str(tmp_path / "state")]

    for command in (
        [*python, "a"],
        [*inside, *python, "b"],
        [*python, "c"],
        [*inside, *python, "d"],
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
        )

    names, blobs = map(json.loads, done.stdout.splitlines())
    assert (names, blobs) == (["a", "b", "c", "d"], 4)
