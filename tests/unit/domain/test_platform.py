import pytest

from img.domain.platform import InvalidPlatform, Platform, preference

_HOST = Platform("linux", "arm64")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("linux", "linux/arm64"),
        ("amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("Linux/ARM", "linux/arm/v7"),
        ("linux/arm64/v8", "linux/arm64"),
        ("windows", "windows/arm64"),
    ],
)
def test_what_is_left_out_comes_from_the_host(text: str, name: str) -> None:
    assert str(Platform.parse(text, _HOST)) == name


@pytest.mark.parametrize(
    "text", ["", "/", "linux/", "a/b/c/d", "nonsense", "linux/amd64,linux/arm"]
)
def test_what_names_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.parse(text, _HOST)


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("armv6l", "linux/arm/v6"),
        ("i686", "linux/386"),
        ("riscv64", "linux/riscv64"),
    ],
)
def test_the_kernels_names_of_machines_are_known(machine: str, name: str) -> None:
    assert str(Platform.of_machine(machine)) == name


def test_a_strange_variant_suits_itself_alone() -> None:
    strange = Platform("linux", "amd64", "weird")

    assert preference(strange, strange) == 0
    assert preference(Platform("linux", "amd64"), strange) is None


def test_an_image_for_another_system_suits_nobody() -> None:
    assert preference(Platform("linux", "amd64"), Platform("windows", "amd64")) is None
