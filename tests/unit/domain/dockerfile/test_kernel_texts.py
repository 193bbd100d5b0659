"""Texts and numbers of a Dockerfile that no program, file or process can have."""

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.dockerfile.interpret import interpret
from img.domain.dockerfile.mounts import parse_mount
from img.domain.dockerfile.words import parse_json_form
from img.domain.errors import DockerfileError, UsageError
from img.domain.go.quantities import BadQuantity, parse_duration
from img.domain.options.limits import parse_ulimit
from tests.support.plans import plan_of


@pytest.mark.parametrize(
    "line",
    ["WORKDIR /a\0b", "USER a\0", "ENV A=\0", "COPY \0 /", "RUN true \\\n  \0", 'CMD ["\0"]'],
)
def test_an_instruction_with_a_nul_is_refused_at_its_line(line: str) -> None:
    text = f"FROM scratch\n{line}\n"
    with pytest.raises(DockerfileError, match="holds a NUL character") as caught:
        interpret(DockerfileParseParser().parse(text.encode()))
    number = 2 + line.count("\n")
    assert caught.value.lines == (number, number)


def test_a_comment_and_a_heredoc_may_hold_a_nul() -> None:
    interpret(DockerfileParseParser().parse(b"FROM scratch\n# \0\nCOPY <<E /\n\0\nE\n"))


@pytest.mark.parametrize("instruction", ["RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "VOLUME"])
def test_a_nul_in_a_json_array_is_refused_at_its_line(instruction: str) -> None:
    with pytest.raises(DockerfileError, match="holds a NUL character") as caught:
        plan_of(f'FROM busybox\n{instruction} ["/a\\u0000", "/b"]')
    assert caught.value.lines == (2, 2)


def test_a_nul_that_is_only_spelt_is_none() -> None:
    assert parse_json_form(r'["\\u0000"]') == (r"\u0000",)


@pytest.mark.parametrize("key", ["uid", "gid"])
@pytest.mark.parametrize("number", ["4294967295", "4294967296", "-1", "9" * 5000])
def test_a_mount_belongs_to_someone_who_can_be(key: str, number: str) -> None:
    with pytest.raises(DockerfileError, match=f"invalid value {number} for {key}"):
        parse_mount(f"type=cache,target=/c,{key}={number}", str, (1, 1))


def test_a_stage_number_of_any_length_is_refused() -> None:
    with pytest.raises(DockerfileError, match="invalid stage index"):
        plan_of(f"FROM scratch\nCOPY --from={'9' * 5000} a /")


@pytest.mark.parametrize("text", ["9" * 5000 + "s", "1." + "9" * 5000 + "s"])
def test_a_duration_of_any_length_is_read_or_refused(text: str) -> None:
    with pytest.raises(BadQuantity):
        parse_duration(text)


@pytest.mark.parametrize("text", ["9" * 5000, "1:" + "9" * 5000, str(2**63), str(-(2**63) - 1)])
def test_a_limit_that_the_kernel_has_no_room_for_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ulimit(f"nofile={text}")


def test_a_descriptor_of_any_length_is_read_or_refused() -> None:
    text = f"FROM busybox\nRUN cat {'9' * 5000}<<E\na\nE\n"
    with pytest.raises(DockerfileError):
        interpret(DockerfileParseParser().parse(text.encode()))
