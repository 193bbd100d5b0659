"""Records between the API and its engine."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.entrypoints.engine.protocol import (
    BadRecord,
    Chunk,
    Failed,
    Find,
    Glob,
    ImageRecord,
    Message,
    OpenImage,
    Ran,
    Run,
    line_of,
    read_answer,
    read_request,
)
from img.testing.progress_sink import EVENTS

# Lone surrogates are bytes of names that are not UTF-8 (os.fsdecode).
TEXT = st.text(
    st.characters(min_codepoint=1) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)
RECORDS = st.builds(
    ImageRecord,
    digest=TEXT,
    media_type=TEXT,
    size=st.integers(0, 1 << 40),
    document_size=st.just(3),
    names=st.lists(TEXT).map(tuple),
)


@given(
    st.builds(Run, st.lists(TEXT).map(tuple))
    | st.builds(Find, TEXT, st.booleans())
    | st.builds(Glob, TEXT)
    | st.builds(OpenImage, name=TEXT, image=st.none() | RECORDS)
)
def test_a_request_comes_back_as_it_was_sent(request_: Run | Find | Glob | OpenImage) -> None:
    line = line_of(request_)

    assert line.count(b"\n") == 1
    assert read_request(io.BytesIO(line)) == request_


@pytest.mark.parametrize("event", EVENTS)
def test_each_progress_event_comes_back(event: object) -> None:
    assert read_answer(io.BytesIO(line_of(event))) == event  # type: ignore[arg-type]


@given(
    st.builds(Message, TEXT)
    | st.builds(Chunk, st.binary())
    | st.builds(Ran, state=TEXT, images=st.dictionaries(TEXT, RECORDS))
    | st.builds(
        Failed,
        kinds=st.just(("ImgError",)),
        message=TEXT,
        hint=st.none() | TEXT,
        exit_code=st.integers(0, 255),
        lines=st.none() | st.just((1, 2)),
        excerpt=TEXT,
    )
)
def test_an_answer_comes_back_as_it_was_sent(answer: Message | Chunk | Ran | Failed) -> None:
    assert read_answer(io.BytesIO(line_of(answer))) == answer


@pytest.mark.parametrize("line", [b"[]\n", b'["Failed"]\n', b'["os.system","x"]\n', b"\xff\n"])
def test_other_lines_are_refused(line: bytes) -> None:
    with pytest.raises(BadRecord):
        read_request(io.BytesIO(line))
    with pytest.raises(BadRecord):
        read_answer(io.BytesIO(line))


def test_the_end_of_the_stream_is_no_record() -> None:
    assert read_request(io.BytesIO()) is None
    assert read_answer(io.BytesIO()) is None
    cut_off = b'["Run",["build"]]'
    assert read_request(io.BytesIO(cut_off)) is None
