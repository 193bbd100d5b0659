# What a step sees: ids, mask, environment, devices, standard files, resolver and hosts, signals
FROM busybox
RUN (id; umask; pwd; env | grep -v ^HOSTNAME= | sort; stat -c '%n %F %a %u:%g' / /etc /tmp /root /bin; stat -c '%n %F %a' /proc /sys; \
    stat -c '%n %F %a %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/shm; grep -c '^127.0.0.1.localhost' /etc/hosts) > /seen
RUN echo x > /dev/null && head -c4 /dev/zero | wc -c > /zeros && echo shared > /dev/shm/x && ! test -e /dev/shm/y \
 && test ! -t 0 && cat > /input && stat -c '%F %a %u:%g' /etc/resolv.conf /etc/hosts > /network
RUN test ! -e /dev/shm/x && (sleep 1000 &) && echo left something running > /left
RUN trap 'echo caught > /trap' TERM; kill -TERM $$
