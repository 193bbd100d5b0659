"""Built images in the store, in registries and in files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from img.application.outputs.assemble import Assemble
from img.application.outputs.solved import BuiltImage, Solved, is_multi_platform
from img.application.ports.clock import Clock
from img.application.ports.exporter import ArchivedImage, Exporter, LayoutExporter
from img.application.ports.image_store import ImageStore
from img.application.ports.output_files import OutputFiles
from img.application.solver.roots import Roots
from img.application.transfer.catalog import Catalog
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.errors import UsageError
from img.domain.oci.annotations import AnnotationPlace
from img.domain.outputs import AS_BUILT, ArchiveOutput, FilesOutput, ImageForm, ImageOutput
from img.domain.reference import ImageReference, in_repositories

if TYPE_CHECKING:
    from img.application.outputs.attest import Attest
    from img.application.transfer.publish import PublishImage
    from img.domain.attestations.statement import Statement


_Named = tuple[ImageForm, tuple[ImageReference, ...]]


class IndexNotWanted(UsageError):
    """The output takes images of one platform, and the build is for several."""

    def __init__(self) -> None:
        super().__init__(
            "docker exporter does not currently support exporting manifest lists",
            hint="use type=oci, or one --platform",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverImages:
    """Assembles images in the form of each output, and writes them to it."""

    assemble: Assemble
    images: ImageStore
    publish: "PublishImage"
    exporters: Callable[[], Mapping[str, Exporter]]  # by format; created on first use
    layouts: Callable[[], LayoutExporter]
    places: OutputFiles
    roots: Roots
    clock: Clock
    attest: "Attest"

    def of_build(self, built: Sequence[Solved]) -> "BuiltImages":
        """Return the images of one build."""
        return BuiltImages(parts=self, built=built)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImages:
    """The images of one build, assembled once in each form."""

    parts: DeliverImages
    built: Sequence[Solved]
    _known: dict[ImageForm, BuiltImage] = field(default_factory=dict)
    _stated: "dict[_Named, Sequence[Sequence[Statement]]]" = field(default_factory=dict)

    def __call__(self, form: ImageForm) -> BuiltImage:
        """Store the documents of the image in ``form`` and return it, without names.

        Raises UsageError if the form has no place for annotations.
        """
        known = self._known.get(form)
        if known is None:
            known = self._known[form] = self._assembled(form)
        return known

    def store(self, output: ImageOutput) -> BuiltImage:
        """Set the names of the output in the store; without names, keep the image without one."""
        image = self.attested(output.form, output.names)
        now = self.parts.clock.now()
        if output.unpack:
            for each in self.built:
                with self.parts.roots.workspace(each.stack):
                    pass
        if output.store:
            names = _names_here(output, image.target.digest)
            for name in names or (image.target.digest,):
                self.parts.images.put(name, image.target, now)
            for referrer in image.referrers:
                self.parts.images.put(referrer.digest, referrer, now)
            if image.referrers:
                self._drop_former_referrers()
        return image

    def _drop_former_referrers(self) -> None:
        """Remove attestations about an image that had the name before."""
        from img.application.transfer.stored_referrers import (
            StoredReferrers,
        )  # few builds have them

        catalog = Catalog(blobs=self.parts.assemble.blobs)
        StoredReferrers(images=self.parts.images, catalog=catalog).drop_orphans()

    def push(self, output: ImageOutput) -> BuiltImage:
        """Push the image to the registries of the names of the output."""
        image = self.attested(output.form, output.names)
        by_digest = image.target.digest if output.push_by_digest else None
        names = [name.with_digest(by_digest) if by_digest else name for name in output.names]
        self.parts.publish(image.target, *names)
        for referrer in image.referrers:
            self.parts.publish(referrer, *in_repositories(names, referrer.digest))
        return image

    def archive(self, output: ArchiveOutput) -> BuiltImage:
        """Write the image to the place of the output. Raises IndexNotWanted, OutputNotWritten."""
        if output.format == "docker" and is_multi_platform(self.built):
            raise IndexNotWanted
        if output.format == "docker":  # its readers need a manifest
            image = replace(self(output.form), names=output.names)
        else:
            inline = output.form.attestation_inline
            image = self.attested(output.form, output.names, archived=not inline)
        archived = [ArchivedImage(target=image.target, references=output.names)]
        archived += [ArchivedImage(target=each) for each in image.referrers]
        if output.tar:
            with self.parts.places.file(output.destination) as file:
                self.parts.exporters()[output.format].export(archived, file)
        else:
            self.parts.layouts().export(archived, output.destination)
        return image

    def attested(
        self, form: ImageForm, names: tuple[ImageReference, ...], *, archived: bool = False
    ) -> BuiltImage:
        """Return the image with its attestations; ``archived`` leaves some of them out.

        In an index they are part of the image; referrers are beside it.
        """
        image = replace(self(form), names=names)
        if not self.has_attestations:
            return image
        stated = [
            [each for each in one if not (archived and each.inline_only)]
            for one in self._statements(form, image)
        ]
        attest, found = self.parts.attest, replace(image, provenance=self._provenance(image))
        pairs = list(zip(stated, image.images, strict=True))
        if self._as_referrers:
            referrers = [attest.referrers(*pair, names) for pair in pairs if pair[0]]
            return replace(found, referrers=tuple(each for one in referrers for each in one))
        entries = [
            attest.index_entry(*pair, names, artifact=form.oci_artifact)
            for pair in pairs
            if pair[0]
        ]
        if not entries:
            return found
        return replace(found, target=self.parts.assemble.index(image.images, form, entries))

    @property
    def has_attestations(self) -> bool:
        """True if the build was asked for attestations."""
        return any(each.attested is not None for each in self.built)

    def stated(self, output: FilesOutput) -> Sequence[Sequence["Statement"]]:
        """Return the statements about each platform for an output that is files."""
        if not self.has_attestations:
            return ()
        inline = output.attestation_inline
        return [
            [each for each in one if inline or not each.inline_only]
            for one in self._statements(AS_BUILT, self(AS_BUILT))
        ]

    @property
    def _has_index(self) -> bool:
        is_attested = self.has_attestations and not self._as_referrers
        return is_attested or is_multi_platform(self.built)

    @property
    def _as_referrers(self) -> bool:
        return any(each.attested and each.attested.wanted.as_referrers for each in self.built)

    def _statements(self, form: ImageForm, image: BuiltImage) -> Sequence[Sequence["Statement"]]:
        key = (form, image.names)
        if key not in self._stated:
            pairs = zip(self.built, image.images, strict=True)
            attest = self.parts.attest
            self._stated[key] = [attest.statements(*pair, image.names) for pair in pairs]
        return self._stated[key]

    def _provenance(self, image: BuiltImage) -> Mapping[str, Mapping[str, object]]:
        found = {}
        for solved, one in zip(self.built, image.images, strict=True):
            predicate = self.parts.attest.for_metadata(solved, one)
            if predicate is not None:
                found[str(solved.platform)] = predicate
        return found

    def _assembled(self, form: ImageForm) -> BuiltImage:
        self._check_annotations(form)
        images = tuple(
            self.parts.assemble(each.plan, each.results, each.epoch, form, each.inline)
            for each in self.built
        )
        in_index = is_multi_platform(self.built)
        target = self.parts.assemble.index(images, form) if in_index else images[0].target
        return BuiltImage(target=target, images=images)

    def _check_annotations(self, form: ImageForm) -> None:
        platforms = {each.plan.config.platform.normalized() for each in self.built}
        of_index = (AnnotationPlace.INDEX, AnnotationPlace.INDEX_DESCRIPTOR)
        for each in form.annotations:
            if each.platform is not None and each.platform.normalized() not in platforms:
                raise UsageError(f"invalid annotation: no platform {each.platform} found in source")
            if each.place in of_index and not self._has_index:
                raise UsageError("index annotations not supported for single platform export")


def _names_here(output: ImageOutput, digest: Digest) -> list[ImageReference]:
    names = list(output.names)
    if output.name_canonical:
        names += [name.with_digest(digest) for name in output.names]
    if output.dangling_prefix and not (output.dangling_empty_only and output.names):
        prefix = ImageReference.parse(output.dangling_prefix, default_tag=False)
        names.append(prefix.with_digest(digest))
    return names
