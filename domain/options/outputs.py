"""``-o``, ``--push`` and ``--load`` (buildx, util/buildflags/export.go and build/opt.go)."""

from collections.abc import Iterable, Sequence

from img.domain.dataclass import dataclass
from img.domain.errors import UsageError
from img.domain.filesystem.file_name import is_file_name
from img.domain.go.csv_fields import BadCsv, split_csv
from img.domain.oci.annotations import Annotation
from img.domain.options import image_form
from img.domain.options.annotations import is_annotation_attribute, parse_annotation
from img.domain.options.attributes import Attributes
from img.domain.options.entitlements import DELETE_OUTPUT
from img.domain.outputs import (
    STANDARD_OUTPUT,
    ArchiveOutput,
    CacheOnly,
    DiskImageOutput,
    FilesOutput,
    ImageForm,
    ImageOutput,
    Output,
    Squash,
    is_streamed,
)
from img.domain.platform import Platform
from img.domain.reference import ImageReference

_OPTION = "--output"
_FILES = frozenset(
    {"dest", "platform-split", "source-date-epoch", "attestation-inline", "attestation-prefix"}
)
_ARCHIVE = frozenset({"dest", "name"})
_DISK_IMAGE = frozenset({"dest", "compression", "source-date-epoch"})
# The second name is BuildKit's.
_EMPTY_ONLY = ("dangling-name-empty-only", "danging-name-empty-only")
_KNOWN = {
    "image": image_form.ATTRIBUTES
    | {
        "name", "push", "push-by-digest", "registry.insecure", "store", "unpack",
        "name-canonical", "dangling-name-prefix", *_EMPTY_ONLY,
    },
    "oci": image_form.ATTRIBUTES | _ARCHIVE | {"tar"},
    "docker": frozenset(_ARCHIVE | {"source-date-epoch", "rewrite-timestamp", "tar"}),
    "local": _FILES | {"mode"},
    "tar": _FILES,
    "squashfs": _DISK_IMAGE,
    "sif": _DISK_IMAGE,
    "cacheonly": frozenset(),
}  # fmt: skip
_KNOWN["registry"] = _KNOWN["image"]
_DIRECTORY = "dir"  # another name of local
_WITH_ANNOTATIONS = ("image", "registry", "oci")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """The options of the command line that choose outputs, as text."""

    outputs: Sequence[str] = ()
    tags: Sequence[str] = ()
    annotations: Sequence[str] = ()
    allowed: frozenset[str] = frozenset()  # entitlements
    push: bool = False
    no_push: bool = False
    load: bool = False
    squash: str = ""  # of --squash


def parse_outputs(options: OutputOptions, host: Platform) -> tuple[Output, ...]:
    """Return the outputs that the options ask for; without any, an image in the store.

    The names of ``-t`` replace ``name`` in every output that has names. Raises UsageError,
    InvalidReference.
    """
    wanted = [_typed(text) for text in options.outputs]
    if options.push:
        wanted = _pushed(wanted)
    if options.load or not wanted:
        wanted = _loaded(wanted)
    marks = [each for text in options.annotations for each in parse_annotation(text, host)]
    if marks and not any(each["type"] in _WITH_ANNOTATIONS for each in wanted):
        raise UsageError("--annotation needs an output of the type image, registry or oci")
    squash = image_form.parse_squash(options.squash)
    parsed = tuple(_output(each, options, marks, host, squash) for each in wanted)
    if options.no_push and any(isinstance(each, ImageOutput) and each.push for each in parsed):
        raise UsageError("--no-push contradicts an output that is pushed", hint="leave one out")
    if sum(map(is_streamed, parsed)) > 1:
        raise UsageError("multiple outputs configured to write to stdout")
    return parsed


def _typed(text: str) -> Attributes:
    """Return the attributes of one ``-o``; a word is a directory, ``-`` is a tar on stdout."""
    if _is_lone(text):
        kind = "tar" if text == STANDARD_OUTPUT else "local"
        return Attributes(option=_OPTION, text=text, values={"type": kind, "dest": text})
    read = Attributes.parse(_OPTION, text)
    # buildx accepts keys in any case; only the case of annotation keys matters.
    values = {
        key if key.lower().startswith("annotation") else key.lower(): value
        for key, value in read.values.items()
    }
    if values.get("type") == _DIRECTORY:
        values["type"] = "local"
    found = Attributes(option=_OPTION, text=text, values=values)
    if not found["type"]:
        raise UsageError("type is required for output")
    if found["type"] not in _KNOWN:
        found.refuse(f"unsupported type {found['type']!r}", hint=", ".join(_KNOWN))
    for key in found.values:
        if key not in _KNOWN[found["type"]] | {"type"} and not _is_annotation(found["type"], key):
            found.refuse(f"img knows no attribute {key!r} for type={found['type']}")
    return found


def _is_lone(text: str) -> bool:
    try:
        return split_csv(text) == (text,) and "=" not in text
    except BadCsv:
        return False


def _is_annotation(kind: str, key: str) -> bool:
    return kind in _WITH_ANNOTATIONS and is_annotation_attribute(key)


def _pushed(wanted: Sequence[Attributes]) -> list[Attributes]:
    """Return the outputs with all images pushed; without an image among them, add one."""
    if not any(each["type"] in {"image", "registry"} for each in wanted):
        return [*wanted, _plain("registry", "--push")]
    return [
        Attributes(option=each.option, text=each.text, values={**each.values, "push": "true"})
        if each["type"] == "image"
        else each
        for each in wanted
    ]


def _loaded(wanted: Sequence[Attributes]) -> list[Attributes]:
    if any(each["type"] == "image" for each in wanted):
        return list(wanted)
    return [*wanted, _plain("image", "--load")]


def _plain(kind: str, option: str) -> Attributes:
    return Attributes(option=option, text="", values={"type": kind})


def _output(
    attributes: Attributes,
    options: OutputOptions,
    annotations: Iterable[Annotation],
    host: Platform,
    squash: Squash | None,
) -> Output:
    match attributes["type"]:
        case "image" | "registry":
            form = image_form.parse_image_form(attributes, annotations, host, squash)
            return _image(attributes, options, form)
        case "oci":
            form = image_form.parse_image_form(attributes, annotations, host, squash)
            return _archive(attributes, options.tags, form)
        case "docker":
            form = image_form.parse_image_form(attributes, (), host, squash)
            return _archive(attributes, options.tags, form)
        case "local" | "tar":
            return _files(attributes, options.allowed)
        case "squashfs" | "sif":
            return _disk_image(attributes)
        case _:
            return CacheOnly()


def _image(attributes: Attributes, options: OutputOptions, form: ImageForm) -> ImageOutput:
    registry = attributes["type"] == "registry"
    push = registry or bool(attributes.flag("push"))
    by_digest = bool(attributes.flag("push-by-digest"))
    names = _names(attributes, options.tags, by_digest=by_digest)
    if push and not names:
        raise UsageError("tag is needed when pushing to registry", hint="-t, or name=")
    store = attributes.flag("store")
    return ImageOutput(
        names=names,
        form=form,
        store=not registry if store is None else store,
        push=push,
        push_by_digest=by_digest,
        insecure=bool(attributes.flag("registry.insecure")),
        unpack=bool(attributes.flag("unpack")),
        name_canonical=bool(attributes.flag("name-canonical")),
        dangling_prefix=attributes["dangling-name-prefix"],
        dangling_empty_only=any(attributes.flag(key) for key in _EMPTY_ONLY),
    )


def _names(
    attributes: Attributes, tags: Sequence[str], *, by_digest: bool = False
) -> tuple[ImageReference, ...]:
    texts = tags or attributes.names("name")
    names = [ImageReference.parse(text, default_tag=not by_digest) for text in texts]
    for name in names:
        if by_digest and (name.tag or name.digest):
            raise UsageError(f"can't push tagged ref {name} by digest")
        if name.digest:
            raise UsageError(
                f"{name} has a digest, but no image is made to fit one", hint="use NAME:TAG"
            )
    return tuple(dict.fromkeys(names))


def _archive(attributes: Attributes, tags: Sequence[str], form: ImageForm) -> ArchiveOutput:
    tar = attributes.flag("tar") is not False
    if not tar and attributes["type"] == "docker":
        attributes.refuse("type=docker is always a tar file", hint="use type=oci,tar=false")
    if not tar and attributes["dest"] in ("", STANDARD_OUTPUT):
        raise UsageError("dest is required for oci exporter")
    return ArchiveOutput(
        format=attributes["type"],
        destination=attributes["dest"] or STANDARD_OUTPUT,
        names=_names(attributes, tags),
        form=form,
        tar=tar,
    )


def _files(attributes: Attributes, allowed: frozenset[str]) -> FilesOutput:
    tar = attributes["type"] == "tar"
    destination = attributes["dest"]
    if not tar and not destination:
        raise UsageError("dest is required for local exporter")
    delete = attributes.choice("mode", ("copy", "delete")) == "delete"
    if delete and DELETE_OUTPUT not in allowed:
        raise UsageError(
            f'local output mode=delete for destination "{destination}"'
            f" requires --allow={DELETE_OUTPUT}"
        )
    return FilesOutput(
        destination=destination or STANDARD_OUTPUT,
        tar=tar,
        delete=delete,
        platform_split=attributes.flag("platform-split"),
        epoch=image_form.parse_epoch(attributes),
        attestation_inline=attributes.flag("attestation-inline") or False,
        attestation_prefix=_prefix(attributes),
    )


def _prefix(attributes: Attributes) -> str:
    prefix = attributes["attestation-prefix"]
    if prefix and not is_file_name(prefix):
        attributes.refuse("attestation-prefix must be the beginning of a file name")
    return prefix


def _disk_image(attributes: Attributes) -> DiskImageOutput:
    return DiskImageOutput(
        format=attributes["type"],
        destination=attributes["dest"] or STANDARD_OUTPUT,
        compression=attributes.choice("compression", ("gzip", "zstd")),
        epoch=image_form.parse_epoch(attributes),
    )
