"""The contract of readers of Dockerfile lines."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.application.ports.dockerfile_parser import DockerfileParser
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.raw import RawDockerfile, RawInstruction
from img.domain.errors import DockerfileError

PARSER: DockerfileParser = DockerfileParseParser()


def parse(text: str | bytes) -> RawDockerfile:
    return PARSER.parse(text if isinstance(text, bytes) else text.encode())


def only(text: str | bytes) -> RawInstruction:
    (instruction,) = parse(text).instructions
    return instruction


def texts(text: str) -> list[tuple[str, str]]:
    return [(each.keyword, each.rest) for each in parse(text).instructions]


def test_keyword_and_rest_are_as_written() -> None:
    assert texts("from a\nRun  echo  'x' \n") == [("from", "a"), ("Run", "echo  'x'")]


def test_continued_lines_are_joined_without_what_stands_between() -> None:
    run = only("RUN a \\\n\n  # no\n  b\\  \n  c\n")
    assert (run.rest, run.lines) == ("a   b  c", (1, 5))


def test_blank_lines_within_are_reported() -> None:
    assert parse("RUN a \\\n\n \n b\n").empty_continuations == (2, 3)


def test_two_escapes_continue_nothing() -> None:
    assert texts("RUN a \\\\\nRUN b") == [("RUN", "a \\\\"), ("RUN", "b")]


def test_the_end_of_the_file_ends_an_instruction() -> None:
    assert texts("FROM a\nRUN b \\") == [("FROM", "a"), ("RUN", "b")]
    assert texts("FROM a\nRUN b \\\n# c") == [("FROM", "a"), ("RUN", "b")]


def test_an_instruction_without_arguments_is_kept() -> None:
    assert texts("FROM a\nRUN\nCMD") == [("FROM", "a"), ("RUN", ""), ("CMD", "")]


def test_a_keyword_may_be_continued() -> None:
    assert texts("FRO\\\nM a\nRUN\\\n b\n\\\nCMD c\n") == [
        ("FROM", "a"),
        ("RUN", "b"),
        ("CMD", "c"),
    ]


def test_the_escape_character_can_be_chosen() -> None:
    raw = parse("# escape=`\nFROM a\nCOPY c:\\ `\n  d:\\\nRUN b\n")
    assert raw.escape == "`"
    assert [each.rest for each in raw.instructions] == ["a", "c:\\   d:\\", "b"]


def test_directives_are_those_on_top() -> None:
    raw = parse("# Syntax=x/y:1 \n# check=error=true\n# a comment\n# escape=`\nFROM a\n")
    assert [(each.name, each.value, each.line) for each in raw.directives] == [
        ("syntax", "x/y:1", 1),
        ("check", "error=true", 2),
    ]
    assert raw.escape == "\\"


def test_comments_belong_to_the_next_instruction_whatever_blank_lines_are_between() -> None:
    first, second = parse("# one\n\n# two\nFROM a\n# three\n\nRUN b\n").instructions
    assert first.comments == ("one", "two")
    assert second.comments == ("three",)


def test_byte_order_mark_and_carriage_returns_are_no_text() -> None:
    assert texts("\ufeffFROM a\r\nRUN b \\\r\n c\r\n") == [("FROM", "a"), ("RUN", "b  c")]


def test_heredocs_are_lifted_out() -> None:
    run = only("RUN <<A cat 3<<-'B'\n$x\nA\n\t\ty\n\tB\n")
    assert run.rest == "<<A cat 3<<-'B'"
    assert run.lines == (1, 5)
    first, second = run.heredocs
    assert (first.name, first.content, first.expand, first.chomp) == ("A", "$x\n", True, False)
    assert (second.name, second.content, second.expand, second.chomp) == ("B", "y\n", False, True)
    assert (second.descriptor, second.as_written) == (3, "\t\ty\n")


def test_heredoc_bodies_may_look_like_anything() -> None:
    body = "FROM x\n# c\n\nRUN y \\\n"
    raw = parse(f"COPY <<E /a\n{body}E\nRUN z\n")
    assert [each.rest for each in raw.instructions] == ["<<E /a", "z"]
    assert raw.instructions[0].heredocs[0].content == body


def test_quoted_signs_open_no_heredoc() -> None:
    assert texts("RUN echo '<<A'\nENV a=<<B\nRUN [\"<<C\"]\n")[1] == ("ENV", "a=<<B")


def test_a_heredoc_needs_its_end() -> None:
    with pytest.raises(DockerfileError, match="unterminated heredoc") as raised:
        parse("FROM a\nRUN <<E\nx\n")
    assert raised.value.lines == (2, 3)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "# only this\n", "\ufeff"])
def test_a_file_without_instructions_is_refused(text: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        parse(text)
    assert raised.value.lines


def test_a_line_may_have_65535_bytes() -> None:
    assert only("RUN " + "x" * 65531)
    with pytest.raises(DockerfileError, match="greater than max allowed size of 65535"):
        parse("RUN " + "é" * 32766)


def test_only_comments_may_hold_other_encodings() -> None:
    assert only(b"# Jos\xe9\nFROM a\n").rest == "a"
    with pytest.raises(DockerfileError, match="UTF-8") as raised:
        parse(b"FROM a\nRUN <<E\n\xe9\nE\n")
    assert raised.value.lines == (2, 4)


@pytest.mark.parametrize(
    "text",
    ["RUN echo hello\n" * 10_000, "RUN a \\\n" + " && b \\\n" * 10_000, "RUN <<E\nx\nE\n" * 3_334],
)
def test_ten_thousand_lines_take_seconds_at_most(text: str) -> None:
    parse("FROM a")  # what is imported late
    start = process_time()
    parse(text)
    # Less than 0.1 s on a machine with nothing else to do; coverage takes many times as long, and
    # what is quadratic takes minutes.
    assert process_time() - start < 5


LINES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(
            [
                *("FROM a AS b", "RUN <<E", "E", "COPY --from=b <<-'X' /y", "\tX", "# escape=`"),
                *(
                    "RUN a \\",
                    "\\",
                    "`",
                    "ENV A=1 B",
                    "ONBUILD RUN <<E",
                    "RUN [",
                    "# c",
                    "",
                    "\\\\",
                ),
                *("HEALTHCHECK --retries=1 CMD x", "RUN --mount=type=$a x", "LABEL 'a", "FRO\\"),
            ]
        ),
    ),
    max_size=12,
).map("\n".join)


@given(LINES)
def test_any_text_is_understood_or_refused_at_a_line(text: str) -> None:
    try:
        interpret(parse(text.encode("utf-8", errors="replace")))
    except DockerfileError as error:
        assert error.lines
        first, last = error.lines
        assert 1 <= first <= last <= text.count("\n") + 1


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        assert parse(content).instructions
    except DockerfileError as error:
        assert error.lines
