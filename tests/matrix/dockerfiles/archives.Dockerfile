# ADD of archives with owners, links, devices and times; files of theirs changed by steps
FROM busybox
ADD tree.tar.gz /added/
ADD --chown=50:51 tree.tar.gz /given/
ADD --unpack=false tree.tar.gz /kept.tar.gz
RUN stat -c '%n %u:%g %a %F %Y' /added/[!n]* /added/no* /added/dir/* > /seen
RUN chmod 700 /added/dir && echo more >> /added/dir/file && rm /added/link && tar -tzf /kept.tar.gz | sort > /names
RUN mkdir /again && tar -C /again -xpzf /kept.tar.gz dir fifo && stat -c '%n %u:%g %a' /again/* > /again.txt
