"""Policies of builds: violations name rule and line, and no cache or earlier build avoids them."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace

import pytest
from dependency_injector import providers

from img.adapters.signing_keys.memory import MemorySigningKeys
from img.adapters.snapshotter.memory import MemoryWorkspace
from img.application.policy.guard import guarded_plan
from img.application.transfer.pins import NoPins
from img.application.usecases.sign_image import SigningRequest
from img.domain.attestations.options import parse_attestations
from img.domain.digest import Digest
from img.domain.errors import BuildError, ImgError, SourceError, StepForbidden
from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import FetchUrl
from img.domain.graph.vertex import Graph, Plan, Vertex
from img.domain.image_place import parse_image_place
from img.domain.oci.codec import decode_manifest
from img.domain.oci.config import ImageConfig
from img.domain.outputs import ImageOutput
from img.domain.policy.policies import Policies
from img.domain.policy.policy import Policy, SignedImages
from img.domain.policy.source_policy import SourcePolicy
from img.domain.reference import ImageReference
from img.entrypoints.wiring.policies import policy_guard, result_check
from img.entrypoints.wiring.setup import Setup
from tests.support.in_memory_app import ELSEWHERE, HERE, InMemoryApp, a_request

_BASE = "r.example/base:1"
_OTHER = "r.example/other:1"
_KEYS = MemorySigningKeys()
_PAIR = _KEYS.generate(b"pw")
_FROM = f"# comment\nFROM {_BASE}\nCOPY b /\n"
_COPY_FROM = f"FROM scratch\nCOPY --from={_BASE} /a /\n"


@pytest.fixture
def app() -> InMemoryApp:
    made = InMemoryApp()
    made.container.registries.contents.override(made.registry)
    made.container.images.signing_keys.override(_KEYS)
    made.publish(_BASE, {"a": b"1"})
    made.publish(_OTHER, {"a": b"other"})
    return made


def _with(app: InMemoryApp, text: str = "", *rules: Mapping[str, object], key: bytes = b"") -> None:
    """Let the next builds of ``app`` be under policies: a table, BuildKit's rules, a key."""
    policies = Policies(
        sources=(SourcePolicy.parse(json.dumps({"rules": rules}).encode(), "p.json"),),
        rules=(
            Policy.parse(tomllib.loads(text), "s.toml", "/"),
            *([Policy(file="--verify-base", signed=(SignedImages(images=(), keys=("k",)),))]
              if key else []),
        ),
        keys={"k": key},
    )  # fmt: skip
    building = app.container.building
    setup: Setup = app.container._setup
    changed = replace(setup, settings=replace(setup.settings, policies=policies))
    guard = policy_guard(changed, building.check_signed)
    check = result_check(changed, building.rules_on_results)
    building.guard.override(providers.Object(guard))
    building.check_results.override(providers.Object(check))


def _refused(
    app: InMemoryApp, dockerfile: str, files: dict[str, bytes] | None = None
) -> SourceError:
    before = {str(image.name) for image in app.images.list()}
    with pytest.raises(SourceError) as refused:
        app.build(dockerfile, files or {"b": b"2"})
    assert refused.value.exit_code == 10
    assert "app" not in {str(image.name) for image in app.images.list()} - before
    return refused.value


def _sign(app: InMemoryApp, name: str = _BASE) -> None:
    signer = _KEYS.signer(_PAIR.private, lambda: b"pw")
    app.container.images.sign_image()(parse_image_place(name), signer, SigningRequest())


@pytest.mark.parametrize(("dockerfile", "line"), [(_FROM, 2), (_COPY_FROM, 2)])
def test_unsigned_images_are_refused_with_their_line(
    app: InMemoryApp, dockerfile: str, line: int
) -> None:
    _with(app, key=_PAIR.public)

    error = _refused(app, dockerfile)

    assert isinstance(error, StepForbidden)
    assert "has no signature by this key" in error.message
    assert error.lines == (line, line)
    assert ">>>" in error.excerpt


@pytest.mark.parametrize("dockerfile", [_FROM, _COPY_FROM])
def test_signed_images_are_used(app: InMemoryApp, dockerfile: str) -> None:
    _sign(app)
    _with(app, key=_PAIR.public)

    assert app.files_of(app.build(dockerfile, {"b": b"2"}))["a"] == b"1"
    app.build(dockerfile, {"b": b"2"})  # the base is in the store now


def test_an_image_of_a_signed_index_is_signed(app: InMemoryApp) -> None:
    app.publish(_BASE, {"a": b"1"}, platforms=(HERE, ELSEWHERE))
    _sign(app)
    _with(app, key=_PAIR.public)

    app.build(_FROM, {"b": b"2"})
    app.publish(_BASE, {"a": b"1", "c": b""}, platforms=(HERE, ELSEWHERE))  # the tag moves
    assert "no signature" in _refused(app, f"FROM --platform={ELSEWHERE} {_BASE}\n").message


def test_a_stored_image_is_refused_if_its_registry_does_not_answer(app: InMemoryApp) -> None:
    app.build(_FROM, {"b": b"2"})
    app.registry.lose("r.example")
    _with(app, key=_PAIR.public)

    with pytest.raises(BuildError, match=f"{_BASE}: its signatures cannot be read: "):
        app.build(_FROM, {"b": b"2"})


def test_a_cached_build_is_checked_again(app: InMemoryApp) -> None:
    app.build(_FROM, {"b": b"2"})
    app.images.remove(ImageReference.parse("app"))
    _with(app, key=_PAIR.public)

    _refused(app, _FROM)
    app.forget_progress()
    _with(app, "max-size = 10")
    error = _refused(app, _FROM)
    assert "too many (policy: max-size, s.toml)" in error.message
    assert app.steps_done == []


def test_images_by_id_need_a_signature_too(app: InMemoryApp) -> None:
    built = app.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, tags=["local:1"])
    _with(app, key=_PAIR.public)
    dockerfile = f"FROM {built.target.digest}\n"

    assert "no signature" in _refused(app, dockerfile).message
    _sign(app, "store:local:1")
    app.build(dockerfile)


def test_another_image_is_used_in_place_of_the_named_one(app: InMemoryApp) -> None:
    _with(
        app,
        "",
        {
            "action": "CONVERT",
            "selector": {"identifier": f"docker-image://{_BASE}"},
            "updates": {"identifier": f"docker-image://{_OTHER}"},
        },
    )

    assert app.files_of(app.build(_FROM, {"b": b"2"}))["a"] == b"other"
    built = app.container.building.build_image()(
        a_request(),
        location=".",
        outputs=[ImageOutput(names=(ImageReference.parse("app"),))],
        attestations=parse_attestations([], "mode=min", place="referrer"),
    )
    assert built is not None
    with app.blobs.open(built.referrers[0].digest) as document:
        (layer,) = decode_manifest(document.read()).layers
    with app.blobs.open(layer.digest) as content:
        statement = json.loads(content.read())
    (material,) = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert material["uri"].startswith("pkg:docker/r.example/other@1?")


@pytest.mark.parametrize(
    ("dockerfile", "identifier", "line"),
    [
        (_FROM, "docker-image://r.example/*", 2),
        (_COPY_FROM, "docker-image://r.example/*", 2),
        (f"FROM scratch\nRUN --mount=from={_BASE},target=/x true\n", f"*{_BASE}", 2),
        ("FROM scratch\n\nADD https://a.example/b /\n", "https://a.example/*", 3),
        ("FROM scratch\nADD https://g.example/a.git#v1 /\n", "git://g.example/a.git#v1", 2),
        ("FROM scratch\nCOPY b /\n", "local://context", None),
        ("FROM scratch\nCOPY b /\n", "local://dockerfile", None),
    ],
)
def test_denied_sources_are_refused_with_their_line(
    app: InMemoryApp, dockerfile: str, identifier: str, line: int | None
) -> None:
    _with(app, "", {"action": "DENY", "selector": {"identifier": identifier}})

    with pytest.raises(ImgError) as refused:
        app.build(dockerfile, {"b": b"2"})

    assert refused.value.exit_code == 10
    assert f"is denied (policy: DENY {identifier}, p.json)" in refused.value.message
    if line is not None:
        assert isinstance(refused.value, SourceError)
        assert refused.value.lines == (line, line)


def test_sources_that_no_rule_denies_are_used(app: InMemoryApp) -> None:
    deny = {"action": "DENY", "selector": {"identifier": "*"}}
    allowed = ["docker-image://r.example/*", "local://*"]
    rules = [{"action": "ALLOW", "selector": {"identifier": each}} for each in allowed]
    _with(app, "", deny, *rules)

    app.build(_FROM, {"b": b"2"})


@pytest.mark.parametrize(
    ("dockerfile", "says", "line"),
    [
        (_FROM, f"{_BASE} has no digest (policy: pinned, s.toml)", 2),
        ("FROM scratch\nADD https://a.example/b /\n", "https://a.example/b has no checksum", 2),
        (
            "FROM scratch\nADD https://g.example/a.git#v1 /\n",
            "g.example/a.git#v1 has no checksum",
            2,
        ),
    ],
)
def test_what_is_not_pinned_is_refused(
    app: InMemoryApp, dockerfile: str, says: str, line: int
) -> None:
    _with(app, "pinned = true")

    error = _refused(app, dockerfile)

    assert says in error.message
    assert error.lines == (line, line)


def test_pinned_images_are_used(app: InMemoryApp) -> None:
    digest = app.registry.resolve(ImageReference.parse(_BASE)).digest
    _with(app, "pinned = true")

    app.build(f"FROM {_BASE}@{digest}\nCOPY b /\n", {"b": b"2"})


def test_the_guard_fills_in_checksums_of_downloads(app: InMemoryApp) -> None:
    checksum = Digest.of(b"content")
    _with(
        app,
        "pinned = true",
        {
            "action": "CONVERT",
            "selector": {"identifier": "https://a.example/b"},
            "updates": {"attrs": {"http.checksum": str(checksum)}},
        },
    )
    vertex = Vertex(operation=FetchUrl(url="https://a.example/b", filename=FileName("b")))
    plan = Plan(graph=Graph((vertex,)), target=0, config=ImageConfig(platform=HERE), history=())

    made = guarded_plan(plan, app.container.building.guard(), NoPins()).graph.vertices[0].operation

    assert isinstance(made, FetchUrl)
    assert made.checksum == checksum


def test_registries_are_limited(app: InMemoryApp) -> None:
    _with(app, 'registries = ["r.example"]')
    app.build(_FROM, {"b": b"2"})
    _with(app, 'registries = ["docker.io"]')

    error = _refused(app, _FROM)

    assert "not from an allowed registry (policy: registries, s.toml)" in error.message
    assert error.lines == (2, 2)


def test_setuid_programs_are_refused_with_the_line_that_made_them(app: InMemoryApp) -> None:
    def make(workspace: MemoryWorkspace) -> None:
        workspace.write("bin/su", b"su", mode=0o4755)

    app.commands["make"] = make
    _with(app, "no-setuid = true")
    app.build(_FROM, {"b": b"2"})
    app.images.remove(ImageReference.parse("app"))

    error = _refused(app, f"{_FROM}RUN make\nCOPY b /c\n")

    assert isinstance(error, StepForbidden)
    assert "setuid or setgid: /bin/su (policy: no-setuid, s.toml)" in error.message
    assert error.lines == (4, 4)
    assert "4 | >>> RUN make" in error.excerpt


def test_refused_licenses_name_the_packages(app: InMemoryApp) -> None:
    metadata = b"Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\nLicense: AGPL-3.0-only\n"
    files = {"six-1.16.0.dist-info/METADATA": metadata, "b": b"2"}
    dockerfile = f"FROM {_BASE}\nCOPY . /venv/lib/site-packages\n"
    _with(app, 'refused-licenses = ["GPL-*"]')
    app.build(dockerfile, files)
    app.images.remove(ImageReference.parse("app"))
    _with(app, 'refused-licenses = ["AGPL-*"]')

    error = _refused(app, dockerfile, files)

    assert "six 1.16.0 (AGPL-3.0-only) (policy: refused-licenses, s.toml)" in error.message
    assert error.lines == (2, 2)


def test_a_base_that_is_too_large_is_shown_by_its_line(app: InMemoryApp) -> None:
    _with(app, "max-size = 1")

    assert _refused(app, f"\nFROM {_BASE}\n").lines == (2, 2)
    _with(app, 'max-size = "1MB"')
    app.build(_FROM, {"b": b"2"})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("https://me:pw@A.example:443/b", "https://a.example/b is denied"),
        ("https://ok.example/a/../b", "/../b has . or .. in its path"),
        ("https://ok.example/a/%2e%2E/b", "has . or .. in its path"),
        ("https://ok.example/a/../../a.example/c.git", "has . or .. in its path"),
        ("https://G.example:443/a.git", "git://g.example/a.git is denied"),
        ("R.example:443/base:1", "docker-image://r.example/base:1 is denied"),
    ],
)
def test_other_spellings_of_a_denied_source_are_refused(
    app: InMemoryApp, source: str, says: str
) -> None:
    denied = ["https://a.example/*", "git://g.example/*", "docker-image://r.example/*"]
    _with(app, "", *({"action": "DENY", "selector": {"identifier": each}} for each in denied))

    instruction = f"ADD {source} /" if "://" in source else f"COPY --from={source} /a /"
    assert says in _refused(app, f"FROM scratch\n{instruction}\n").message
