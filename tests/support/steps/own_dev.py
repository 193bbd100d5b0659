"""A /dev of one's own: where a promise is broken, the machine's stays as it is."""

# To be run by sh in a mount namespace; the arguments are the command.
OWN_DEV = """
set -e
umask 022
there=$(mktemp -d)
mount -t tmpfs -o mode=755 own-dev "$there"
cd "$there"
mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7
mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9; mknod -m 666 tty c 5 0
ln -s /proc/self/fd fd
mkdir pts shm
mount --rbind /dev/pts pts
mount --rbind /dev/shm shm
cd "$OLDPWD"
mount --move "$there" /dev
rmdir "$there"
exec "$@" </dev/null
"""
