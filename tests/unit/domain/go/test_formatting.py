import pytest

from img.domain.go import formatting


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (20_000_000, "20ms"),
        (1_500_000_000, "1.5s"),
        (90_000_000_000, "1m30s"),
        (3_600_000_000_000, "1h0m0s"),
        (-1_000_000_000, "-1s"),
    ],
)
def test_durations_read_as_in_go(nanoseconds: int, text: str) -> None:
    assert formatting.duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("a b", '"a b"'), ('"\\', '"\\"\\\\"'), ("\n\x01", '"\\n\\x01"'), ("ü\u200b", '"ü\\u200b"')],
)
def test_texts_are_quoted_as_in_go(text: str, quoted: str) -> None:
    assert formatting.quoted(text) == quoted
