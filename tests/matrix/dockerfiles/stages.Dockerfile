# Many stages: COPY --from with wildcards, links and owners; scratch; a stage from a stage
FROM busybox AS made
RUN mkdir -p /out/bin /out/lib && echo a > /out/bin/a && ln /out/bin/a /out/bin/b && chmod 4755 /out/bin/a \
 && ln -s ../bin/a /out/lib/a && mkfifo /out/pipe && chown -R 101:102 /out && mkdir -m 1777 /out/sticky \
 && chown 9:9 /out/lib/a -h
FROM made AS changed
RUN echo more >> /out/bin/a && rm /out/pipe
FROM busybox AS used
COPY --from=made /out /made
COPY --from=changed --chown=33:34 /out/bin/? /changed/
RUN stat -c '%n %u:%g %a' /made/* /made/*/* /changed/* > /seen
FROM scratch
COPY --from=used /seen /
COPY --from=used --chmod=0701 /made/bin /bin
COPY --link --from=changed /out/lib /lib
