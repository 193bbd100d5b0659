from pathlib import Path

from img.adapters.linux import capabilities


def test_dockers_choice_is_the_mask_that_its_containers_show() -> None:
    assert f"{capabilities.DOCKER_DEFAULT:016x}" == "00000000a80425fb"


def test_names_stand_at_their_bits() -> None:
    assert capabilities.mask_of("chown") == 1
    assert capabilities.SYS_ADMIN == 1 << 21
    assert capabilities.mask_of("checkpoint_restore") == 1 << 40


def test_effective_is_what_the_kernel_says() -> None:
    said = Path("/proc/self/status").read_text(encoding="utf-8").partition("CapEff:")[2].split()[0]

    assert capabilities.effective() == int(said, 16)
