# packages: apt-get installs a package with scripts that make users and change owners
FROM debian AS packages
ARG SOURCE_DATE_EPOCH
ENV DEBIAN_FRONTEND=noninteractive
RUN --mount=type=bind,source=debs,target=/debs \
    --mount=type=tmpfs,target=/var/log --mount=type=tmpfs,target=/var/cache \
    apt-get install -y --no-install-recommends /debs/service.deb
RUN --mount=type=bind,source=debs,target=/debs --mount=type=tmpfs,target=/var/log \
    dpkg -i /debs/plain.deb && dpkg --purge plain

# accounts: useradd, chown, USER, su, install -o, cp -a and tar
FROM packages AS accounts
RUN useradd --create-home --uid 4321 worker && groupadd --gid 600 crew && usermod -aG crew worker \
 && rm -f /var/log/lastlog /var/log/faillog
RUN install -d -o worker -g crew -m 2750 /srv/w && install -o service -m 4755 /bin/true /srv/w/true \
 && su worker -s /bin/sh -c 'umask 027; touch /srv/w/own; mkdir /srv/w/dir; ln -s own /srv/w/l' \
 && chown -h 7:8 /srv/w/l && cp -a /srv/w /srv/copy && tar -C /srv -cf /srv/w.tar w \
 && mkdir /srv/tar && tar -C /srv/tar -xpf /srv/w.tar && rm /srv/w.tar
USER worker:crew
WORKDIR /home/worker/deep/er
RUN id > mine && stat -c '%n %U:%G %a %F' . .. mine /srv/w/* /srv/copy/* >> mine \
 && ! touch /etc/refused && ! cat /etc/shadow && touch "$HOME/f" && chmod 600 "$HOME/f" && chgrp crew "$HOME/f"
USER 12345:54321
RUN echo "$HOME $(id -u):$(id -g) $(umask)" > /tmp/stranger

# attributes: extended attributes and file capabilities (setcap), kept, copied up and replaced
FROM accounts AS attributes
USER root
COPY set-xattrs.pl /
RUN cp /bin/true /srv/ping && chown worker /srv/ping && cp /bin/true /srv/plain \
 && perl /set-xattrs.pl capability /srv/ping && perl /set-xattrs.pl comment /srv/ping /srv/plain /srv/w
RUN chmod 711 /srv/w && mv /srv/plain /srv/renamed && cp --preserve=all /srv/ping /srv/pong
RUN chown root /srv/pong && perl -e 'utime 1, 1, "/srv/ping" or die'
