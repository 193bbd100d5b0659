"""Readers of texts from people and servers, with valid texts for each of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from img.adapters.credential_store.containers_auth import (
    ContainersAuthCredentials,
    DockercfgCredentials,
)
from img.adapters.credential_store.docker_config import DockerConfigCredentials
from img.adapters.registry.addresses import followed, is_same_host
from img.adapters.registry.challenges import parse_challenges
from img.adapters.registry.containerd_hosts import read_hosts_directory
from img.adapters.registry.rate_limit import RateLimit
from img.adapters.registry.registries_conf import read_rules
from img.application.ports.credential_store import Credentials
from img.domain.context_location import LayoutPlace, place_of
from img.domain.digest import Digest
from img.domain.dockerfile import glob
from img.domain.dockerfile.directives import detect_syntax
from img.domain.dockerfile.file_mode import parse_file_mode
from img.domain.dockerfile.frontend import check_frontend
from img.domain.dockerfile.heredoc import openings_in
from img.domain.dockerfile.ignore import IgnoreMatcher, read_ignore_patterns
from img.domain.dockerfile.mounts import parse_mount
from img.domain.dockerfile.ports import parse_ports
from img.domain.dockerfile.variables import expand_words
from img.domain.dockerfile.words import parse_json_form, split_flags, split_quoted
from img.domain.filesystem.ownership import lookup_owner, lookup_user
from img.domain.git_reference import GitReference
from img.domain.go.csv_fields import split_csv
from img.domain.go.path_match import matches
from img.domain.go.quantities import BadQuantity, parse_byte_size, parse_duration
from img.domain.go.template.render import Template
from img.domain.image_filter import parse_image_filters
from img.domain.image_name import ImageName
from img.domain.json_text import parse_json
from img.domain.options.annotations import parse_annotation
from img.domain.options.cache import parse_cache_source, parse_cache_target
from img.domain.options.call import Call
from img.domain.options.contexts import parse_named_context
from img.domain.options.entitlements import parse_entitlements
from img.domain.options.limits import parse_shm_size, parse_ulimit
from img.domain.options.network import parse_host, parse_network
from img.domain.options.outputs import OutputOptions, parse_outputs
from img.domain.options.pull import parse_pull
from img.domain.options.resources import parse_resources
from img.domain.options.secrets import AgentSpec, SecretSpec
from img.domain.platform import Platform, parse_platforms
from img.domain.proxies import ProxyRules
from img.domain.reference import ImageReference, registry_of
from img.domain.shown_text import shown, shown_in_line, shown_json, shown_output
from img.domain.url import Url, redact_credentials, redact_urls
from img.domain.usage import Since, parse_filters
from img.entrypoints.settings import byte_size, host_platform

_ENVIRONMENT = {"A": "1", "B": "x y", "PATH": "/bin", "LONG": "a" * 200}
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_PASSWD = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"
_HOST = host_platform()
_ROWS = [{"ID": "x", "Size": 12, "List": ["a", "b"], "None": None, "Deep": {"a": {"b": 1.5}}}]
_NEAR_HANGS = (
    "a" * 60,
    "*a" * 12 + "b",
    "**/" * 12 + "x",
    "a/" * 40,
    "[a-z]*" * 10 + "!",
    "*" * 60,
)


@dataclass(frozen=True)
class Reader:
    """A reader of a text; ``refusals`` are its errors besides ImgError."""

    take: Callable[[str], object]
    samples: tuple[str, ...]
    refusals: tuple[type[Exception], ...] = field(default=(), kw_only=True)


def _of_options() -> Mapping[str, Reader]:
    outputs = (
        *("type=image,name=a/b:1,push=true,compression=zstd,compression-level=3", "type=docker"),
        *(
            "type=local,dest=out,mode=delete",
            "type=oci,dest=-,annotation.a=b",
            "type=tar",
            "out",
            "-",
        ),
        'type=registry,"name=a,b",oci-mediatypes=false,source-date-epoch=1',
    )
    return {
        "output": Reader(
            lambda text: parse_outputs(OutputOptions(outputs=[text], tags=["t"]), _HOST), outputs
        ),
        "cache source": Reader(
            parse_cache_source,
            (
                "type=registry,ref=a/b:c",
                "type=local,src=x,tag=t,digest=sha256:0",
                "a/b",
                "type=gha",
            ),
        ),
        "cache target": Reader(
            parse_cache_target,
            ("type=registry,ref=a,mode=max,mounts=1", "type=local,dest=x,reset=false", "inline"),
        ),
        "secret": Reader(SecretSpec.parse, ("id=a,src=b", 'id=a,"env=B"', "type=env,id=a,src=b")),
        "agent": Reader(AgentSpec.parse, ("default", "a=/s,/k", "a=/s,raw=true")),
        "context": Reader(parse_named_context, ("a=b", "a:latest=docker-image://x", "h:5000/x=.")),
        "annotation": Reader(
            lambda text: parse_annotation(text, _HOST),
            ("a=b", "index,manifest[linux/amd64]:a=b", "index-descriptor:x=y"),
        ),
        "add-host": Reader(parse_host, ("a:1.2.3.4", "a=[::1]", "a:host-gateway")),
        "network": Reader(parse_network, ("host", "none", "private")),
        "shm-size": Reader(parse_shm_size, ("64m", "1.5gb", "1 kib")),
        "ulimit": Reader(parse_ulimit, ("nofile=1:2", "core=-1", "nproc=1024")),
        "resource": Reader(
            lambda text: parse_resources({}, [text]),
            ("memory=1g", "cpu-quota=5000", "cpuset-cpus=0-3,5", "cpu-period=100000"),
        ),
        "cpus": Reader(
            lambda text: parse_resources({"cpus": text}), ("1.5", "0.01", "1e3", "Infinity", "sNaN")
        ),
        "memory": Reader(
            lambda text: parse_resources({"memory": "1g", "memory-swap": text}),
            ("2g", "-1", "1e30g"),
        ),
        "entitlement": Reader(lambda text: parse_entitlements([text]), ("userns", "network.host")),
        "pull": Reader(parse_pull, ("always", "true", "ifnewer")),
        "call": Reader(Call.parse, ("check", "outline,format=json", "targets,ignorestatus=1")),
        "byte size": Reader(lambda text: byte_size("X", text), ("20GB", "0", "5e3k")),
        "filter of images": Reader(
            lambda text: parse_image_filters([text], [], created=lambda _: _NOW, ago=Since(_NOW)),
            ("reference=a*:?[b-c]", "label=a=b", "until=24h", "dangling=true", "before=x"),
        ),
        "filter of the cache": Reader(
            lambda text: parse_filters([text], Since(_NOW)),
            ("type=regular", "until=1h30m", "id=abc", "inuse=0", "unused-for=2026-01-01"),
        ),
    }


def _of_names() -> Mapping[str, Reader]:
    references = ("a", "docker.io/library/a:b@sha256:" + "0" * 64, "h:5000/a/b-c__d.e", "[::1]:5/a")
    urls = (
        "https://u:p@h.example:443/a%20b?c=d#e",
        "http://[::1]:80",
        "git@h:x/y.git#r:d",
        "ssh://h/x",
    )
    return {
        "reference": Reader(lambda text: str(ImageReference.parse(text)), references),
        "image": Reader(ImageName.parse, (*references, "sha256:" + "a" * 64, "abcdef12")),
        "registry": Reader(registry_of, references),
        "digest": Reader(Digest.parse, ("sha256:" + "0" * 64, "sha512:" + "f" * 128)),
        "platform": Reader(
            lambda text: (parse_platforms(text, _HOST), str(Platform.parse(text, _HOST))),
            ("linux/arm64/v8", "windows(10.0.17763)/amd64", "arm", "linux(+a,b)/x"),
        ),
        "git": Reader(GitReference.parse, (*urls, "https://h/x.git?ref=a&subdir=b")),
        "place": Reader(lambda text: place_of(text, is_directory=False), (*urls, "-", ".")),
        "layout": Reader(LayoutPlace.parse, ("oci-layout://a:b@sha256:" + "0" * 64,)),
        "url": Reader(lambda text: (Url.parse(text), redact_credentials(text)), urls),
        "redirect": Reader(
            lambda text: followed(text, "https://h/v2/", host="h", scheme="https"),
            (*urls, "/x", "//h"),
        ),
        "same host": Reader(lambda text: is_same_host(text, "h:443", "https"), urls),
        "proxy": Reader(
            lambda text: ProxyRules.of({"HTTP_PROXY": text, "NO_PROXY": text}).proxy_for(
                "http://x.y/"
            ),
            (*urls, "h:80", "socks5://h", ".x.y,10.0.0.0/8,::1,*", "ü.example"),
        ),
        "shown": Reader(
            lambda text: (shown(text), shown_in_line(text), shown_json(text), shown_output(text)),
            ("a\x1b[2Jb", "::error::x\n##vso[x]", "\x1b[31mred", "http://u:p@h/ \u202e"),
        ),
        "urls": Reader(
            redact_urls, ("see https://u:p@h/x and git+ssh://a:b@c", "://" * 30, "a@b:c@d")
        ),
    }


def _of_the_language() -> Mapping[str, Reader]:
    words = ("a $B ${A:-x} \"q $A\" 'q'", "${A#*x}${B%%y*}${B//x/z}", "a\\ b \\$c", "${A:?no}")
    return {
        "words": Reader(lambda text: expand_words(text, _ENVIRONMENT), words),
        "trimmed": Reader(
            lambda text: expand_words(f"${{LONG{text}}}", _ENVIRONMENT),
            ("#*a*a*a*b", "%%a*a*a*a*c", "/a*a*a*b/x", "//?/yy", "##*"),
        ),
        "glob": Reader(
            lambda text: (
                glob.trim_prefix("a" * 99, text, longest=True),
                glob.trim_suffix("a" * 99, text, longest=False),
                glob.replace_matches("a" * 99, text, "xy", everywhere=True, most=9000),
            ),
            ("*a*a*b", "?*?*?*c", *_NEAR_HANGS),
            refusals=(glob.BadEscape,),
        ),
        "quoted": Reader(lambda text: split_quoted(text, "\\"), words),
        "flags": Reader(
            lambda text: split_flags(text, "`"), ("--a=b --c d", '--a="b c" -- x', *words)
        ),
        "JSON form": Reader(
            parse_json_form, ('["a", "b\\u0041"]', "[]", '["\\ud800"]'), refusals=()
        ),
        "CSV": Reader(split_csv, ('a,"b ""c""",d', "a=b,c", ""), refusals=(ValueError,)),
        "mount": Reader(
            parse_mount,
            (
                *("type=cache,target=/c,id=x,mode=0755,uid=1,sharing=locked", "type=tmpfs,size=1m"),
                *("type=bind,from=a,source=b,target=c,rw", "type=secret,id=a,env=B,required"),
            ),
        ),
        "mode": Reader(
            lambda text: parse_file_mode(text).apply(0o644, is_directory=False),
            ("0755", "u+rwx,g=u,o-x", "a=rX,+t"),
            refusals=(ValueError,),
        ),
        "ports": Reader(lambda text: parse_ports(text.split(" ")), ("80/tcp 1-3", "[::1]:1:2/udp")),
        "size": Reader(parse_byte_size, ("1k", "1.5GiB", "2e3"), refusals=(BadQuantity,)),
        "duration": Reader(parse_duration, ("1h2m3.5s", "-1µs", "0"), refusals=(ValueError,)),
        "syntax": Reader(
            _look_at_the_syntax,
            ("# syntax=docker/dockerfile:1\n", '{"syntax": "x"}', "#!/x\n// syntax=a b"),
        ),
        "here-documents": Reader(
            lambda text: openings_in(text, "\\"), ("RUN <<E cat <<-'F' 3<<\"G\"", "<<<<", "a<<b<<c")
        ),
        "ignore file": Reader(_ignored, ("*\n!a/**\n#x\n", "**/[a-c]?\n", "!\n", *_NEAR_HANGS)),
        "pattern": Reader(
            lambda text: (matches(text, "a" * 99), matches(text, "a/" * 50 + "b")),
            ("a*b?[c-d]", "**/x/**", "[^a]\\*", *_NEAR_HANGS),
            refusals=(ValueError,),
        ),
        "user": Reader(
            lambda text: lookup_user(text, _PASSWD, text), ("app:0", "1000", "root:root")
        ),
        "owner": Reader(lambda text: lookup_owner(text, text, _PASSWD), ("app:0", "1000", ":5")),
        "template": Reader(
            lambda text: [Template(text).render(row) for row in _ROWS],
            (
                "{{.ID}} {{range $i, $e := .List}}{{$i}}{{end}} {{json .Deep}}",
                '{{printf "%5.2f|%-9s|%q|%x|%c" 1.5 .ID .ID 255 65}}',
                '{{if and .None (eq .ID "x")}}a{{else}}b{{end}}{{with .Deep}}{{.a.b}}{{end}}',
                '{{/* c */}}{{- index .List 1 | upper -}}{{slice .ID 0 1}}{{join .List ","}}',
            ),
        ),
    }


def _look_at_the_syntax(text: str) -> None:
    detect_syntax(text)
    check_frontend(text)


def _ignored(text: str) -> object:
    matcher = IgnoreMatcher(read_ignore_patterns(text))
    return [matcher.is_excluded(matcher.child_state(path)) for path in ("a", "a" * 99, "a/b/c")]


def _of_files(place: Path) -> Mapping[str, Reader]:
    auth = '{"auths": {"h": {"auth": "dTpw"}, "https://h/v1/": {"identitytoken": "t"}}}'
    registries = (
        (
            'unqualified-search-registries = ["a"]\n[[registry]]\nprefix = "a"\nlocation = "b/c"\n'
            "insecure = true\nblocked = false\nmirror-by-digest-only = true\n[[registry.mirror]]\n"
            'location = "m"\npull-from-mirror = "digest-only"\n[aliases]\n"x" = "y/z"\n'
        ),
        '[registry."docker.io"]\nmirrors = ["m"]\nhttp = true\n',
        '[registries.search]\nregistries = ["a"]\n[registries.insecure]\nregistries = ["b"]\n',
    )
    hosts = (
        'server = "https://h"\n[host."https://m"]\ncapabilities = ["pull"]\nskip_verify = true\n'
    )
    return {
        "docker's config": Reader(
            lambda text: _log_in_and_out(place, text, DockerConfigCredentials), (auth,)
        ),
        "containers' auth": Reader(
            lambda text: _log_in_and_out(place, text, ContainersAuthCredentials), (auth,)
        ),
        "docker's oldest": Reader(
            lambda text: _look_up(place, text, DockercfgCredentials), ('{"h": {"auth": "dTpw"}}',)
        ),
        "registries.conf": Reader(lambda text: _rules(place, text), registries),
        "hosts.toml": Reader(lambda text: _hosts(place, text), (hosts,)),
        "JSON": Reader(parse_json, (auth, '[1.5e3, "\\ud800", null, {"a": [true]}]')),
        "challenge": Reader(
            lambda text: parse_challenges([text]),
            (
                'Bearer realm="https://h/t",service="s", Basic realm=x',
                "Negotiate abc==, Digest a=b",
            ),
        ),
        "rate limit": Reader(
            lambda text: str(RateLimit.of({"ratelimit-limit": text, "ratelimit-remaining": text})),
            ("100;w=21600", "5", "0;w=0"),
        ),
    }


def _look_up(
    place: Path, text: str, kind: type[DockerConfigCredentials]
) -> DockerConfigCredentials:
    if re.search(r"cred(?:sStore|Helpers)|\\u", text):
        text = "{}"  # a program that is named there would be run
    path = place / "credentials"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    store = kind(path)
    for server in ("h", "h:443", "docker.io", "m"):
        store.get(server, "a/b")
    return store


def _log_in_and_out(place: Path, text: str, kind: type[DockerConfigCredentials]) -> None:
    store = _look_up(place, text, kind)
    store.put("h", Credentials(username="u", password="p"))
    assert store.get("h") == Credentials(username="u", password="p")
    store.remove("h")
    assert store.get("h") is None


def _rules(place: Path, text: str) -> None:
    path = place / "registries.conf"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    rules = read_rules(path)
    for name in ("a/x", "docker.io/library/x", "x", "m/y:1"):
        reference = ImageReference.parse(name)
        rules.push_place(reference)
        rules.is_insecure(reference.repository)
        list(rules.pull_places(reference))


def _hosts(place: Path, text: str) -> None:
    folder = place / "hosts/h"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hosts.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    read_hosts_directory(place / "hosts")


def readers(place: Path) -> Mapping[str, Reader]:
    """Return every reader by its name; files are written to ``place``."""
    return {**_of_options(), **_of_names(), **_of_the_language(), **_of_files(place)}
