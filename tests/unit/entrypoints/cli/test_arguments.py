"""Command lines as docker and podman read them."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from img.domain.errors import UsageError
from img.domain.options.foreign import OF_BUILD
from img.entrypoints.cli import app as cli
from img.entrypoints.cli import options
from img.entrypoints.cli.arguments import Spellings, Switch

HERE = Spellings(
    switches={
        "--quiet": Switch(on="--quiet"),
        "-q": Switch(on="--quiet"),
        "--verify": Switch(on="--verify", off="--no-verify"),
        "--no-verify": Switch(on="--no-verify", off="--verify"),
    },
    valued=frozenset({"--tag", "-t", "--build-arg"}),
    implied={"--pull": "true"},
    foreign=OF_BUILD,
)


@pytest.mark.parametrize(
    ("words", "respelled"),
    [
        ("--quiet .", "--quiet ."),
        (". --quiet=true", "--quiet ."),
        (". --quiet=1", "--quiet ."),
        ("-q=true .", "--quiet ."),
        ("--quiet=false .", "."),
        ("--quiet=0 .", "."),
        ("-q=F .", "."),
        ("--quiet --quiet=false .", "."),
        ("--quiet=false -q .", "--quiet ."),
        ("--verify=false .", "--no-verify ."),
        ("--no-verify=false .", "--verify ."),
        ("--verify=false --verify .", "--verify ."),
        ("-t=name .", "-t name ."),
        ("-tname .", "-tname ."),
        ("-t name .", "-t name ."),
        ("-qt name .", "--quiet -t name ."),
        ("-qt=name .", "--quiet -t name ."),
        ("-qtname .", "--quiet -tname ."),
        ("-Dq=false .", "."),
        ("-qD .", "--quiet ."),
        ("-tq .", "-tq ."),
        ("-qx .", "--quiet -x ."),
        ("--tag=a --tag b .", "--tag a --tag b ."),
        ("--tag=--quiet=false .", "--tag --quiet=false ."),
        ("--build-arg --quiet=false .", "--build-arg --quiet=false ."),
        ("--pull .", "--pull=true ."),
        ("--pull=never .", "--pull=never ."),
        ("--pull-always .", "--pull=always ."),
        ("--pull-never -", "--pull=never -"),
        ("--rm --force-rm=false --compress .", "."),
        ("--builder x --isolation=default .", "."),
        ("-D --squash-all=false .", "."),
        ("--no-push --push .", "--no-push --push ."),
        ("--no-push=true .", "--no-push ."),
        ("--unknown=x -z .", "--unknown=x -z ."),
        (". -- --quiet=false", ". -- --quiet=false"),
        ("--tag", "--tag"),
        ("", ""),
    ],
)
def test_words_become_those_that_click_reads(words: str, respelled: str) -> None:
    assert HERE.respelled(words.split()) == respelled.split()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--quiet=maybe .", "invalid value 'maybe' of --quiet"),
        ("--quiet= .", "invalid value '' of --quiet"),
        ("--rm=2 .", "invalid value '2' of --rm"),
        ("--squash-all .", "--squash-all is not supported"),
        ("--sbom-output=x .", "--sbom-output=x is not supported"),
        ("--isolation=hyperv .", "--isolation=hyperv is not supported"),
        ("--isolation", "option --isolation requires an argument"),
    ],
)
def test_what_img_cannot_do_is_refused_by_its_name(words: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        HERE.respelled(words.split())

    assert refused.value.message == message


def test_words_after_the_first_that_is_no_option_may_be_another_programs() -> None:
    here = Spellings(switches=HERE.switches, interspersed=False)

    assert here.respelled(["-q=true", "podman", "--quiet=false"]) == [
        "--quiet",
        "podman",
        "--quiet=false",
    ]


@given(st.lists(st.sampled_from(["--quiet", "-q", "--quiet=true", "-q=false", "--quiet=f", "."])))
def test_of_a_switch_that_is_given_often_the_last_counts(words: list[str]) -> None:
    given_ = [word for word in words if word != "."]
    on = bool(given_) and "f" not in given_[-1].partition("=")[2]

    assert HERE.respelled(words) == [*(["--quiet"] if on else []), *["."] * words.count(".")]


@given(st.lists(st.text(alphabet="-=qtrx. ", max_size=6), max_size=5))
def test_any_words_are_respelled_or_refused(words: list[str]) -> None:
    try:
        respelled = HERE.respelled(words)
    except UsageError:
        return
    assert len(respelled) <= 2 * len(words)


def test_each_switch_of_each_command_takes_a_boolean() -> None:
    commands = getattr(typer.main.get_command(cli.command_line()), "commands")  # noqa: B009
    tried = 0
    for name, command in commands.items():
        for each in command.params:
            if getattr(each, "is_flag", False) and not each.is_eager:
                for switch in set(each.opts) - OF_BUILD.keys():
                    values = [
                        f"{switch}={value}" for value in ("true", "0", "t", "F", "1", "false")
                    ]
                    # An error in the final word is reported if all words before are valid.
                    with pytest.raises(UsageError) as failed:
                        command.make_context(name, [*values, f"{switch}=maybe"])
                    assert failed.value.message == f"invalid value 'maybe' of {switch}"
                    tried += 1

    assert tried > 40


def test_values_are_proposed_as_far_as_they_are_typed() -> None:
    assert options.one_of("plain", "tty", "quiet")("p") == ["plain"]
    assert options.one_of("plain", "tty")("") == ["plain", "tty"]
