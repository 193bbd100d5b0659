# Times: files older than the build, directories written in and given their time back, touched ones
FROM busybox
RUN mkdir -p /t/a /t/b && echo f > /t/a/f && touch -d '2001-02-03 04:05:06' /t/a/f /t/a /t/b
RUN echo g > /t/a/g && touch -d '2001-02-03 04:05:06' /t/a && cp -p /t/a/f /t/b/copy
RUN touch /t/b && touch -d '2002-01-01 00:00:00' /t/a/g
RUN echo temporary > /t/b/x && rm /t/b/x
RUN echo temporary > /t/a/x && rm /t/a/x && touch -d '2001-02-03 04:05:06' /t/a
RUN sed -i s/f/h/ /t/a/f && chmod 600 /t/b/copy
RUN true
