"""Secrets that only one task can read."""

import pytest

from img.adapters.cluster.sealed import NotSealed, SealedBox, seal

VALUES = {"a": b"secret \0 \xff", "b": b""}


def test_a_box_opens_what_was_sealed_for_it() -> None:
    box = SealedBox()
    sealed = seal(VALUES, box.public)

    assert box.opened(sealed) == VALUES
    assert b"secret" not in sealed


def test_nothing_else_is_opened() -> None:
    box = SealedBox()
    sealed = seal(VALUES, box.public)

    for wrong in (
        b"",
        sealed[:31],
        sealed[:-1],
        bytes(len(sealed)),
        seal(VALUES, SealedBox().public),
    ):
        with pytest.raises(NotSealed):
            box.opened(wrong)
    with pytest.raises(NotSealed):
        seal(VALUES, b"no key")
