"""The names of stacks of layers."""

import pytest

from img.domain.digest import Digest
from img.domain.oci.chain import DiffID, chain_id_of, chain_ids_of

DIFF_IDS = [DiffID(Digest.of(b"layer %d" % number)) for number in range(3)]


def test_each_name_covers_the_name_of_the_stack_below() -> None:
    first, second, third = DIFF_IDS
    two = Digest.of(f"{first} {second}".encode())

    assert chain_ids_of(DIFF_IDS) == [first, two, Digest.of(f"{two} {third}".encode())]
    assert chain_id_of(DIFF_IDS) == chain_ids_of(DIFF_IDS)[-1]
    assert chain_ids_of([]) == []
    assert chain_id_of([]) is None


def test_one_more_layer_takes_one_more_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    chain_ids_of(DIFF_IDS)
    asked: list[bytes] = []
    original = Digest.of

    def of(content: bytes) -> Digest:
        asked.append(content)
        return original(content)

    monkeypatch.setattr(Digest, "of", of)

    chain_ids_of([*DIFF_IDS, DiffID(original(b"one more"))])

    assert len(asked) == 1
