"""--call=outline and --call=targets against BuildKit's: tables outline.jsonl, targets.jsonl.

The tables are data of their own; $IMG_CONFORMANCE names the directory that holds them.
"""

from collections.abc import Iterable

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.adapters.state_lock.memory import MemoryStateLock
from img.application.planning.analyse import AnalyseDockerfile
from img.application.usecases.check import ListTargets, OutlineDockerfile
from img.domain.dockerfile.outline import Outline, OutlinedMount
from img.domain.dockerfile.targets import BuildTarget
from tests.support.checking import AnyImage, OneDockerfile
from tests.support.conformance_tables import Row, is_there, table_rows
from tests.support.plans import a_request

pytestmark = pytest.mark.skipif(
    not is_there(), reason="$IMG_CONFORMANCE names no conformance tables"
)


@pytest.mark.parametrize("row", table_rows("outline"), ids=lambda row: str(row["id"]))
def test_a_target_takes_what_buildkit_says_it_takes(row: Row) -> None:
    outline = OutlineDockerfile(
        dockerfiles=OneDockerfile(row["dockerfile"]),
        analyse=AnalyseDockerfile(parser=DockerfileParseParser(), resolve=AnyImage()),
        lock=MemoryStateLock(),
    )
    found = outline(a_request(build_args=row["build_args"]), location=".")
    assert outlined(found.outline) == row["expect"]


@pytest.mark.parametrize("row", table_rows("targets"), ids=lambda row: str(row["id"]))
def test_the_targets_are_those_that_buildkit_lists(row: Row) -> None:
    targets = ListTargets(
        dockerfiles=OneDockerfile(row["dockerfile"]), parser=DockerfileParseParser()
    )
    assert [listed(each) for each in targets(location=".").targets] == row["expect"]


def outlined(outline: Outline) -> Row:
    arguments = [
        without_empty(name=each.name, value=each.value, description=each.description)
        for each in outline.arguments
    ]
    return without_empty(
        name=outline.name,
        description=outline.description,
        args=arguments,
        secrets=mounts(outline.secrets),
        ssh=mounts(outline.agents),
    )


def mounts(found: Iterable[OutlinedMount]) -> list[Row]:
    return [without_empty(name=each.name, required=each.required) for each in found]


def listed(target: BuildTarget) -> Row:
    return without_empty(
        name=target.name,
        base=target.base,
        description=target.description,
        platform=target.platform,
        default=target.is_default,
    )


def without_empty(**fields: object) -> Row:
    return {name: value for name, value in fields.items() if value}
