"""Plans of small Dockerfiles: ``plan_of("FROM scratch", ...)``."""

from collections.abc import Mapping

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.build import BaseImage, BaseName, BuildRequest
from img.domain.digest import Digest
from img.domain.dockerfile.instructions import Dockerfile
from img.domain.dockerfile.interpret import interpret
from img.domain.graph.lower import lower
from img.domain.graph.operations import Operation
from img.domain.graph.stage_plan import StagePlan, plan_stages
from img.domain.graph.vertex import Plan
from img.domain.oci.chain import DiffID
from img.domain.oci.config import History, ImageConfig, RunConfig
from img.domain.platform import Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")


def a_request(  # the fields tests set, with quiet defaults
    *,
    build_args: Mapping[str, str] | None = None,
    target: str = "",
    contexts: Mapping[str, str] | None = None,
    platform: Platform = AMD64,
    multi_platform: bool = False,
    no_cache: bool = False,
    no_cache_filter: tuple[str, ...] = (),
) -> BuildRequest:
    return BuildRequest(
        platform=platform,
        build_platform=AMD64,
        build_args=build_args or {},
        target=target,
        contexts=contexts or {},
        multi_platform=multi_platform,
        no_cache=no_cache,
        no_cache_filter=no_cache_filter,
    )


def a_dockerfile(text: str) -> Dockerfile:
    return interpret(DockerfileParseParser().parse(text.encode()))


def a_base(text: str, run: RunConfig | None = None, platform: Platform = AMD64) -> BaseImage:
    return BaseImage(
        reference=text,
        manifest=Digest.of(text.encode()),
        config=ImageConfig(
            platform=platform,
            run=run or RunConfig(env=(("PATH", "/bin"),), cmd=("sh",)),
            diff_ids=(DiffID(Digest.of(b"layer")),),
            history=(History(created_by="base"),),
            unknown={"docker_version": "18.09"},
        ),
    )


def plan_of(
    text: str, request: BuildRequest | None = None, runs: Mapping[str, RunConfig] | None = None
) -> Plan:
    """Plan ``text``; ``runs`` are the configs of images by full name, others get a plain one."""
    dockerfile, request = a_dockerfile(text), request or a_request()
    bases: dict[BaseName, BaseImage] = {}
    while missing := missing_in(stages := plan_stages(dockerfile, request, bases), bases):
        for name in missing:
            bases[name] = a_base(name.text, (runs or {}).get(name.text), name.platform)
    return lower(stages, request, bases)


def missing_in(stages: StagePlan, bases: Mapping[BaseName, BaseImage]) -> list[BaseName]:
    """Return the images that ``stages`` need and ``bases`` lack."""
    return [name for name in stages.bases if name not in bases]


def names_of(plan: Plan) -> list[str]:
    return [vertex.name for vertex in plan.graph.vertices]


def history_of(plan: Plan) -> list[str]:
    return [item.created_by for item in plan.history]


def operation_of(plan: Plan) -> Operation:
    """Return the operation of the plan's last step."""
    return plan.graph.vertices[plan.target].operation
