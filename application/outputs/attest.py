"""Statements about built images, and the documents that hold them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from img.application.outputs.solved import Solved
from img.application.ports.blob_store import BlobStore, store_document
from img.application.transfer.catalog import Image
from img.domain.attestations.account import Account
from img.domain.attestations.image_names import purl_of_image
from img.domain.attestations.provenance import predicate_of, predicate_type
from img.domain.attestations.statement import SPDX_TYPE, Statement, Subject, go_json
from img.domain.attestations.storage import (
    EMPTY,
    PREDICATE_TYPE,
    attestation_manifest,
    index_entry,
    old_config,
    old_manifest,
    referrer_manifest,
    statement_layer,
)
from img.domain.attestations.wanted import MIN, AttestationsWanted, ProvenanceWanted
from img.domain.dataclass import dataclass
from img.domain.oci import media_types
from img.domain.oci.codec import encode_manifest
from img.domain.oci.descriptor import Descriptor
from img.domain.oci.manifest import Manifest
from img.domain.reference import ImageReference

if TYPE_CHECKING:
    from img.application.outputs.scan import ScanImages

SPDX_DOCUMENT = "application/spdx+json"
_NO_NAME = "_"  # for a subject that only a digest identifies (in-toto, "ResourceDescriptor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attest:
    """Statements about images, stored as blobs in the form that BuildKit gives them."""

    blobs: BlobStore
    scan: "Callable[[], ScanImages]"  # few images are scanned
    metadata_mode: str = MIN  # of provenance in the metadata file; "" for none

    def prepare(self, wanted: AttestationsWanted) -> None:
        """Look for the scanner image, so that a build without it fails before its steps.

        Raises InvalidReference, BaseUnavailable.
        """
        if wanted.sbom is not None and wanted.sbom.generator:
            self.scan().run_scanner.scanner(wanted.sbom.generator)

    def statements(
        self, solved: Solved, image: Image, names: Sequence[ImageReference]
    ) -> Sequence[Statement]:
        """Return the statements about ``image``, bills of materials first, provenance last.

        Raises what reading the packages and running a scanner raises.
        """
        attested = solved.attested
        assert attested is not None
        found: list[Statement] = []
        if attested.wanted.sbom is not None:
            found += self.scan()(attested.wanted.sbom, solved, attested.account, image, names)
        if attested.wanted.provenance is not None:
            found.append(_provenance(attested.wanted.provenance, attested.account, image))
        return found

    def for_metadata(self, solved: Solved, image: Image) -> Mapping[str, object] | None:
        """Return the predicate for the metadata file; None without provenance.

        It is in mode=min, or that of BUILDX_METADATA_PROVENANCE (buildx docs, "--metadata-file").
        """
        attested = solved.attested
        if attested is None or attested.wanted.provenance is None or not self.metadata_mode:
            return None
        wanted = replace(attested.wanted.provenance, mode=self.metadata_mode)
        return predicate_of(wanted, _with_layers(attested.account, image))

    def index_entry(
        self,
        statements: Sequence[Statement],
        image: Image,
        names: Sequence[ImageReference],
        *,
        artifact: bool,
    ) -> Descriptor:
        """Store the attestation manifest of ``image``; return its entry in the index."""
        subjects = subjects_of(image, names)
        layers = []
        for statement in statements:
            content = statement.encoded(subjects)
            layer = statement_layer(content, statement.predicate_type)
            layers.append(layer)
            store_document(self.blobs, content, layer.media_type)
        if artifact:
            self._store_empty()
            manifest = attestation_manifest(image.target, layers)
        else:
            config = store_document(self.blobs, old_config(layers), media_types.OCI_CONFIG)
            manifest = old_manifest(config, layers)
        return index_entry(self._stored(manifest), image.target)

    def referrers(
        self, statements: Sequence[Statement], image: Image, names: Sequence[ImageReference]
    ) -> Sequence[Descriptor]:
        """Store a manifest for each statement that refers to ``image``; return them.

        A bill of materials is stored as a plain document, as trivy and others look for it.
        """
        self._store_empty()
        return [self._referrer(each, image, subjects_of(image, names)) for each in statements]

    def _referrer(
        self, statement: Statement, image: Image, subjects: Sequence[Subject]
    ) -> Descriptor:
        if statement.predicate_type == SPDX_TYPE:
            content = go_json(statement.predicate).encode()
            layer = store_document(self.blobs, content, SPDX_DOCUMENT)
        else:
            content = statement.encoded(subjects)
            layer = statement_layer(content, statement.predicate_type)
            store_document(self.blobs, content, layer.media_type)
        annotations = {PREDICATE_TYPE: statement.predicate_type}
        manifest = referrer_manifest(image.target, layer, layer.media_type, annotations)
        stored = self._stored(manifest)
        return replace(stored, artifact_type=manifest.artifact_type, annotations=annotations)

    def _stored(self, manifest: Manifest) -> Descriptor:
        return store_document(self.blobs, encode_manifest(manifest), manifest.media_type)

    def _store_empty(self) -> None:
        store_document(self.blobs, EMPTY, media_types.OCI_EMPTY)


def subjects_of(image: Image, names: Sequence[ImageReference]) -> Sequence[Subject]:
    """Return a subject for each name; without any, one for the digest alone."""
    digest, platform = image.target.digest, image.config.platform
    listed = [Subject(purl_of_image(name, platform), digest) for name in names]
    return listed or [Subject(_NO_NAME, digest)]


def _provenance(wanted: ProvenanceWanted, account: Account, image: Image) -> Statement:
    return Statement(
        predicate_type=predicate_type(wanted),
        predicate=predicate_of(wanted, _with_layers(account, image)),
        filename=wanted.filename,
        inline_only=wanted.inline_only,
    )


def _with_layers(account: Account, image: Image) -> Account:
    """Return the account with the layers of ``image``, if they are those of the steps."""
    layers = image.manifest.layers
    is_same = len(layers) == account.depths.get(account.plan.target)
    return replace(account, layers=layers if is_same else ())
