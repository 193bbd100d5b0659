"""Values of ``--verify-base``."""

import pytest

from img.domain.errors import UsageError
from img.domain.options.verify_base import parse_verify_base


def test_keys_of_all_values_are_read() -> None:
    assert parse_verify_base([]) == ()
    assert parse_verify_base(["key=a.pub", "key=b.pub,key=c.pub"]) == ("a.pub", "b.pub", "c.pub")


@pytest.mark.parametrize("text", ["a.pub", "key", "key=", "keys=a.pub", 'key="'])
def test_other_values_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--verify-base"):
        parse_verify_base([text])
