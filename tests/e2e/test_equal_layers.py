"""The image does not know where it was built."""

import io
import json
import os
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.support.host.img_command import Img, ImgFor, WriteContext
from tests.support.images.written_images import LayerEntry, SavedImage, differences, read_archive

_USERS = ("root", "user", "one-id", "no-new-privileges")
_PLACES = [(who, backend) for who in _USERS for backend in ("overlay", "naive")]
_FEW = [("root", "naive"), ("one-id", "overlay")]
_MOST = [*_FEW, ("root", "overlay"), ("user", "overlay"), ("no-new-privileges", "naive")]
_EPOCH = "1700000000"

# No program of a minimal Debian sets xattrs, but its perl makes system calls; the second value is
# cap_net_raw+ep, version 2.
_SETXATTR = {"x86_64": 188, "aarch64": 5}.get(platform.machine(), 226)
_SET_XATTRS = f"""
sub set {{ my ($path, $name, $value) = @_;
  syscall({_SETXATTR}, $path, $name, $value, length $value, 0) == 0 or die "$name: $!" }}
set("/w/one", "user.comment", "hello");
set("/w/setuid", "security.capability", pack("VVVVV", 0x02000001, 0x2000, 0, 0, 0));
"""

_DOCKERFILE = """
FROM @DEBIAN@ AS made
ARG SOURCE_DATE_EPOCH
RUN mkdir -p /w/sub && cd /w && echo one > one && ln one two && ln one sub/three \\
 && ln -s one four && mkfifo pipe && echo s > setuid && chmod 4755 setuid \\
 && mkdir setgid && chmod 2775 setgid && mkdir sticky && chmod 1777 sticky \\
 && chown 123:456 sub && chown -h 7:8 four && truncate -s 1M hole
COPY set-xattrs.pl /
RUN perl /set-xattrs.pl
RUN useradd --create-home --uid 4321 worker && rm -f /var/log/lastlog /var/log/faillog
RUN rm -rf /usr/share/pam /etc/motd && mkdir /usr/share/pam && echo new > /usr/share/pam/new \\
 && rm -rf /etc/apt && echo "a file now" > /etc/apt && chmod 700 /opt && touch /srv/new
RUN rm /w/two && echo changed > /w/sub/three && rm /w/four && mkdir /w/four
USER worker
WORKDIR /home/worker/deep
RUN echo "$HOME $PWD $(id -u)" > mine

FROM @DEBIAN@
ARG SOURCE_DATE_EPOCH
ADD tree.tar /added/
COPY --from=made /w /copied
COPY --from=made --chown=worker /home/worker /home/
COPY --chown=33:34 --chmod=0640 file /file
RUN rm -r /copied/sub && ln /file /file-link
LABEL made=by-img
ENTRYPOINT ["/bin/true"]
"""

Places = Sequence[tuple[str, str]]
Built = Mapping[tuple[str, str], SavedImage]


def built_in(
    places: Places, img_for: ImgFor, write_context: WriteContext, small_debian: str, *options: str
) -> Built:
    """Return the image of the Dockerfile as each user builds it with a backend."""
    context = write_context(
        _DOCKERFILE.replace("@DEBIAN@", small_debian),
        {"file": "f\n", "tree.tar": _tree(), "set-xattrs.pl": _SET_XATTRS},
    )
    images = {}
    for who, backend in places:
        img: Img = img_for(who, f"{who}-{backend}")
        img("build", "-b", backend, *options, "-t", "everything", context)
        images[who, backend] = read_archive(img("save", "--format", "oci", "everything").output)
    return images


def _tree() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, uid, mode in (("a", 1000, 0o600), ("b", 65534, 0o2711)):
            member = tarfile.TarInfo(name)
            member.uid, member.gid, member.mode, member.size = uid, uid + 1, mode, 4
            tar.addfile(member, io.BytesIO(b"text"))
    return archive.getvalue()


def comparable(layer: Mapping[str, LayerEntry]) -> Mapping[str, LayerEntry]:
    """Return the entries, without the contents that hold the day of the build."""
    dated = {"/etc/shadow", "/etc/shadow-"}
    return {
        path: replace(entry, content="") if path in dated else entry
        for path, entry in layer.items()
    }


@pytest.mark.userns
@pytest.mark.registry
def test_the_layers_are_equal_entry_for_entry_as_root_and_as_user_by_overlay_and_by_copies(
    img_for: ImgFor, write_context: WriteContext, small_debian: str
) -> None:
    """Compare two environments, with IMG_TESTS_ALL all; the other test covers more files."""
    places = _PLACES if "IMG_TESTS_ALL" in os.environ else _FEW
    images = built_in(places, img_for, write_context, small_debian, "--target", "made")

    first = images["root", "naive"]
    made = [comparable(layer) for layer in first.layers[1:]]
    for image in images.values():
        layers = [comparable(layer) for layer in image.layers[1:]]
        assert [differences(a, b) for a, b in zip(layers, made, strict=True)] == [{}] * len(made)
    links, _, caps, _, replaced, deleted = made[:6]
    assert links["/w/two"].kind == "hard link" or links["/w/one"].kind == "hard link"
    assert (links["/w/setuid"].mode, links["/w/setgid"].mode) == ("4755", "2775")
    assert dict(caps["/w/one"].xattrs) == {"user.comment": "hello"}
    assert set(dict(caps["/w/setuid"].xattrs)) == {"security.capability"}
    assert "/etc/.wh.motd" in replaced
    assert any(path.startswith("/usr/share/pam/.wh.") for path in replaced)
    assert replaced["/etc/apt"].kind == "file"
    assert {"/w/.wh.two", "/w/four", "/w/sub/three"} <= set(deleted)
    assert made[-1]["/home/worker/deep/mine"].uid == 4321


@pytest.mark.userns
@pytest.mark.registry
def test_with_source_date_epoch_the_manifest_has_the_same_digest_everywhere(
    img_for: ImgFor, write_context: WriteContext, small_debian: str
) -> None:
    epoch = ("--build-arg", f"SOURCE_DATE_EPOCH={_EPOCH}")
    places = _PLACES if "IMG_TESTS_ALL" in os.environ else _MOST
    images = built_in(places, img_for, write_context, small_debian, *epoch)

    first = images["root", "naive"]
    for image in images.values():
        assert [list(layer) for layer in image.layers] == [list(layer) for layer in first.layers]
        assert json.dumps(image.config) == json.dumps(first.config)
    assert {image.digest for image in images.values()} == {first.digest}
    assert first.config["created"] == "2023-11-14T22:13:20Z"
