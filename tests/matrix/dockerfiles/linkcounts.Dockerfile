# What a step sees of hard links that earlier steps made
FROM busybox
RUN mkdir /d && echo one > /d/a && ln /d/a /d/b && ln /d/a /d/c && echo two > /d/x && ln /d/x /d/y
RUN stat -c '%h' /d/a > /count
RUN echo more >> /d/c && cat /d/a /d/b > /seen && ln /d/x /d/z && cp -a /d /copy
