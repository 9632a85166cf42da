#!/bin/sh
# test/e2e/empty_root.sh: the file set of Dockerfile.scratch, one file, serves from an empty root: no /dev, /proc, /etc,
# as uid 65532, with an empty environment; its own health check sees it; SIGTERM ends it with 0. As root, where mounts are
# allowed: with the root read-only, no capability and no way to new ones, as `--read-only --cap-drop ALL` runs it. Prints TAP.
set -u
cd "$(dirname "$0")/../.."
root=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$root"' EXIT
trap 'exit 1' INT TERM
log=$(pwd)/build/empty_root.log
n=0 bad=0

is() { # GOT, WANTED, NAME
	n=$((n + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $n - $3"
	else
		bad=1
		echo "not ok $n - $3"
		echo "# got $1, want $2"
		[ ! -s "$log" ] || tail -n 10 "$log" | sed 's/^/# log: /'
	fi
}

skip() { # NAME, WHY
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# What setpriv leaves is what chroot itself needs; the uid that it changes to takes the rest.
drop='/usr/bin/setpriv --no-new-privs --bounding-set -all,+sys_chroot,+setuid,+setgid'
mount='/bin/mount --bind "$0" "$0" && /bin/mount -o remount,bind,ro "$0"'
sealed=
if [ "$(id -u)" = 0 ] && /usr/bin/unshare -m /bin/sh -c "$mount && $drop /bin/true" "$root" 2>/dev/null; then sealed=yes; fi

# Replaces this process (so that $! is the server's own id) when run in a subshell.
inside() {
	if [ -n "$sealed" ]; then
		exec env -i /usr/bin/unshare -m /bin/sh -c "$mount"' && exec '"$drop"' /usr/sbin/chroot --userspec=65532:65532 "$0" "$@"' \
			"$root" "$@"
	elif [ "$(id -u)" = 0 ]; then
		exec env -i /usr/sbin/chroot --userspec=65532:65532 "$root" "$@"
	else
		exec env -i /usr/bin/unshare --user --map-user=65532 --map-group=65532 --root="$root" "$@"
	fi
}

chmod 755 "$root"
cp build/presenced "$root/presenced"
is "$(ls -A "$root")" presenced "the root holds one file"
(inside /presenced --version) >"$log" 2>&1
is $? 0 "--version"

port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
(inside /presenced healthcheck "$url") >"$log" 2>&1
code=$?
is "$([ $code != 0 ] && [ $code -lt 126 ] && echo refused)" refused "healthcheck fails while nobody listens"

(inside /presenced --listen "127.0.0.1:$port") >"$log" 2>&1 &
server=$!
healthy=1
for _ in $(seq 100); do
	kill -0 "$server" 2>/dev/null || break
	(inside /presenced healthcheck "$url") >/dev/null 2>&1
	healthy=$?
	[ $healthy != 0 ] || break
	sleep 0.05
done
is $healthy 0 "the server starts, and healthcheck from the same root says so"
is "$(kill -0 "$server" 2>/dev/null && echo alive)" alive "it still runs"
if [ -n "$sealed" ]; then
	is "$(sed -n 's/^\(Uid\|CapPrm\|CapEff\|CapAmb\|NoNewPrivs\):[ 	]*\([^ 	]*\).*/\2/p' "/proc/$server/status" | xargs)" \
		"65532 0000000000000000 0000000000000000 0000000000000000 1" "as uid 65532, without a capability"
	/usr/bin/unshare -m /bin/sh -c "$mount"' && : 2>/dev/null >"$0/file"' "$root" 2>/dev/null
	is "$([ $? != 0 ] && echo refused)" refused "nobody could write to that root, not even root"
else
	skip "as uid 65532, without a capability, from a read-only root" "no root here, or no mounts"
fi
kill -TERM "$server" 2>/dev/null
wait "$server"
is $? 0 "SIGTERM: exit code 0"
server=
is "$(ls -A "$root")" presenced "it left nothing behind"
echo "1..$n"
exit $bad
