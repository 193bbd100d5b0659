# The image of img for CI systems and pods: any user, no privileges (docs/ci.md).
ARG BASE=debian:trixie-slim

# For builds without PyPI: --build-context wheels=DIRECTORY --build-arg PIP_NO_INDEX=1
FROM scratch AS wheels

FROM ${BASE} AS base
# Manuals, and the parts of git's packages that serve repositories or are written in Perl: img runs
# git to fetch. The names that Debian's slim images leave out are left out on other bases too.
RUN for path in share/doc share/man share/info share/locale share/lintian share/bash-completion \
        share/perl lib/*/perl lib/*/libperl.so* bin/scalar bin/git-shell bin/git-cvsserver \
        lib/git-core/scalar lib/git-core/git-daemon lib/git-core/git-http-backend \
        lib/git-core/git-http-fetch lib/git-core/git-http-push lib/git-core/git-imap-send \
        lib/git-core/git-shell; do \
        echo "path-exclude=/usr/$path"; echo "path-exclude=/usr/$path/*"; \
    done > /etc/dpkg/dpkg.cfg.d/small
# git: contexts and ADD of repositories. proot: RUN where namespaces are forbidden. uidmap: owners
# at full speed where subordinate ids are allowed. slirp4netns: networks of steps.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        ca-certificates git proot python3 slirp4netns uidmap \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/* /var/cache/debconf/* \
        /var/log/apt /var/log/*.log

FROM base AS installed
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils python3-pip python3-venv
WORKDIR /source
COPY . .
ARG PIP_NO_INDEX
# Compiled by hash, not by time, so that the files are the same in each build.
RUN --mount=from=wheels,target=/wheels \
    python3 -m venv --without-pip /opt/img \
    && python3 -m pip --python /opt/img/bin/python install --no-cache-dir --no-compile \
        --find-links /wheels '/source[cloud,compose,otel]' \
    && find /opt/img \( -name direct_url.json -o -name '*.c' -o -name '*.pyx' \) -delete \
    && find /opt/img -name '*.so' -exec strip --strip-unneeded {} + \
    && /opt/img/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/img/lib

FROM base
ARG SOURCE_DATE_EPOCH
# Group 0 may write to the home directory: OpenShift runs images as a random user of that group.
RUN useradd --uid 1000 --gid 0 --create-home --home-dir /home/img --shell /bin/sh img \
    && chmod 0770 /home/img \
    && mkdir --mode=0775 /workspace \
    && chown 1000:0 /workspace
COPY --from=installed /opt/img /opt/img
ENV PATH=/opt/img/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/img
USER 1000:0
WORKDIR /workspace
CMD ["img", "--help"]
