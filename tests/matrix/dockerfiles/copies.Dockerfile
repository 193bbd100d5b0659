# COPY with --chown and --chmod, by name and number, and what steps see of it
FROM busybox
COPY tree /plain/
COPY --chown=www-data:staff tree /named/
COPY --chown=1234 --chmod=0640 tree/f tree/exec /numbered/
COPY --chmod=u+s,g-w,o-r tree/exec /symbolic
COPY --parents tree/sub/g /parents/
COPY --exclude=sub tree /less/
RUN find /plain /named /numbered /symbolic /parents /less -exec stat -c '%n %u:%g %a %F' {} \; | sort > /seen
RUN chown -R 5:6 /plain && chmod 2770 /named && mv /numbered/f /named/moved
