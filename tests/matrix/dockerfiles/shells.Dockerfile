# WORKDIR, SHELL, here-documents, ARG, ENV, USER by number, and the directories that they make
FROM busybox
ARG WHO=world
ENV GREETING="hello $WHO" HOME=/nowhere
WORKDIR /made/by/workdir
RUN <<END
echo "$GREETING" > greeting
pwd >> greeting
END
RUN <<FIRST cat > both && cat <<SECOND >> both
first $GREETING
FIRST
second
SECOND
COPY <<'TEXT' <<"OTHER" /texts/
not expanded: $GREETING
TEXT
expanded: $GREETING
OTHER
SHELL ["/bin/sh", "-e", "-u", "-c"]
RUN ! (echo "$NOT_THERE") 2>/dev/null; echo "$0 $-" > shell
RUN ["/bin/sh", "-c", "echo exec form > exec; env | grep -v ^HOSTNAME= | sort >> exec"]
USER 1000:1001
WORKDIR relative
RUN cd /tmp && id > /tmp/id && umask >> /tmp/id && echo $HOME >> /tmp/id
RUN ! touch /made/by/refused 2>/dev/null && ! mkdir x 2>/dev/null; mkdir -p /tmp/x/y
