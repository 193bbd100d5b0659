"""Signatures by the installed command, read out of the registry and checked by openssl."""

import json
import os
import subprocess
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from img.testing.loopback_registry import LoopbackRegistry
from tests.support.host.img_command import Img, WriteContext
from tests.support.host.machine import program

pytestmark = [pytest.mark.userns, pytest.mark.any_user]


@pytest.fixture
def signer(img: Img) -> Img:
    """Return img with the password of its keys."""
    return img.with_environment(COSIGN_PASSWORD="secret")


def _openssl_verifies(directory: Path, public: Path, signed: bytes, signature: bytes) -> bool:
    (directory / "signed").write_bytes(signed)
    (directory / "signature").write_bytes(signature)
    words = ["dgst", "-sha256", "-verify", str(public), "-signature", "signature", "signed"]
    return not subprocess.run([program("openssl"), *words], cwd=directory, check=False).returncode


def test_openssl_verifies_what_img_signs_and_img_refuses_what_was_changed(
    signer: Img, write_context: WriteContext, tmp_path: Path
) -> None:
    img = signer
    context = write_context("FROM scratch\nCOPY . /\n")
    img("generate-key-pair", cwd=img.home)
    assert os.stat(img.home / "cosign.key").st_mode & 0o777 == 0o600
    assert "cannot write cosign.key: file exists" in (
        img("generate-key-pair", cwd=img.home, code=1).error_line
    )
    key, public = img.home / "cosign.key", img.home / "cosign.pub"
    (context / "predicate").write_text('{"spdxVersion": "SPDX-2.3"}')
    with LoopbackRegistry() as registry:
        name = registry.name("team/app:1")
        img("build", "-q", "-t", name, "--push", context)
        img("sign", "--key", key, "-a", "who=me", name)
        img("sign", "--key", key, "--type", "spdxjson", "--predicate", context / "predicate", name)
        digest = registry.tags("team/app")["1"].removeprefix("sha256:")

        (layer,) = _layers(registry, f"sha256-{digest}.sig")
        payload = registry.blob(layer["digest"])
        assert payload is not None
        signature = b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"])
        assert _openssl_verifies(tmp_path, public, payload, signature)
        assert json.loads(payload)["critical"]["image"] == {
            "docker-manifest-digest": f"sha256:{digest}"
        }
        (layer,) = _layers(registry, f"sha256-{digest}.att")
        envelope = json.loads(registry.blob(layer["digest"]) or b"")
        statement = b64decode(envelope["payload"])
        kind = envelope["payloadType"].encode()
        encoded = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
        signature = b64decode(envelope["signatures"][0]["sig"])
        assert _openssl_verifies(tmp_path, public, encoded, signature)

        verified = json.loads(img("verify", "--key", public, "-a", "who=me", name).stdout)
        assert [each["optional"] for each in verified] == [{"who": "me"}]
        verified = json.loads(img("verify", "--key", public, "--type", "spdxjson", name).stdout)
        assert [each["predicate"] for each in verified] == [{"spdxVersion": "SPDX-2.3"}]
        (context / "more").write_text("more")
        img("build", "-q", "-t", name, "--push", context)
        assert (
            "has no signature by this key"
            in img("verify", "--key", public, name, code=10).error_line
        )


def _layers(registry: LoopbackRegistry, tag: str) -> list[Any]:
    manifest = registry.manifest("team/app", tag)
    assert manifest is not None
    layers: list[Any] = json.loads(manifest.content)["layers"]
    return layers


def test_policies_hold_for_base_images_and_for_builds_that_change_nothing(
    signer: Img, write_context: WriteContext
) -> None:
    img = signer
    for prefix in ("ours", "theirs"):
        img("generate-key-pair", "--output-key-prefix", prefix, cwd=img.home)
    verified = ("--verify-base", f"key={img.home / 'ours.pub'}")
    with LoopbackRegistry() as registry:
        name = registry.name("team/base:1")
        img("build", "-q", "-t", name, "--push", write_context("FROM scratch\nCOPY . /\n"))
        context = write_context(f"FROM scratch\nCOPY --from={name} /Dockerfile /\n", name="app")
        build = ("build", "-q", "-t", "app", context)
        assert "has no signature by this key" in img(*build, *verified, code=10).error_line
        (context / "docker-bake.hcl").write_text('target "default" {}')
        assert "has no signature" in img("bake", *verified, cwd=context, code=10).error_line
        img("sign", "-q", "--key", img.home / "theirs.key", name)
        refused = img(*build, *verified, code=10)
        assert "is by another key" in refused.error_line
        assert f">>> COPY --from={name} /Dockerfile /" in refused.stderr
        assert "app" not in img("ls").stdout
        img("sign", "-q", "--key", img.home / "ours.key", name)
        img(*build, *verified)
        img("bake", *verified, cwd=context)
        deny = {"action": "DENY", "selector": {"identifier": f"docker-image://{name}"}}
        rules = write_context(None, {"p.json": json.dumps({"rules": [deny]})}, "files") / "p.json"
        limited = img.with_environment(EXPERIMENTAL_BUILDKIT_SOURCE_POLICY=str(rules))
        for each in (limited(*build, code=10), img(*build, "--source-policy-file", rules, code=10)):
            assert "is denied (policy: DENY" in each.error_line

        img(*build)
        img(*build)  # from a trace
        settings = write_context(None, {"settings.toml": ""}, "files")
        config = settings / "settings.toml"
        limited = img.with_environment(IMG_SETTINGS=str(config))
        config.write_text("[policy]\n")
        limited(*build)
        limited(*build)
        config.write_text('[policy]\nregistries = ["docker.io"]\n')
        assert "is not from an allowed registry" in limited(*build, code=10).error_line
        config.write_text("[policies]\n")
        limited(*build)
        config.write_text("[policy]\nregistry = 1\n")
        assert "registry in [policy] is unknown" in limited(*build, code=1).error_line


def test_wrong_requests_are_refused_in_a_line(signer: Img, write_context: WriteContext) -> None:
    key = write_context("no key") / "Dockerfile"
    for words, says in (
        (("sign", "a"), "must pass a key with --key"),
        (("sign", "--key", key), "must pass an image"),
        (("sign", "--key", key, "a"), "no private key that img can use"),
        (("verify", "--key", key, "a"), "no public key"),
        (("verify", "--key", key.parent / "none", "a"), "no such file or directory"),
        (("verify", "--key", "awskms://1", "a"), "only files and env://VARIABLE"),
        (("verify", "--key", "env://NONE", "a"), "the variable is not set"),
        (("sign", "--key", key, "--predicate", key, "a"), "need each other"),
        (("sign", "--key", key, "--as", "x", "a"), "use tag, referrer, bundle"),
        (("sign", "--key", key, "-a", "x", "a"), "use KEY=VALUE"),
        (("sign", "--key", key, "--keyless", "a"), "--keyless excludes --key"),
        (("sign", "--key", key, "--rekor-url", "x", "a"), "are for --keyless"),
        (("verify", "--certificate-identity", "x", "a"), "an identity and its issuer are needed"),
        (("verify", "--key", key, "--trusted-root", key, "a"), "needs --certificate-identity"),
    ):
        assert says in signer(*words, code=1).error_line
