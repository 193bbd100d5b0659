# RUN --mount: cache, bind, secret and tmpfs, with owners, made mount points and targets that hide
FROM busybox AS other
RUN mkdir /data && echo data > /data/file && chown 5:6 /data/file && chmod 640 /data/file
FROM busybox
RUN mkdir /full && echo hidden > /full/f
RUN --mount=type=cache,target=/var/cache/x,uid=33,gid=34,mode=0750 \
    stat -c '%n %u:%g %a' /var/cache/x > /cache-owner && echo kept > /var/cache/x/f && chown 7:8 /var/cache/x/f
RUN --mount=type=cache,target=/var/cache/x,uid=33,gid=34,mode=0750 \
    stat -c '%n %u:%g %a' /var/cache/x/f > /cache-file && cat /var/cache/x/f >> /cache-file
RUN --mount=type=bind,source=tree,target=/new/bound --mount=type=tmpfs,target=/new/tmp,size=1m \
    --mount=type=bind,from=other,source=/data,target=/full \
    cat /new/bound/f /full/file > /bound && touch /new/tmp/x && stat -c '%n %u:%g %a' /full/file >> /bound \
 && ! test -e /full/f
RUN --mount=type=bind,source=tree,target=/work,rw echo changed > /work/f && cat /work/f > /changed
RUN --mount=type=secret,id=one,target=/deep/down/secret,uid=12,gid=13,mode=0440 \
    --mount=type=secret,id=one,env=ONE \
    stat -c '%u:%g %a %s' /deep/down/secret > /secret-owner && test "$ONE" = "$(cat /deep/down/secret)"
RUN cat /full/f && ! ls /deep /new /var/cache/x /run/secrets 2>/dev/null
