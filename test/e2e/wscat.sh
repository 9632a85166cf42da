#!/bin/sh
# test/e2e/wscat.sh: the quick-starts of seeds 000 and 002 with the real wscat, at the documents' own URLs where their
# ports are free (SERVICE_PORT, as seed 002 configures it), else at free ones. Prints TAP.
set -u
cd "$(dirname "$0")/../.."
wscat=test/e2e/node_modules/.bin/wscat
server=
dir=$(mktemp -d)
mkfifo "$dir/terminal"
exec 3<>"$dir/terminal" # wscat leaves at the end of its input: this one has none
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
n=0 bad=0

has() { # PATTERN, NAME: the answer holds a line like this
	n=$((n + 1))
	if grep -Eq "$1" "$dir/out"; then
		echo "ok $n - $2"
	else
		bad=1
		echo "not ok $n - $2"
		echo "# no $1 in:"
		sed 's/^/# /' "$dir/out"
		tail -n 5 "$dir/log" | sed 's/^/# log: /'
	fi
}

port_or_free() {
	/usr/bin/python3 -c '
import socket, sys
for port in (int(sys.argv[1]), 0):
    try:
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", port))
        print(s.getsockname()[1]); break
    except OSError:
        pass' "$1"
}

# The suite's other mode: TLS and tokens, localhost by its name (lib/secure.py).
tls=
if [ -n "${PRESENCED_E2E-}" ]; then
	tls=s
	if [ -z "${PRESENCED_E2E_DIR-}" ]; then
		export PRESENCED_E2E_DIR="$dir/secure"
		mkdir "$PRESENCED_E2E_DIR" && test/e2e/lib/secure.py "$PRESENCED_E2E_DIR"
	fi
fi
token() { # SUB [NAME]
	/usr/bin/python3 -c 'import sys; sys.path.insert(0, "test/e2e/lib"); sys.dont_write_bytecode = True; import web; print(web.jwt(*sys.argv[1:]))' "$@"
}

start() { # PORT
	if [ -n "$tls" ]; then
		port=$(port_or_free 0)
		options=$(test/e2e/lib/secure.py options)
		# shellcheck disable=SC2086 # words without spaces, all of them
		env -i PATH="$PATH" build/presenced --listen "127.0.0.1:$port,tls" $options 2>"$dir/log" &
	else
		port=$(port_or_free "$1")
		env -i PATH="$PATH" SERVICE_PORT="$port" build/presenced 2>"$dir/log" &
	fi
	server=$!
	for _ in $(seq 200); do
		! grep -q msg=Listening "$dir/log" || return 0
		sleep 0.02
	done
	echo "# the server does not listen"
	tail -n 5 "$dir/log" | sed 's/^/# log: /'
}

stop() {
	kill -TERM "$server"
	wait "$server"
	code=$?
	server=
	echo "exit $code" >"$dir/out"
	has '^exit 0$' "SIGTERM: exit code 0"
}

run() { # wscat's options; commands are typed by -x, its output is kept
	timeout 20 "$wscat" --no-color ${tls:+--ca "$PRESENCED_E2E_DIR/ca.pem"} "$@" <&3 >"$dir/out" 2>&1
}

get() { # PATH
	curl -sS ${tls:+--cacert "$PRESENCED_E2E_DIR/ca.pem" -H "Authorization: Bearer $(token user-uuid)"} \
		"http$tls://localhost:$port$1" >"$dir/out"
}

# Seed 000: wscat -c ws://localhost:8085/ws -H "X-User-ID: user-uuid" -H "X-Device-ID: device-123"
start 8085
run -c "ws$tls://localhost:$port/ws" -H "X-User-ID: user-uuid" -H "X-Device-ID: device-123" ${tls:+-H "Authorization: Bearer $(token user-uuid)"} -w 1 -x '{
  "type": "presence_update",
  "payload": {
    "online_status": "away",
    "custom_status": "In a meeting"
  }
}'
has '"type":"connection_ack".*"user_id":"user-uuid","device_id":"device-123"' "seed 000: connection_ack"
has '"type":"presence_update_ack".*"online_status":"away","custom_status":"In a meeting"' "seed 000: presence_update_ack"
has '"type":"presence_update",.*"user_id":"user-uuid","online_status":"away","custom_status":"In a meeting"' "seed 000: presence_update"
get "/user-uuid"
has '"user_id":"user-uuid","online_status":"away","custom_status":"In a meeting".*"is_online":true' "seed 000: curl http://localhost:8085/{user_id}"
run -c "ws$tls://localhost:$port/ws" -w 1 -x '{"type":"ping"}'
has 'Unexpected server response: 401' "no identity: 401"
stop

# Seed 002: wscat -c "ws://localhost:8006/ws?token=<JWT>", and what is typed there
start 8006
run -c "ws$tls://localhost:$port/ws?token=$(token user-123 alice)" -w 1 -x '{"type": "subscribe", "channel_id": "channel_general"}' \
	-x '{"type": "typing", "channel_id": "channel_general"}' -x '{"type": "ping"}'
has '^< ?\{"type":"presence","user_id":"user-123","username":"alice","status":"online","timestamp":"[^"]*Z"\}|^\{"type":"presence","user_id":"user-123"' "seed 002: presence"
has '\{"type":"subscribed","channel_id":"channel_general","dm_id":null\}' "seed 002: subscribed"
has '\{"type":"pong","timestamp":"[^"]*Z"\}' "seed 002: pong"
get /health
has '"status":"healthy","service":"presence","active_connections":[0-9]+' "seed 002: curl http://localhost:8006/health"
stop

echo "1..$n"
exit $bad
