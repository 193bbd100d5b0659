import pytest

from img.domain.process import FileMount, ImpossibleText, Process


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
