"""``img sign --keyless`` and ``img verify`` with services of Sigstore on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sigstore.models import Bundle, ClientTrustConfig
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity

import img
from img.testing.loopback_registry import LoopbackRegistry
from tests.support.servers.sigstore_services import SigstoreServices, token

_SUBJECT = "https://ci.example/team/app"
_ISSUER = "https://tokens.example"
_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"


def _img(place: Path, *words: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "img", *map(str, words)],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "IMG_STATE": str(place / "state")},
    )
    assert done.returncode == code, done.stderr
    return done


def test_an_image_is_signed_without_a_key_and_verified_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE", "SIGSTORE_ID_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    (tmp_path / "token").write_text(token(_SUBJECT, _ISSUER) + "\n")
    identity = ("--certificate-identity", _SUBJECT, "--certificate-oidc-issuer", _ISSUER)
    trusted = ("--trusted-root", "trusted_root.json")
    with LoopbackRegistry() as registry:
        name = registry.name("team/app:1")
        built = img.build(tmp_path / "app", tag=name, push=True, state=str(tmp_path / "state"))
        digest = built.digest.partition(":")[2]
        with SigstoreServices() as servers:
            (tmp_path / "trusted_root.json").write_text(json.dumps(servers.trusted_root))
            sign = (
                *("sign", "--keyless", *trusted),
                *("--fulcio-url", servers.fulcio, "--rekor-url", servers.rekor),
            )
            missing = _img(tmp_path, *sign, name, code=1)
            assert "no identity token was found" in missing.stderr
            _img(tmp_path, *sign, "--identity-token", "token", "-a", "commit=1", name)
            config = {
                "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
                "trustedRoot": servers.trusted_root,
                "signingConfig": servers.signing_config,
            }
        # From here on only the registry answers.
        found = _img(tmp_path, "verify", *identity, *trusted, "-a", "commit=1", name)
        (statement,) = json.loads(found.stdout)
        assert statement["subject"][0]["digest"] == {"sha256": digest}
        other = ("--certificate-identity", "x", "--certificate-oidc-issuer-regexp", ".")
        refused = _img(tmp_path, "verify", *other, *trusted, name, code=10)
        assert f"no signature by this identity: one is by {_SUBJECT}" in refused.stderr

        listed = _img(tmp_path, "referrers", name).stdout.splitlines()
        (referrer,) = [line.split()[0] for line in listed if line.endswith(_BUNDLE)]
        manifest = registry.manifest("team/app", referrer)
        assert manifest is not None
        (layer,) = json.loads(manifest.content)["layers"]
        content = registry.blob(layer["digest"])
        assert layer["mediaType"] == _BUNDLE and content is not None
        root = ClientTrustConfig.from_json(json.dumps(config)).trusted_root
        policy = Identity(identity=_SUBJECT)
        verifier = Verifier(trusted_root=root)
        assert json.loads(verifier.verify_dsse(Bundle.from_json(content), policy)[1]) == statement
