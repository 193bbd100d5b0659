"""Outputs of ``-o``, ``--push`` and ``--load``."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from img.domain.errors import ImgError, UsageError
from img.domain.oci.annotations import Annotation, AnnotationPlace
from img.domain.oci.compression import Algorithm, Compression
from img.domain.options.outputs import OutputOptions, parse_outputs
from img.domain.outputs import (
    ArchiveOutput,
    FilesOutput,
    ImageForm,
    ImageOutput,
    Output,
    reads_layers,
)
from img.domain.platform import Platform
from img.domain.reference import ImageReference

HOST = Platform("linux", "amd64")
APP = ImageReference.parse("quay.io/team/app")


def outputs(*texts: str, **fields: object) -> tuple[Output, ...]:
    return parse_outputs(OutputOptions(outputs=texts, **fields), HOST)  # type: ignore[arg-type]


def form(text: str) -> ImageForm:
    (output,) = outputs(f"type=image,{text}")
    assert isinstance(output, ImageOutput)
    return output.form


def test_without_a_word_of_outputs_the_image_gets_its_names_here() -> None:
    assert outputs(tags=["quay.io/team/app"]) == (ImageOutput(names=(APP,)),)
    assert outputs(tags=["quay.io/team/app"], load=True) == (ImageOutput(names=(APP,)),)


@pytest.mark.parametrize(
    ("texts", "push"), [((), True), (("type=registry",), False), (("type=image,push=true",), False)]
)
def test_what_is_not_to_be_pushed_is_no_output_that_is(texts: tuple[str, ...], push: bool) -> None:
    with pytest.raises(UsageError, match="--no-push contradicts"):
        outputs(*texts, push=push, no_push=True, tags=[str(APP)])
    assert outputs("type=image,push=false", no_push=True) == outputs("type=image")


def test_a_pushed_image_stays_here_only_if_that_is_asked_for() -> None:
    pushed = ImageOutput(names=(APP,), push=True, store=False)

    assert outputs(push=True, tags=[str(APP)]) == (pushed,)
    assert outputs("type=registry", tags=[str(APP)]) == (pushed,)
    assert outputs("type=registry,name=quay.io/team/app") == (pushed,)
    assert outputs("type=image", push=True, tags=[str(APP)]) == (
        ImageOutput(names=(APP,), push=True),
    )
    assert outputs(push=True, load=True, tags=[str(APP)]) == (pushed, ImageOutput(names=(APP,)))
    assert outputs("out", push=True, tags=[str(APP)]) == (FilesOutput(destination="out"), pushed)


def test_tags_are_the_names_of_all_images() -> None:
    found = outputs("type=oci,dest=a.tar,name=other", "type=image,name=other", tags=[str(APP)])

    assert [each.names for each in found if isinstance(each, ArchiveOutput | ImageOutput)] == [
        (APP,),
        (APP,),
    ]


def test_several_names_stand_in_quotes() -> None:
    (output,) = outputs('type=docker,dest=x.tar,"name=quay.io/team/app,other:1"')

    assert output == ArchiveOutput(
        format="docker", destination="x.tar", names=(APP, ImageReference.parse("other:1"))
    )


def test_a_lone_word_is_a_directory_and_a_dash_is_a_tar_file() -> None:
    assert outputs("out", "-") == (
        FilesOutput(destination="out"),
        FilesOutput(destination="-", tar=True),
    )


def test_every_attribute_of_files_is_read() -> None:
    (output,) = outputs(
        "type=local,dest=out,mode=delete,platform-split=false,source-date-epoch=7",
        allowed=frozenset({"buildx.local.delete"}),
    )

    assert output == FilesOutput(destination="out", delete=True, platform_split=False, epoch=7)


def test_every_attribute_of_an_image_is_read() -> None:
    (output,) = outputs(
        "type=image,name=quay.io/team/app,push=true,push-by-digest=true,registry.insecure=true,"
        "unpack=true,store=false,name-canonical=true,dangling-name-prefix=img,"
        "danging-name-empty-only=true"
    )

    assert output == ImageOutput(
        names=(ImageReference.parse("quay.io/team/app", default_tag=False),),
        push=True,
        push_by_digest=True,
        insecure=True,
        unpack=True,
        store=False,
        name_canonical=True,
        dangling_prefix="img",
        dangling_empty_only=True,
    )


def test_every_attribute_of_a_form_is_read() -> None:
    assert form(
        "compression=zstd,compression-level=9,force-compression=true,rewrite-timestamp=true,"
        "source-date-epoch=5,annotation-index-descriptor[linux/arm64].Key=v=w"
    ) == ImageForm(
        compression=Compression(Algorithm.ZSTD, 9),
        force_compression=True,
        rewrite_timestamp=True,
        epoch=5,
        annotations=(
            Annotation(
                key="Key",
                value="v=w",
                place=AnnotationPlace.INDEX_DESCRIPTOR,
                platform=Platform("linux", "arm64"),
            ),
        ),
    )
    assert not form("oci-mediatypes=false").oci_types
    assert form("name=a") == ImageForm()
    assert form("force-compression=true").compression == Compression()
    assert form("compression-level=0").compression == Compression(Algorithm.GZIP, 0)


def test_annotations_of_the_command_line_are_those_of_all_images() -> None:
    image, files, archive = outputs(
        "type=image", "out", "type=oci,annotation.own=1", annotations=["index,manifest:a=b"]
    )

    assert isinstance(image, ImageOutput) and isinstance(archive, ArchiveOutput)
    common = (
        Annotation(key="a", value="b", place=AnnotationPlace.INDEX),
        Annotation(key="a", value="b"),
    )
    assert image.form.annotations == common
    assert archive.form.annotations == (*common, Annotation(key="own", value="1"))
    assert files == FilesOutput(destination="out")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name=x", "type is required for output"),
        ("", "type is required for output"),
        ("type=tarball", "unsupported type 'tarball'"),
        ("type=local", "dest is required for local exporter"),
        ("type=oci,tar=false", "dest is required for oci exporter"),
        ("type=docker,dest=x,tar=false", "type=docker is always a tar file"),
        ("type=docker,dest=x,compression=zstd", "no attribute 'compression' for type=docker"),
        ("type=registry", "tag is needed when pushing to registry"),
        ("type=image,push=true", "tag is needed when pushing to registry"),
        ("type=image,push=perhaps", "non-bool value specified for push"),
        ("type=image,name=a:1,push-by-digest=true", "can't push tagged ref docker.io/library/a:1"),
        ("type=image,compression=estargz", "compression estargz is not supported"),
        ("type=image,compression=lzma", "unsupported compression 'lzma'"),
        ("type=image,compression-level=10", "compression-level must be from 0 to 9"),
        ("type=image,compression=zstd,compression-level=23", "must be from 0 to 22"),
        ("type=image,compression=uncompressed,compression-level=1", "is for gzip and zstd"),
        ("type=image,compression=zstd,oci-mediatypes=false", "not possible with compression=zstd"),
        ("type=image,annotation.a=b,oci-mediatypes=false", "not possible with annotations"),
        ("type=image,annotation-layer.a=b", 'unknown annotation type "layer"'),
        ("type=image,annotationx.a=b", "no attribute 'annotationx.a' for type=image"),
        ("type=image,prefer-nondist-layers=true", "no attribute 'prefer-nondist-layers'"),
        ("type=local,dest=d,attestation-prefix=../", "beginning of a file name"),
        ("type=local,dest=x,annotation.a=b", "no attribute 'annotation.a' for type=local"),
        ("type=local,dest=x,mode=mirror", "unsupported mode 'mirror'"),
        (
            "type=local,dest=x,mode=delete",
            'mode=delete for destination "x" requires --allow=buildx.local.delete',
        ),
        ("type=tar,source-date-epoch=soon", "non-int value specified for source-date-epoch"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        outputs(text)

    assert problem in refused.value.message


def test_only_one_output_goes_to_standard_output() -> None:
    with pytest.raises(UsageError, match="multiple outputs configured to write to stdout"):
        outputs("-", "type=oci")


def test_annotations_need_an_image() -> None:
    with pytest.raises(UsageError, match="needs an output of the type image, registry or oci"):
        outputs("out", annotations=["a=b"])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("type=cacheonly", False),
        ("type=registry,name=a", False),
        ("type=registry,name=a,compression=zstd", False),
        ("type=registry,name=a,force-compression=true", True),
        ("type=image", True),
        ("type=image,store=false", False),
        ("type=image,unpack=true", True),
        ("type=image,name=a", True),
        ("type=oci", True),
        ("out", True),
    ],
)
def test_the_layers_of_a_base_are_needed_only_where_they_are_read(text: str, read: bool) -> None:
    (output,) = outputs(text)

    assert reads_layers(output) is read


@given(st.text(max_size=40))
def test_any_text_is_an_output_or_a_mistake_of_the_users(text: str) -> None:
    try:
        outputs(text)
    except ImgError as error:
        assert error.message


NAMES = st.from_regex(r"[a-z]{1,5}(:[a-z0-9]{1,3})?", fullmatch=True)


@given(st.lists(NAMES, min_size=1, max_size=3, unique=True), st.text('a/b ,"=é', min_size=1))
def test_names_and_places_come_through_csv_as_they_are(names: list[str], place: str) -> None:
    line = io.StringIO()
    fields = ["type=oci", f"name={','.join(names)}", f"dest={place}"]
    csv.writer(line, lineterminator="").writerow(fields)

    (output,) = outputs(line.getvalue())

    assert isinstance(output, ArchiveOutput)
    assert output.destination == place
    assert output.names == tuple(dict.fromkeys(ImageReference.parse(name) for name in names))


def test_dir_is_another_name_of_local() -> None:
    assert outputs("type=dir,dest=out") == outputs("type=local,dest=out")
