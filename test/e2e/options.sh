#!/bin/bash
# test/e2e/options.sh: every way to configure the program wrongly, one by one: exit code 2, nothing on standard output, one line on
# standard error that names what is wrong. Then check, help and healthcheck as they are used. Prints TAP.
set -u
cd "$(dirname "$0")/../.."
p=$PWD/build/presenced
dir=$(mktemp -d)
pids=
trap 'for pid in $pids; do kill -9 "$pid" 2>/dev/null; done; rm -rf "$dir"' EXIT
n=0 bad=0

is() { # GOT, WANTED, NAME
	n=$((n + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $n - $3"
	else
		bad=1
		echo "not ok $n - $3"
		printf 'got:  %s\nwant: %s\n' "$1" "$2" | sed 's/^/# /'
	fi
}

# The program with an environment of its own; OUT, ERR and CODE are what it did.
run() { # [NAME=VALUE...] -- [ARGUMENT...]
	local env=()
	while [ "$1" != -- ]; do
		env+=("$1")
		shift
	done
	shift
	timeout 10 env -i "${env[@]}" "$p" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	CODE=$? OUT=$(cat "$dir/out") ERR=$(cat "$dir/err")
}

wrong() { # LINE WITHOUT "presenced: ", then as run()
	local line=$1
	shift
	run "$@"
	is "$CODE|$OUT|$ERR" "2||presenced: $line" "$line"
}

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

cd "$dir" || exit 1
duration='is not a duration (500ms, 5s, 1m30s, 1h or seconds)'
for flag in offline-debounce stale-timeout cleanup-interval heartbeat-interval ping-period pong-wait write-wait presence-ttl \
	typing-ttl drain-timeout; do
	wrong "--$flag: \"5x\" $duration" -- --$flag 5x
done
for flag in presence-rate message-rate message-burst user-message-rate rate-ping rate-heartbeat rate-authenticate rate-presence \
	rate-query rate-subscribe rate-unsubscribe rate-typing rate-receipt rate-call-offer rate-call-answer rate-call-ice \
	rate-call-hangup max-connections max-connections-per-ip max-connections-per-user connection-rate max-subscriptions \
	max-fragments client-buffer workers busy-poll; do
	wrong "--$flag: \"1.5\" is not a whole number" -- --$flag=1.5
done
for flag in max-message-size client-buffer-bytes; do
	wrong "--$flag: \"64 k\" is not a size (bytes, 64k or 10m)" -- "--$flag=64 k"
done
wrong '--slow-consumer: "wait" is not one of drop|close' -- serve --slow-consumer=wait
wrong '--audience: "none" is not one of all|rooms' -- --audience none
wrong '--log-level: "loud" is not one of debug|info|warn|error|warning' -- --log-level loud
wrong '--log-format: "xml" is not one of logfmt|json' -- --log-format xml
wrong '--auth: "none" is not one of trust|jwt' -- --auth none
for flag in jwt-leeway auth-timeout; do
	wrong "--$flag: \"5x\" $duration" -- --$flag 5x
done
for flag in jwks-url keycloak-url user-check-url; do
	wrong "--$flag: \"ftp://x\" is not an http or https URL without user and fragment" -- --$flag ftp://x
done
for flag in jwt-secret-file jwt-key-file ca-file; do
	wrong "--$flag: \"none\": No such file or directory" -- check --$flag none
	wrong "--$flag: \".\": Is a directory" -- --$flag .
done
for flag in tls-cert tls-key; do
	wrong "--$flag: tls-cert is given $([ $flag = tls-cert ] && echo 1 and tls-key 0 || echo 0 and tls-key 1) times: they are pairs, by their order" \
		-- --$flag none
done
wrong '--tls-cert: "none": No such file or directory' -- --tls-cert none --tls-key none
wrong '--listen: 127.0.0.1:0,tls needs tls-cert and tls-key' -- --listen 127.0.0.1:0,tls
wrong '--workers: "2" is out of range (1 to 1)' -- --workers 2
wrong '--busy-poll: "1000001" is out of range (0 to 1000000)' -- --busy-poll 1000001
wrong '--cpu-affinity: "none" is not a list of CPUs (0, 0,2 or 1-3) or off' -- --cpu-affinity none
for cpus in 1023 0-1023; do # the second: a kernel takes those that it has
	wrong "--cpu-affinity: \"$cpus\": this process cannot have all of these CPUs here" -- --cpu-affinity $cpus
done
wrong '--sandbox: "maybe" is not on or off (true, false, yes, no, 1, 0)' -- --sandbox maybe
wrong '--public-reads: "maybe" is not on or off (true, false, yes, no, 1, 0)' -- --public-reads maybe
wrong "--trusted-proxies: \"proxy\" is not an address or network (192.0.2.1, 10.0.0.0/8, 2001:db8::/32), nor \`unix\`" -- --trusted-proxies proxy
wrong '--auth: tokens need keys: one of jwt-secret-file, jwt-key-file, jwks-file, jwks-url and keycloak-url is missing' -- --auth jwt
wrong '--jwt-secret-file: "/dev/null" is empty' -- --jwt-secret-file /dev/null
wrong "--jwks-url: a set's keys sign for others too, so more is demanded: missing: jwt-issuer, jwt-audience (or keycloak-client-id)" \
	-- --jwks-url http://127.0.0.1/
wrong '--jwks-url: "https://127.0.0.1/": an https URL needs ca-file, the certificates to trust: SSL_CERT_FILE says "none": No such file or directory' \
	SSL_CERT_FILE=none -- --jwks-url https://127.0.0.1/ --jwt-issuer i --jwt-audience a
wrong "KEYCLOAK_URL: Keycloak's URL, realm and client id belong together: missing: keycloak-client-id" \
	KEYCLOAK_URL=http://kc KEYCLOAK_REALM=r --
for flag in service-name node-id user; do
	wrong "--$flag: \"\" is not text of 1 to 64 bytes without control characters and double quotes" -- --$flag=
done
wrong '--allowed-origins: "example.org" is not an origin (https://example.org, or *)' -- --allowed-origins example.org
wrong '--listen: "nowhere:80" does not begin with a literal address or localhost (names are not looked up)' -- --listen nowhere:80
wrong '--listen: "127.0.0.1:0,ssl" has an unknown parameter (there are dialect=NAME, tls and admin)' -- --listen 127.0.0.1:0,ssl
wrong '--listen: 0.0.0.0:0 is not a loopback address, and auth=trust believes whatever id a client gives: write --auth trust to want that' \
	-- --listen 0.0.0.0:0
wrong '--api-key-file: "none": No such file or directory' -- --api-key-file none
[ "$(id -u)" != 0 ] || wrong '--user: "no-such-user": no such user' -- check --user no-such-user
: >empty
wrong '--api-key-file: "empty": it is empty' -- --api-key-file empty
wrong '--config: "none" cannot be read: No such file or directory' -- --config none
wrong '--config: "." cannot be read: Is a directory' -- --config .
wrong 'unknown option "--foo" (--help lists them)' -- --foo=1
wrong 'unknown option "--threads" (--help lists them)' -- --threads 2
wrong '"-v" is not an option (--help lists them)' -- -v
wrong '"x" is not an option (--help lists them)' -- serve x
wrong "--typing-ttl: no value is given; it takes ${duration#is not }" -- --typing-ttl
wrong '"start" is no command (serve, check, healthcheck, token, client; see --help)' -- start
wrong "PRESENCED_TYPING_TTL: \"5x\" $duration" PRESENCED_TYPING_TTL=5x --
wrong "WS_TYPING_TTL: \"5x\" $duration" WS_TYPING_TTL=5x --
wrong "WS_PRESENCE_TTL: \"5x\" $duration" WS_PRESENCE_TTL=5x --
wrong "WS_HEARTBEAT_INTERVAL: \"5x\" $duration" WS_HEARTBEAT_INTERVAL=5x --
wrong "PRESENCE_OFFLINE_DEBOUNCE: \"5x\" $duration" PRESENCE_OFFLINE_DEBOUNCE=5x --
wrong 'SERVICE_PORT: "http" is not a port from 0 to 65535' SERVICE_PORT=http --
wrong 'LOG_LEVEL: "9" is not one of debug|info|warn|error|warning' LOG_LEVEL=9 --
printf 'websocket:\n  pong_wait: 60s\n  pong_weight: 5s\n' >a.conf
wrong 'a.conf:3: unknown option "pong_weight"' -- check --config a.conf
printf 'typing-ttl = 5s\ntyping-ttl 5s\n' >b.conf
wrong 'b.conf:2: neither `option = value` nor `option: value`' -- check --config=b.conf
head -c 70000 /dev/zero | tr '\0' '#' >long.conf
wrong '--config: "long.conf" cannot be read: it is too long' -- --config long.conf

(ulimit -n 1024 && env -i "$p" --max-connections 1000 2>err >out)
is "$? $(cat out err)" '2 presenced: --max-connections: 1000 cannot be met: a process may open 1024 files here (ulimit -n), 100 of which are kept back' \
	"O12: a written max-connections that cannot be met"
(ulimit -n 1024 && env -i "$p" check >out 2>err)
is "$? $(grep ^max-conn out | head -1)" '0 max-connections = 924   # from default; lowered to what this process may use' "O12: the default is lowered"
is "$(cat err)" 'presenced: warning: max-connections is 924, not 10000: a process may open 1024 files here (ulimit -n), 100 of which are kept back' \
	"O12: with a warning"

# A port that is taken.
/usr/bin/python3 -u -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1]); time.sleep(600)' >mute &
pids=$!
disown
for _ in $(seq 100); do
	[ -s mute ] && break
	sleep 0.05
done
port=$(cat mute)
run -- --listen "127.0.0.1:$port"
is "$CODE|$OUT|$(wc -l <err)" "2||1" "O12: a busy port: exit code 2 and one line"
case $ERR in
"presenced: "*"127.0.0.1:$port"*"in use"*) named=yes ;;
*) named=$ERR ;;
esac
is "$named" yes "O12: the line names the address and the reason"

# check
run FOO=1 PRESENCED_KUBERNETES_PORT=1 PRESENCED_LISTEN=127.0.0.1:0 -- check --typing-ttl 7
is "$CODE $ERR" '0 presenced: warning: "PRESENCED_KUBERNETES_PORT" in the environment is no option; ignored' \
	"an unknown PRESENCED_ variable only warns"
is "$(grep -e ^typing -e ^listen out)" 'listen = 127.0.0.1:0   # from PRESENCED_LISTEN
typing-ttl = 7s   # from --typing-ttl' "check says what holds and where it comes from"
is "$(grep 'Not in the total' out)" "# Not in the total: the kernel's memory, at most 192 KiB for the socket of each connection" "and what the kernel adds"
is "$(grep -c '^# \(connections\|engine\|frames\|intake\|other\|total\) *[0-9]*\.[0-9] MiB$' out)" 6 "check prints the memory budget"
grep -v -e '^node-id' -e '^# config' out >first
cp first c.conf
run -- check --config c.conf
is "$CODE $(grep -v -e '^node-id' -e '^# config' out | sed 's/ *# from .*//')" "0 $(sed 's/ *# from .*//' first)" "what check prints is a file that comes to the same"
printf 's3cret-key\n' >key
run -- check --api-key-file key
is "$(grep -c s3cret out) $(grep ^api-key out)" '0 api-key-file = key   # from --api-key-file; the key is not shown' "check does not show the key"
run KEYCLOAK_URL=http://kc/ KEYCLOAK_REALM=r KEYCLOAK_CLIENT_ID=c SERVICE_PORT=0 -- check
is "$CODE|$ERR|$(grep -e ^listen -e ^auth' ' -e ^jwks -e ^jwt-issuer out)" '0||listen = 0.0.0.0:0   # from SERVICE_PORT
auth = jwt   # from KEYCLOAK_URL
jwks-url = http://kc/realms/r/protocol/openid-connect/certs   # from KEYCLOAK_URL
jwt-issuer = http://kc/realms/r   # from KEYCLOAK_URL' "seed 002: check says what Keycloak's options come to"
printf 's3cret-t0ken-key\n' >secret
run -- check --jwt-secret-file secret
is "$CODE|$ERR|$(grep -c s3cret out)|$(grep ^jwt-sec out)" '0|presenced: warning: jwt-secret-file: "secret": the secret has 16 bytes; fewer than 32 can be guessed|0|jwt-secret-file = secret   # from --jwt-secret-file; the secret is not shown' "check does not show the secret"
openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl ec -pubout >ec.pem 2>/dev/null
openssl genrsa 2048 2>/dev/null | openssl rsa -pubout 2>/dev/null | cat - ec.pem >keys.pem
run -- check --jwt-key-file keys.pem
is "$CODE $(grep ^jwt-key out)" '0 jwt-key-file = keys.pem   # from --jwt-key-file; 2 keys: RS256, ES256' "check says which keys there are"
x=$(openssl ec -pubin -in ec.pem -outform DER 2>/dev/null | tail -c 64 | head -c 32 | base64 -w0 | tr '+/' '-_' | tr -d =)
y=$(openssl ec -pubin -in ec.pem -outform DER 2>/dev/null | tail -c 32 | base64 -w0 | tr '+/' '-_' | tr -d =)
printf '{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"%s","y":"%s"},{"kty":"oct","kid":"k2","k":"AAAA"}]}' "$x" "$y" >jwks.json
run -- check --jwks-file jwks.json --jwt-issuer i --jwt-audience a
is "$CODE $(grep ^jwks out)" '0 jwks-file = jwks.json   # from --jwks-file; 1 key: ES256 kid=k1; 1 not used' "check says which keys are in a set"
run -- check --auth trust --jwks-file nowhere
is "$CODE|$ERR" '0|presenced: warning: auth=trust believes whatever id a client gives: not used: jwks-file' "tokens beside auth=trust are said not to count"
printf 'websocket:\n  read_buffer_size: 1024\n  broadcast_buffer: 1024\n' >d.conf
run -- check --config d.conf
is "$CODE $(grep ^broadcast out)" "0 broadcast-buffer = 1024   # from d.conf:3: broadcast_buffer; no counterpart: a broadcast goes into its\
 receivers' queues at once, client-buffer bounds them" "seed 001: check says what a buffer size corresponds to"

# words
run -- --version
is "$CODE ${OUT% *} $ERR" "0 presenced " "--version"
run -- --help
is "$CODE $(grep -c '^  --' out)" "0 $(("$p" check 2>/dev/null) | grep -c '^[a-z]\|^# [a-z-]*: .*# from')" "--help has what check has"
run -- --help=markdown
is "$CODE $(grep -c '^| `' out)" "0 $("$p" --help | grep -c '^  --')" "and so has the README's table"

# healthcheck
cat >server.py <<'PY'
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == sys.argv[1] else 503)
        self.end_headers()
    def log_message(self, *a):
        pass
s = http.server.HTTPServer(("127.0.0.1", 0), H)
print(s.server_address[1], flush=True)
s.serve_forever()
PY
/usr/bin/python3 server.py /ready >ready &
pids="$pids $!"
disown
/usr/bin/python3 server.py /nothing >unready &
pids="$pids $!"
disown
for _ in $(seq 100); do
	[ -s ready ] && [ -s unready ] && break
	sleep 0.05
done
run -- healthcheck "http://127.0.0.1:$(cat ready)"
is "$CODE|$OUT|$ERR" "0||" "healthcheck: 200"
run PRESENCED_LISTEN="0.0.0.0:$(cat ready),admin unix:/x" -- healthcheck
is "$CODE|$OUT|$ERR" "0||" "healthcheck asks the listener of PRESENCED_LISTEN"
run SERVICE_PORT="$(cat ready)" -- healthcheck
is "$CODE|$OUT|$ERR" "0||" "healthcheck asks the port of SERVICE_PORT"
printf 'typing-ttl = 5s\nserver:\n  listen: 127.0.0.1:1,tls\n  listen: "127.0.0.1:%s,admin"\n' "$(cat ready)" >listens.conf
run PRESENCED_CONFIG=listens.conf -- healthcheck
is "$CODE|$OUT|$ERR" "0||" "healthcheck asks the listener of PRESENCED_CONFIG's file"
run PRESENCED_CONFIG=none -- healthcheck --config listens.conf
is "$CODE|$OUT|$ERR" "0||" "healthcheck asks the listener of --config's file"
run PRESENCED_CONFIG=listens.conf SERVICE_PORT="$(cat unready)" -- healthcheck
is "$CODE|$OUT|$ERR" "1||presenced: healthcheck: 127.0.0.1:$(cat unready): answered 503" "healthcheck: the environment wins over the file"
run PRESENCED_CONFIG=none SERVICE_PORT="$(cat ready)" -- healthcheck
is "$CODE|$OUT|$ERR" "0||" "healthcheck: a file that is not needed is not read"
run -- healthcheck "http://localhost:$(cat unready)/"
is "$CODE|$OUT|$ERR" "1||presenced: healthcheck: localhost:$(cat unready): answered 503" "healthcheck: 503"
run -- healthcheck "http://localhost:$(cat unready)/nothing"
is "$CODE|$OUT|$ERR" "0||" "healthcheck: another path"
port=$(free_port)
run -- healthcheck "http://127.0.0.1:$port"
is "$CODE|$OUT|$ERR" "1||presenced: healthcheck: 127.0.0.1:$port: Connection refused" "healthcheck: nobody listens"
run -- healthcheck "http://127.0.0.1:$(cat mute)"
is "$CODE|$OUT|$ERR" "1||presenced: healthcheck: no answer within 5 seconds" "healthcheck: no answer"
run -- healthcheck unix:none
is "$CODE|$OUT|$ERR" "1||presenced: healthcheck: unix:none: No such file or directory" "healthcheck: a unix socket"
run -- healthcheck "http://no-such-name.invalid"
is "$CODE|$(echo "$ERR" | grep -c '^presenced: healthcheck: no-such-name.invalid: ')" "1|1" "healthcheck: a name that is none"
run SERVICE_PORT="$port" PRESENCED_LISTEN="127.0.0.1:$port,tls  127.0.0.1:$(cat ready),admin 127.0.0.1:$port" -- healthcheck
is "$CODE|$OUT|$ERR" "0||" "healthcheck prefers a listener without TLS"
for url in ftp://x ws://127.0.0.1 http://127.0.0.1:0 http://a@b 127.0.0.1:80 http:// 'http://h/a b'; do
	wrong "healthcheck: $url is not http://HOST[:PORT][/PATH], https://... or unix:PATH" -- healthcheck "$url"
done
wrong 'healthcheck: "http://x" is one word too many' -- healthcheck http://127.0.0.1 http://x
wrong 'healthcheck: there is no option "--insecure" (see --help)' -- healthcheck --insecure
wrong 'healthcheck: --ca-file wants a value' -- healthcheck https://h --ca-file
wrong 'healthcheck: --ca-file is for an https URL' -- healthcheck http://h --ca-file f
wrong 'healthcheck: --ca-file is for an https URL' -- healthcheck --ca-file=f
wrong 'ca-file /none: No such file or directory' -- healthcheck https://h --ca-file /none
wrong 'healthcheck: the server'\''s listener cannot be told: none: No such file or directory' -- healthcheck --config none
wrong "healthcheck: the server's listener has no port (ADDR:PORT)" PRESENCED_LISTEN="1.2.3.4" -- healthcheck
echo "1..$n"
exit $bad
