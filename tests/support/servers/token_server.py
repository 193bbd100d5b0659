"""A server that gives tokens for docker-registry (distribution's docs/spec/auth)."""

import base64
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from tests.support.servers.scripted_server import Answer, Request, ScriptedServer

_SERVICE = "registry.test"
_ISSUER = "token server"
_LEEWAY_S = 60  # docker-registry takes a token so long after its end


@dataclass(slots=True, kw_only=True)
class Granted:
    """A request for a token, and what it got."""

    user: str  # "" without one
    method: str
    scopes: list[str]
    grant_type: str = ""


@dataclass(slots=True)
class TokenServer:
    """``with TokenServer(folder) as tokens: RegistryServer(token=tokens.config)``.

    All clients may pull from ``public/…``; users with a password may do anything. Tokens of the
    first ``short`` requests last a few seconds, and the server does not say so.
    """

    folder: Path
    passwords: Mapping[str, str] = field(default_factory=dict)
    refresh_tokens: Mapping[str, str] = field(default_factory=dict)  # token -> user
    short: int = 0
    granted: list[Granted] = field(default_factory=list)

    def __enter__(self) -> "TokenServer":
        self._make_key()
        self._server = ScriptedServer(self._answer)
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    _server: ScriptedServer = field(init=False)

    @property
    def requests(self) -> list[Request]:
        """All that came in."""
        return self._server.requests

    @property
    def config(self) -> Mapping[str, str | Path]:
        """Settings for docker-registry (its configuration, "auth", "token")."""
        return {
            "realm": f"http://{self._server.address}/token",
            "service": _SERVICE,
            "issuer": _ISSUER,
            "rootcertbundle": self.folder / "token.pem",
        }

    def _answer(self, request: Request) -> Answer:
        form = self._form(request)
        user = self._user(request, form)
        if user is None:
            error = {"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}
            return Answer(status=401, body=json.dumps(error).encode())
        scopes = [s for scope in form.get("scope", []) for s in scope.split()]
        access = [granted for scope in scopes if (granted := _access(scope, user))]
        self.granted.append(
            Granted(
                user=user,
                method=request.method,
                scopes=scopes,
                grant_type=form.get("grant_type", [""])[0],
            )
        )
        is_short = len(self.granted) <= self.short
        life_s = 3 - _LEEWAY_S if is_short else 300
        answer = {"token": self._token(user, access, life_s), "expires_in": 300}
        return Answer(body=json.dumps(answer).encode())

    def _form(self, request: Request) -> dict[str, list[str]]:
        text = request.body.decode() if request.method == "POST" else urlsplit(request.path).query
        return parse_qs(text)

    def _user(self, request: Request, form: dict[str, list[str]]) -> str | None:
        """Return the user that asks, "" without one, None for a wrong password."""
        if token := form.get("refresh_token"):
            return self.refresh_tokens.get(token[0])
        kind, _, proof = (request.headers.get("Authorization") or "").partition(" ")
        if not kind:
            return ""
        name, _, password = base64.b64decode(proof).decode().partition(":")
        return name if kind == "Basic" and self.passwords.get(name) == password else None

    def _token(self, user: str, access: list[dict[str, object]], life_s: int) -> str:
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [self._certificate()]}
        claims = {
            "iss": _ISSUER,
            "sub": user,
            "aud": _SERVICE,
            "iat": now,
            "nbf": now - 3600,
            "exp": now + life_s,
            "jti": str(time.time_ns()),
            "access": access,
        }
        parts = [_base64url(json.dumps(part).encode()) for part in (head, claims)]
        text = ".".join(parts)
        key = self.folder / "token.key"
        signature = _openssl("dgst", "-sha256", "-sign", str(key), stdin=text.encode())
        return f"{text}.{_base64url(signature)}"

    def _certificate(self) -> str:
        lines = (self.folder / "token.pem").read_text().splitlines()
        return "".join(line for line in lines if "CERTIFICATE" not in line)

    def _make_key(self) -> None:
        key, certificate = self.folder / "token.key", self.folder / "token.pem"
        _openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=token"),
            *("-keyout", str(key), "-out", str(certificate)),
        )


def _access(scope: str, user: str) -> dict[str, object] | None:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    wanted = actions.split(",")
    if not user:
        wanted = ["pull"] if name.startswith("public/") and "pull" in wanted else []
    return {"type": kind, "name": name, "actions": wanted} if wanted else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _openssl(*arguments: str, stdin: bytes | None = None) -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=stdin, check=True, capture_output=True
    ).stdout
