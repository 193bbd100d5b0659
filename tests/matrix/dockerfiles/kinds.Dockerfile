# Kinds and modes: links that dangle and loop, FIFOs, set-id, sticky, holes, odd names, no modes
FROM busybox
RUN mkdir /k && cd /k && ln -s nowhere dangling && ln -s /k/loop loop && ln -s / root && mkfifo -m 600 pipe \
 && echo s > suid && chmod 6755 suid && mkdir -m 2775 setgid && mkdir -m 1777 sticky && chown 0:50 setgid \
 && touch none && chmod 000 none && truncate -s 1M hole && mkdir -m 0 closed && : > empty
RUN cd /k/setgid && touch inherits && mkdir below && touch below/f && umask 077 && touch private && mkdir closed
RUN cd /k && touch "with space" "ümlaut" "$(printf 'new\nline')" ./-dash 'back\slash' ".hidden" "a:b,c" \
 && mkdir -p $(seq -s / 40) && echo deep > $(seq -s / 40)/f
RUN chmod 640 /k/suid && chown 1:2 /k/hole && echo into > /k/closed/f && rm /k/pipe && mkfifo /k/pipe
