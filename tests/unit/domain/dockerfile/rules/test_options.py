"""Selection of rules, and error=true."""

import pytest

from img.domain.dockerfile.rules.options import CheckOptions, LintViolation
from img.domain.dockerfile.rules.rule import page_of
from img.domain.errors import DockerfileError
from tests.support.checking import a_check, said
from tests.support.plans import a_request

OLD = "FROM scratch\nMAINTAINER me\nENV a b"


def test_rules_are_skipped_by_name() -> None:
    assert [
        each.rule for each in a_check(f"# check=skip=MaintainerDeprecated\n{OLD}").warnings
    ] == ["LegacyKeyValueFormat"]


def test_the_build_argument_replaces_the_directive() -> None:
    request = a_request(build_args={"BUILDKIT_DOCKERFILE_CHECK": "skip=LegacyKeyValueFormat"})
    found = a_check(f"# check=skip=all;error=true\n{OLD}", request)
    assert [each.rule for each in found.warnings] == ["MaintainerDeprecated"]
    assert found.error is None


def test_a_comment_concerns_the_instruction_below_it_alone() -> None:
    found = said("FROM scratch\n# check=skip=all // legacy\nENV a b\nLABEL c d")
    assert found == [
        (
            'LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy '
            '"LABEL key value" format (line 4)'
        )
    ]


def test_a_comment_that_means_nothing_changes_nothing() -> None:
    assert len(said("FROM scratch\n# check=whatever\nENV a b")) == 1


def test_error_true_names_the_rules_and_points_at_the_directive() -> None:
    found = a_check(f"# check=error=true\n{OLD}")
    assert isinstance(found.error, LintViolation)
    assert found.error.message == (
        "lint violation found for rules: LegacyKeyValueFormat, MaintainerDeprecated"
    )
    assert found.error.lines == (1, 1)
    assert len(found.warnings) == 2


def test_error_true_without_warnings_is_no_failure() -> None:
    assert a_check("# check=error=true\nFROM scratch").error is None


def test_an_option_nobody_knows_is_refused_with_its_line() -> None:
    found = a_check(f"# syntax=docker/dockerfile:1\n# check=speed=1\n{OLD}")
    assert found.warnings == ()
    assert found.error is not None
    assert found.error.message == 'failed to parse check options: invalid check option "speed"'
    assert found.error.lines == (2, 2)


def test_error_takes_only_yes_or_no() -> None:
    with pytest.raises(DockerfileError, match='failed to parse check option "error=maybe"'):
        CheckOptions.parse("error=maybe")


def test_the_warnings_before_an_error_are_kept() -> None:
    found = a_check("FROM scratch as one\nRUN a\nFNTRYPOINT x\nFROM scratch as two")
    assert [each.rule for each in found.warnings] == ["FromAsCasing"]
    assert found.error is not None
    assert found.error.lines == (3, 3)


def test_what_only_a_build_notices_is_an_error_and_ends_the_warnings_there() -> None:
    found = a_check("FROM scratch\nENV a b\nSTOPSIGNAL nope\nENV c d")
    assert [each.lines for each in found.warnings] == [(2, 2)]
    assert found.error is not None
    assert found.error.lines == (3, 3)


def test_all_stages_are_checked_unless_a_target_is_named() -> None:
    text = "FROM scratch AS one\nENV a b\nFROM scratch AS two\nENV c d\nFROM scratch"
    assert [each.lines[0] for each in a_check(text).warnings] == [2, 4]
    assert [each.lines[0] for each in a_check(text, a_request(target="two")).warnings] == [4]


def test_a_page_has_the_words_of_the_rules_name() -> None:
    assert page_of("JSONArgsRecommended").endswith("/json-args-recommended/")
