#!/bin/sh
# test/e2e/empty_root.sh: the file set of Dockerfile.scratch, one file, serves from an empty root: no /dev, /proc, /etc,
# as uid 65532, with an empty environment; its own health check sees it; SIGTERM ends it with 0. Prints TAP.
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

# Replaces this process (so that $! is the server's own id) when run in a subshell.
inside() {
	if [ "$(id -u)" = 0 ]; then
		exec env -i /usr/sbin/chroot --userspec=65532:65532 "$root" "$@"
	else
		exec env -i /usr/bin/unshare --map-root-user --root="$root" "$@"
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
kill -TERM "$server" 2>/dev/null
wait "$server"
is $? 0 "SIGTERM: exit code 0"
server=
is "$(ls -A "$root")" presenced "it left nothing behind"
echo "1..$n"
exit $bad
