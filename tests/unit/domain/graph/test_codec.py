import json

from img.domain.digest import Digest
from img.domain.filesystem.file_name import FileName
from img.domain.graph.codec import canonical_json, encode_operation
from img.domain.graph.operations import CopyFiles, Exec, ExecMount, InlineFile, PullBase
from img.domain.platform import Platform
from img.domain.process import Network


def test_an_operation_is_an_object_with_its_type_and_every_field() -> None:
    digest = Digest.of(b"")
    encoded = encode_operation(
        PullBase(reference="a", manifest=digest, platform=Platform("linux", "arm", "v7"))
    )
    platform = encoded.pop("platform")
    assert encoded == {"operation": "PullBase", "reference": "a", "manifest": str(digest)}
    assert isinstance(platform, dict)
    assert platform["variant"] == "v7"


def test_values_within_values_are_encoded_too() -> None:
    run = Exec(
        argv=("a",),
        env=(("A", "1"),),
        network=Network.NONE,
        mounts=(ExecMount(type="tmpfs", target="/t"),),
    )
    encoded = encode_operation(run)
    assert (encoded["env"], encoded["network"]) == ([["A", "1"]], "none")
    mounts = encoded["mounts"]
    assert isinstance(mounts, list)
    assert isinstance(mounts[0], dict)
    assert mounts[0]["target"] == "/t"


def test_the_json_is_canonical() -> None:
    assert canonical_json({"b": [1, None], "a": "ü\n"}) == '{"a":"ü\\n","b":[1,null]}'.encode()


def test_names_that_are_no_utf8_keep_their_bytes() -> None:
    name = b"\xff".decode(errors="surrogateescape")
    copy = CopyFiles(
        sources=(name,), destination="/", inline=(InlineFile(name=FileName("n"), content=""),)
    )
    text = canonical_json(encode_operation(copy))
    assert b'["\xff"]' in text
    assert json.loads(text.decode(errors="surrogateescape"))["sources"] == [name]
