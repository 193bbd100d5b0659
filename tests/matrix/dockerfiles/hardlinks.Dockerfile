# Hard links: in one layer, over layers, copied up, broken, renamed
FROM busybox
RUN mkdir -p /d/sub && echo one > /d/a && ln /d/a /d/b && ln /d/a /d/sub/c && chown 3:4 /d/a \
 && echo two > /d/x && ln /d/x /d/y && ln -s a /d/l && ln /d/l /d/m
RUN ln /d/a /d/new
RUN echo more >> /d/sub/c
RUN rm /d/b && mv /d/y /d/z && chmod 600 /d/new
RUN rm /d/a && echo other > /d/a && ln /d/x /d/sub/x
