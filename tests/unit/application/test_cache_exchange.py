"""Builds that use what other machines built; every machine has a store of its own."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from img.adapters.blob_store.memory import MemoryBlobStore
from img.application.ports.registry import RegistryError
from img.domain.digest import Digest
from img.domain.image_name import ImageName
from img.domain.oci.codec import decode_manifest, encode_index
from img.domain.oci.index import Index
from img.domain.oci.layout import blob_path
from img.domain.oci.media_types import OCI_INDEX, OCI_LAYER, OCI_LAYER_ZSTD
from img.domain.options.cache import CacheExchange
from img.domain.outputs import ImageForm, ImageOutput
from img.domain.progress import VertexWarning
from img.domain.reference import ImageReference
from tests.support.images.image_archives import LOW, add
from tests.support.in_memory_app import InMemoryApp, a_request, image_of

DOCKERFILE = """\
FROM compiler AS build
WORKDIR /src
COPY main.c .
RUN --mount=type=cache,target=/c cc
FROM runtime
WORKDIR /app
COPY --from=build /src/main /bin/main
RUN strip
CMD ["/bin/main"]
"""
FILES = {"main.c": b"int main;"}
CACHE = "registry.example.com/app:cache"
MAX = f"type=registry,ref={CACHE},mode=max"
FROM = f"type=registry,ref={CACHE}"


def a_machine(other: InMemoryApp | None = None) -> InMemoryApp:
    """Return a machine with nothing in its store, and the registries of ``other``."""
    machine = InMemoryApp() if other is None else InMemoryApp(registry=other.registry)
    if other is None:
        machine.publish("compiler", {"bin/cc": b"cc"})
        machine.publish("runtime", {"etc/motd": b"hi"})
    machine.commands["cc"] = lambda root: root.write("src/main", b"program")
    machine.commands["strip"] = lambda root: root.write("bin/main", b"prog")
    return machine


def commands(machine: InMemoryApp) -> list[str]:
    return [process.argv[-1] for process in machine.executor.processes]


def warnings(machine: InMemoryApp) -> list[str]:
    return [e.message for e in machine.progress.events if isinstance(e, VertexWarning)]


@pytest.mark.parametrize(
    ("to", "where"),
    [
        (MAX, FROM),
        (MAX, CACHE),
        (f"{MAX},oci-mediatypes=false", FROM),
        ("type=local,mode=max,dest={tmp}/cache", "type=local,src={tmp}/cache"),
        ("type=local,mode=max,dest={tmp}/cache,tag=v1", "type=local,src={tmp}/cache,tag=v1"),
    ],
)
def test_a_clean_machine_runs_no_step_and_gives_the_same_image(
    to: str, where: str, tmp_path: Path
) -> None:
    first = a_machine()
    built = first.build(DOCKERFILE, FILES, cache_to=[to.format(tmp=tmp_path)])
    second = a_machine(first)

    again = second.build(DOCKERFILE, FILES, cache_from=[where.format(tmp=tmp_path)])

    assert commands(first) == ["cc", "strip"]
    assert commands(second) == []
    assert again.target == built.target
    assert second.files_of(again) == {"bin/main": b"prog", "etc/motd": b"hi"}


def test_what_was_found_in_a_cache_elsewhere_may_be_left_for_others(tmp_path: Path) -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES, cache_to=[MAX])
    second = a_machine(first)
    local = f"type=local,mode=max,dest={tmp_path}/cache"
    second.build(DOCKERFILE, FILES, cache_from=[FROM], cache_to=[local])
    third = a_machine(first)

    third.build(DOCKERFILE, FILES, cache_from=[f"type=local,src={tmp_path}/cache"])

    assert commands(third) == []


def test_equal_contents_are_found_though_they_were_made_in_another_way() -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES, cache_to=[MAX])
    second = a_machine(first)
    second.commands["cc -g"] = second.commands["cc"]

    second.build(DOCKERFILE.replace(" cc\n", " cc -g\n"), FILES, cache_from=[FROM])

    assert commands(second) == ["cc -g"]


def test_the_least_cache_has_the_steps_below_the_image_only() -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES, cache_to=[FROM])
    second = a_machine(first)

    second.build(DOCKERFILE, FILES, cache_from=[FROM])

    assert commands(second) == []


def test_an_image_can_hold_its_own_cache() -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES, tags=["app"], cache_to=["type=inline"])
    first.container.images.push_image()(ImageName.of(ImageReference.parse("app")))
    second = a_machine(first)

    again = second.build(DOCKERFILE, FILES, cache_from=["app"], cache_to=["inline"])

    assert commands(second) == []
    assert again.target == first.images.get(ImageReference.parse("app")).target


def test_layers_of_a_cache_are_compressed_as_it_is_said(tmp_path: Path) -> None:
    first, place = a_machine(), tmp_path / "cache"
    target = f"type=local,mode=max,mounts=true,dest={place},compression=zstd"
    built = first.build(DOCKERFILE, FILES, cache_to=[target])
    second = a_machine(first)

    again = second.build(DOCKERFILE, FILES, cache_from=[f"type=local,src={place}"])

    assert commands(second) == []
    assert image_of(again).config == image_of(built).config
    (manifest,) = json.loads((place / "index.json").read_text())["manifests"]
    document = (place / blob_path(Digest.parse(manifest["digest"]))).read_bytes()
    assert {layer.media_type for layer in decode_manifest(document).layers} == {OCI_LAYER_ZSTD}


def test_a_cache_in_an_image_whose_times_are_cut_leads_to_its_layers() -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES)
    second = a_machine(first)
    form = ImageForm(rewrite_timestamp=True, epoch=2)
    name = ImageReference.parse("quay.io/team/app")
    inline = CacheExchange.parse((), ["inline"])
    first.deliver(ImageOutput(names=(name,), form=form, store=False, push=True), caches=inline)

    second.build(DOCKERFILE, FILES, cache_from=[str(name)])

    assert commands(second) == []


def test_an_image_of_an_epoch_that_holds_its_cache_is_the_same_whenever_it_is_built() -> None:
    at = replace(a_request(), build_args={"SOURCE_DATE_EPOCH": "2"})
    earlier, later = a_machine(), a_machine()
    later.clock.advance(timedelta(hours=1))

    built = [
        machine.build(DOCKERFILE, FILES, request=at, cache_to=["inline"]).target
        for machine in (earlier, later)
    ]

    assert built[0] == built[1]


def test_the_cache_in_a_base_image_is_not_the_cache_of_what_stands_on_it() -> None:
    machine = a_machine()
    machine.build("FROM runtime\nRUN strip", tags=["base"], cache_to=["inline"])

    built = machine.build("FROM base\nCMD x", tags=["app"])

    assert not image_of(built).config.unknown


def test_a_cache_that_is_not_there_is_a_warning() -> None:
    machine = a_machine()

    machine.build(DOCKERFILE, FILES, cache_from=[FROM])

    assert commands(machine) == ["cc", "strip"]
    assert [text for text in warnings(machine) if CACHE in text and "not found" in text]


def test_an_image_without_a_cache_is_a_warning() -> None:
    machine = a_machine()

    machine.build(DOCKERFILE, FILES, cache_from=["runtime"])

    assert [text for text in warnings(machine) if "holds no cache" in text]


def test_a_step_whose_layer_is_gone_is_done_again() -> None:
    first = a_machine()
    built = first.build(DOCKERFILE, FILES, cache_to=[MAX])
    second = a_machine(first)
    second.registry.forget(image_of(built).layers[-1].descriptor.digest)

    again = second.build(DOCKERFILE, FILES, cache_from=[FROM])

    assert commands(second) == ["strip"]
    assert second.files_of(again)["bin/main"] == b"prog"


def test_layers_of_steps_that_are_not_looked_at_stay_where_they_are() -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES, cache_to=[MAX])
    content = first.registry.manifest(
        reference := ImageReference.parse(CACHE), first.registry.resolve(reference)
    )
    second = a_machine(first)

    built = second.build(DOCKERFILE, FILES, cache_from=[FROM])

    layers = {layer.digest for layer in decode_manifest(content).layers}
    wanted = {layer.descriptor.digest for layer in image_of(built).layers}
    assert layers & set(second.registry.fetched) == layers & wanted


def test_a_cache_that_cannot_be_written_fails_the_build() -> None:
    machine = a_machine()
    machine.build(DOCKERFILE, FILES)
    machine.registry.lose("registry.example.com")

    with pytest.raises(RegistryError):
        machine.build(DOCKERFILE, FILES, cache_to=[MAX])


def test_unless_that_is_to_be_ignored() -> None:
    machine = a_machine()
    machine.build(DOCKERFILE, FILES)
    machine.registry.lose("registry.example.com")

    machine.build(DOCKERFILE, FILES, cache_to=[f"{MAX},ignore-error=true"])

    assert [text for text in warnings(machine) if "registry.example.com" in text]


def test_without_cache_nothing_is_imported() -> None:
    first = a_machine()
    first.build(DOCKERFILE, FILES, cache_to=[MAX])
    second = a_machine(first)

    from tests.support.in_memory_app import a_request

    second.build(DOCKERFILE, FILES, request=a_request(no_cache=True), cache_from=[FROM])

    assert commands(second) == ["cc", "strip"]


def test_a_cache_that_buildkit_left_is_said_to_be_none() -> None:
    machine = InMemoryApp()
    place = ImageReference.parse(CACHE)
    blobs = MemoryBlobStore()
    config = add(blobs, b"{}", "application/vnd.buildkit.cacheconfig.v0")
    index = Index(manifests=(add(blobs, LOW, OCI_LAYER), config))
    machine.registry.push_manifest(place, encode_index(index), OCI_INDEX)

    machine.build("FROM scratch\nCOPY a /\n", {"a": b"1"}, cache_from=[CACHE])

    assert warnings(machine) == [f"cache not used: {place} holds no cache that img can read"]
