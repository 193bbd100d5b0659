import pytest

from img.domain.process import DEFAULT_PATH, FileMount, ImpossibleText, Process, TmpfsMount


@pytest.mark.parametrize(
    "fields",
    [
        {"argv": ("sh", "\0")},
        {"env": {"A": "\0"}},
        {"env": {"A\0": ""}},
        {"cwd": "/a\0b"},
        {"user": "a\0"},
        {"mounts": (FileMount(target="/a\0", content=b"\0"),)},
    ],
)
def test_a_process_has_no_text_with_a_nul(fields: dict[str, object]) -> None:
    texts: dict[str, object] = {"argv": ("sh",), "env": {}} | fields
    with pytest.raises(ImpossibleText, match="holds a NUL character"):
        Process(**texts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "home"), [({}, "/home/app"), ({"HOME": ""}, "/home/app"), ({"HOME": "/x"}, "/x")]
)
def test_home_is_the_users_unless_it_is_given(given: dict[str, str], home: str) -> None:
    assert Process(argv=("a",), env=given).environment("/home/app")["HOME"] == home


def test_path_is_what_is_given_even_if_it_is_empty() -> None:
    assert Process(argv=("a",), env={"PATH": ""}).environment("/")["PATH"] == ""
    assert Process(argv=("a",), env={}).environment("/")["PATH"] == DEFAULT_PATH


def test_mounts_come_before_those_in_them() -> None:
    inner, outer = TmpfsMount(target="/a/b/c"), FileMount(target="/a/b", content=b"")
    beside, top = TmpfsMount(target="/a/b-c"), TmpfsMount(target="/a")
    process = Process(argv=("sh",), env={}, mounts=(inner, beside, outer, top))

    ordered = process.mounts_outer_first

    assert ordered.index(top) < ordered.index(outer) < ordered.index(inner)
    assert set(ordered) == {inner, beside, outer, top}
