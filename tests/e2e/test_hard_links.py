"""Steps that copy, move and remove files with several names."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.mutations.image import make_root
from tests.support.host.img_command import ImgFor

pytestmark = [pytest.mark.userns]

_CASES = {
    "a tree that was copied from a cache is given away": (
        """
RUN mkdir -p /cache /venv && echo lib > /cache/lib.py && ln /cache/lib.py /venv/lib.py
RUN cp -a /venv /app && rm -rf /venv && chown -R 1000:1000 /app && chmod -R go-rwx /app
RUN stat -c '%n %u:%g %a' /cache/lib.py /app/lib.py > /seen/out
RUN [ /cache/lib.py -ef /app/lib.py ] || echo apart >> /seen/out
""",
        "/cache/lib.py 0:0 644\n/app/lib.py 1000:1000 600\napart\n",
    ),
    "a copy is written to, and another name removed": (
        """
RUN mkdir /d && echo old > /d/a && ln /d/a /d/b
RUN cp -a /d/a /d/c
RUN echo new > /d/c && rm /d/b
RUN cat /d/a /d/c > /seen/out
""",
        "old\nnew\n",
    ),
    "a file is moved away, copied back, and written to": (
        """
RUN mkdir /d && echo old > /d/a && ln /d/a /d/b
RUN mv /d/a /d/a.orig && cp -a /d/a.orig /d/a && echo new > /d/a
RUN cat /d/a /d/a.orig /d/b > /seen/out; [ /d/a.orig -ef /d/b ] && echo one >> /seen/out
""",
        "new\nold\nold\none\n",
    ),
    "two names are written to": (
        """
RUN mkdir /d && echo 1 > /d/a && ln /d/a /d/b && ln /d/a /d/c
RUN echo 2 >> /d/a && echo 3 >> /d/b && cat /d/c > /seen/out
RUN cat /d/c >> /seen/out; [ /d/a -ef /d/c ] && echo one >> /seen/out
""",
        "1\n2\n3\n1\n2\n3\none\n",
    ),
    "special files with several names are removed": (
        """
RUN mkdir /d && ln -s x /d/s1 && ln -P /d/s1 /d/s2 && mkfifo /d/f1 && ln /d/f1 /d/f2
RUN [ "$(stat -c %i /d/s1)" = "$(stat -c %i /d/s2)" ] && echo one > /seen/out && mv /d/f1 /d/f3
RUN rm -rf /d
""",
        "one\n",
    ),
    "no home, and an attribute that no tar can hold": (
        """
RUN mkdir -p /etc && echo 'root:x:0:0::/root:/bin/sh' > /etc/passwd
ENV HOME=
RUN echo "[$HOME]" > /seen/out && perl -e '$p = "/etc/passwd"; $n = "user.a=b"; \
 $v = "x"; syscall(`uname -m` =~ /x86/ ? 188 : 5, $p, $n, $v, 1, 0) and die $!'
""",
        "[/root]\n",
    ),
}
_PROGRAMS = ("cat", "chmod", "ln", "mkdir", "mkfifo", "mv", "rm", "stat", "uname")


@pytest.mark.parametrize("who", ["root", "user", "one-id"])
def test_files_with_several_names_are_one_file_and_copies_are_others(
    who: str, img_for: ImgFor, workplace: Path
) -> None:
    img = img_for(who)
    context = workplace / "context"
    make_root(context / "root", *_PROGRAMS)
    found = {}
    for case, (steps, _) in _CASES.items():
        (context / "Dockerfile").write_text(f"FROM scratch\nCOPY root /\n{steps}")
        built = img("-b", "overlay", "build", "-o", "type=tar", context)
        with tarfile.open(fileobj=io.BytesIO(built.output)) as tar:
            file = tar.extractfile("seen/out")
            assert file is not None
            found[case] = file.read().decode()
    assert found == {case: text for case, (_, text) in _CASES.items()}
