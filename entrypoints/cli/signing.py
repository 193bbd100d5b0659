"""``img sign``, ``img verify`` and ``img generate-key-pair``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands, keyless, options
from img.entrypoints.cli.copying import registries_of
from img.entrypoints.cli.key_files import (
    naming,
    new_password,
    password_of,
    read_key,
    write_key_pair,
)
from img.entrypoints.cli.options import RegistryOptions, Texts, option
from img.entrypoints.cli.output import say, say_text
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Needs, Session
from img.entrypoints.settings import host_platform

if TYPE_CHECKING:
    from img.application.ports.signing_keys import BundleSigner
    from img.application.usecases.sign_image import Predicate
    from img.domain.image_place import ImagePlace
    from img.domain.signing.candidate import Holds

_LARGEST_PREDICATE = 16 << 20  # bytes

Words = Annotated[Texts, typer.Argument(hidden=True)]
Key = Annotated[
    str, option("--key", says="Use the key in this file, or in env://VARIABLE.", value="FILE")
]
Annotations = Annotated[
    Texts,
    option("--annotations", "-a", says="An annotation in the signature.", value="KEY=VALUE"),
]
Type = Annotated[
    str, option("--type", says="The type of an attestation: a URI, or spdxjson …", value="TYPE")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "sign", cls=commands.followed_by("NAME"), short_help="Sign an image, or attestations of it."
    )(sign)
    app.command(
        "verify", cls=commands.followed_by("NAME"), short_help="Verify signatures of an image."
    )(verify)
    app.command(
        "generate-key-pair", cls=commands.followed_by(), short_help="Make a key for signatures."
    )(generate_key_pair)


@shared_options
def sign(
    session: Session,
    registries: RegistryOptions,
    words: Words = None,
    key: Key = "",
    annotations: Annotations = None,
    recursive: Annotated[
        bool, option("--recursive", "-r", says="Sign each image of an index too.")
    ] = False,
    form: Annotated[
        str,
        option(
            "--as",
            says="Keep signatures as tag (default), referrer or bundle (default without key).",
            value="FORM",
            proposes=options.one_of("tag", "referrer", "bundle"),
        ),
    ] = "",
    attestations: Annotated[
        bool,
        option("--attestations", says="Sign the attestations that are stored beside the image."),
    ] = False,
    predicate: Annotated[
        str, option("--predicate", says="Sign this predicate of the image (JSON).", value="FILE")
    ] = "",
    type_: Type = "",
    is_keyless: keyless.Keyless = False,
    token: keyless.IdentityToken = "",
    fulcio: keyless.Fulcio = "",
    rekor: keyless.Rekor = "",
    signing_config: keyless.SigningConfig = "",
    trusted_root: keyless.TrustedRoot = "",
    quiet: options.Quiet = False,
) -> None:
    """Sign an image in its registry, or store:NAME, by a key or an identity, as cosign does."""
    place = _place(words)
    if is_keyless and key:
        raise UsageError("--keyless excludes --key")
    if not is_keyless and (token or fulcio or rekor or signing_config or trusted_root):
        raise UsageError("tokens and services of Sigstore are for --keyless")
    if bool(predicate) != bool(type_):
        raise UsageError("--predicate and --type need each other")
    if predicate and attestations:
        raise UsageError("--predicate excludes --attestations")
    from img.application.usecases.sign_image import SigningRequest
    from img.domain.signing.places import SignatureForm
    from img.domain.signing.statement import parse_annotations

    if annotations and (predicate or attestations):
        raise UsageError("only signatures of images have annotations")
    request = SigningRequest(
        form=SignatureForm.parse(form or ("bundle" if is_keyless else "tag")),
        annotations=parse_annotations(annotations or []),
        recursive=recursive,
        predicate=_predicate(predicate, type_) if predicate else None,
        attestations=attestations,
    )
    services = keyless.services_of(
        trusted_root, signing_config=signing_config, fulcio=fulcio, rekor=rekor
    )
    content = b"" if is_keyless else read_key(key)
    access = registries.access(registries_of([place]))
    signer: BundleSigner
    with session.open(quiet=quiet, access=access) as container:
        if is_keyless:
            signer = keyless.signer_of(container.images.signing_identities(), token, services)
        else:
            with naming(key):
                signer = container.images.signing_keys().signer(content, password_of)
        made = container.images.sign_image()(place, signer, request)
    for each in made:
        what = f"{each.predicate_type} of " if each.predicate_type else ""
        say(f"Signed {what}{each.repository.familiar_name}@{each.digest}")


@shared_options
def verify(
    session: Session,
    registries: RegistryOptions,
    words: Words = None,
    key: Key = "",
    annotations: Annotations = None,
    type_: Type = "",
    platform: Annotated[
        str,
        option("--platform", says="Verify the image of an index for this one.", value="OS/ARCH"),
    ] = "",
    identity: keyless.CertificateIdentity = "",
    identity_pattern: keyless.CertificateIdentityPattern = "",
    issuer: keyless.CertificateIssuer = "",
    issuer_pattern: keyless.CertificateIssuerPattern = "",
    trusted_root: keyless.TrustedRoot = "",
    quiet: options.Quiet = False,
) -> None:
    """Verify that an image has a signature, or an attestation of a type, by a key or an identity.

    What is signed is printed as a list in JSON.
    """
    place = _place(words)
    from img.domain.platform import parse_platforms
    from img.domain.signing.candidate import by_identity, by_key
    from img.domain.signing.statement import parse_annotations, predicate_type_of

    signer = keyless.identity_of(identity, identity_pattern, issuer, issuer_pattern)
    if signer is not None and key:
        raise UsageError("--certificate-identity excludes --key")
    if signer is None and trusted_root:
        raise UsageError("--trusted-root needs --certificate-identity")
    wanted = predicate_type_of(type_) if type_ else ""
    if wanted and annotations:
        raise UsageError("only signatures of images have annotations")
    asked: Mapping[str, str] = parse_annotations(annotations or [])
    on = parse_platforms(platform, host_platform()) if platform else ()
    if len(on) > 1:
        raise UsageError("--platform takes one platform here")
    content = read_key(key) if signer is None else b""
    services = keyless.services_of(trusted_root)
    access = registries.access(registries_of([place]))
    holds: Holds
    with session.open(quiet=quiet, access=access) as container:
        if signer is not None:
            identities = container.images.signing_identities()
            holds = by_identity(identities.verifier(signer, services).problem)
        else:
            with naming(key):
                holds = by_key(container.images.signing_keys().verifier(content).verifies)
        found = container.images.verify_image()(
            place,
            holds,
            signer="key" if signer is None else "identity",
            annotations=asked,
            predicate_type=wanted,
            platform=on[0] if on else None,
        )
    if quiet:
        return
    count = len(found.signatures)
    what = ("attestation" if wanted else "signature") + ("" if count == 1 else "s")
    kind = f" {wanted}" if wanted else ""
    name = f"{found.repository.familiar_name}@{found.digest}"
    say(f"Verified {count} {what}{kind} of {name}", error=True)
    say_text(_listed([each.payload for each in found.signatures]) + "\n")


@shared_options
def generate_key_pair(
    session: Session,
    prefix: Annotated[
        str,
        option("--output-key-prefix", says="Name the files PREFIX.key and .pub.", value="PREFIX"),
    ] = "cosign",
) -> None:
    """Make cosign.key, a private key under a password, and cosign.pub, its public key.

    The password is that of $COSIGN_PASSWORD, else it is asked for.
    """
    with session.open(needs=Needs.REGISTRY) as container:
        keys = container.images.signing_keys()
        pair = keys.generate(new_password())
    for file in write_key_pair(prefix or "cosign", pair):
        say(f"Wrote {file}")


def _place(words: list[str] | None) -> "ImagePlace":
    from img.domain.image_place import parse_image_place

    if not words or len(words) != 1:
        raise UsageError("must pass an image", hint="such as r.example.com/app:1, or store:app:1")
    return parse_image_place(words[0])


def _predicate(file: str, type_: str) -> "Predicate":
    from img.application.usecases.sign_image import Predicate
    from img.domain.signing.statement import predicate_type_of
    from img.entrypoints.cli.key_files import read_bounded

    content = read_bounded(file, "--predicate", _LARGEST_PREDICATE)
    return Predicate(type=predicate_type_of(type_), content=content)


def _listed(payloads: list[bytes]) -> str:
    import json

    from img.domain.json_text import parse_json

    return json.dumps([parse_json(payload) for payload in payloads], indent=2)
