"""What a run does with presenced.faulty: each scenario is short, on real sockets, and uses every kind of call of its part."""
import base64, functools, hashlib, hmac, json, os, socket, sys, tempfile, threading, time
from clients import Conn, Harm, Http, Upper, Ws, masked

BASE = ["--offline-debounce=30ms", "--presence-rate=0", "--max-connections=40", "--write-wait=2s", "--drain-timeout=2s",
        "--message-burst=1000"]
BIG = 200000
V1 = "/api/v1/presence/"


class Services:
    """What the scenarios ask besides: files are made once; what runs is a worker's own, from its first use on."""

    def __init__(self):
        import pki
        from issuer import Certificates, Key
        from redisd import authority
        self.pki, self.directory, self._nodes = pki, pki.directory(), {}
        authority()
        self.key = Key(self.directory, "torture")
        self.authority = Certificates(self.directory)
        self.pair = self.authority.issue("localhost", "ec", san="DNS:localhost,IP:127.0.0.1")
        os.chmod(self.pair[1], 0o644)
        self.context = pki.context(self.authority.ca)
        for name, text in [("secret", "0123456789abcdef0123456789abcdef\n"), ("api-key", "an-api-key-of-this-test\n"),
                           ("presenced.conf", "# read by the server\nservice-name = torture\ntyping_ttl: 5s\n"),
                           ("lines", "sub a\ntyping a\nping\nstatus busy in a call\nunsub a\n")]:
            with open(os.path.join(self.directory, name), "w") as f:
                f.write(text)

    def path(self, name):
        return os.path.join(self.directory, name)

    @functools.cached_property
    def issuer(self):
        from issuer import Issuer
        return Issuer([self.key.jwk])

    @functools.cached_property
    def secure_issuer(self):
        from issuer import Issuer
        return Issuer([self.key.jwk], tls=self.pair)

    @functools.cached_property
    def users(self):
        from issuer import Users
        return Users(Anybody())

    @functools.cached_property
    def redis(self):
        from redisd import Redis
        return Redis(unix=True)

    @functools.cached_property
    def secure_redis(self):
        from redisd import Redis
        return Redis(tls=True)

    def other_node(self, redis, *options):
        """A healthy presenced on the same Redis, which lives as long as the worker: its port."""
        if redis not in self._nodes:
            from server import BINARY, Server
            self._nodes[redis] = Server("--redis-url", redis.url, "--node-id=other", *BASE[:3], *options)
        return self._nodes[redis].ports[0]

    @functools.cached_property
    def server(self):
        """A healthy server, which the commands talk to."""
        from server import Server
        self.unix = self.path("socket-of-%d" % os.getpid())
        return Server(*BASE, *self.pki.options(self.pair), "--listen", "unix:" + self.unix, listen=("", "tls", "dialect=snake"))

    @functools.cached_property
    def silent(self):
        """A port where nothing is ever said."""
        self.listener = socket.create_server(("127.0.0.1", 0))
        return self.listener.getsockname()[1]

    def close(self):
        for node in self._nodes.values():
            node.process.kill()
        for name in ("redis", "secure_redis"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if "server" in self.__dict__:
            self.server.process.kill()


class Anybody(dict):
    def get(self, user, _=None):
        return 204 if not user.startswith("bad") else 404


def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hs256(sub, **claims):
    now = int(time.time())
    text = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(json.dumps({"sub": sub, "iat": now, "exp": now + 600, **claims}).encode())
    return text + "." + part(hmac.new(b"0123456789abcdef0123456789abcdef", text.encode(), hashlib.sha256).digest())


SCENARIOS = []
SIX = os.path.exists("/proc/net/if_inet6") and "00000000000000000000000000000001" in open("/proc/net/if_inet6").read()


class Scenario:
    """
    One server. `options(s)`, from the services; `listens`: what stands behind each address, by name. `lossy`: what one node says may
    not come to another at once. `given`: a fault that there is in any case: what is failed then is how that one is dealt with.
    `bystander`: None if tokens are needed. `descriptors`: the limit that it finds. `env`: what else it finds. `slow`: only
    under --all, or by its name. `tried`: with faults too.
    """
    command = False

    def __init__(self, play, options=None, listens=None, lossy=False, seconds=3, given=None, bystander=True, name=None, descriptors=None,
                 slow=False, tried=True, **env):
        self.name, self.play, self.options = name or play.__name__.replace("_", "-"), play, options or (lambda s: [])
        self.listens, self.lossy, self.seconds = listens or {"main": ""}, lossy, seconds
        self.given, self.bystander, self.descriptors, self.env = given, bystander, descriptors, env
        self.slow, self.tried = slow, tried


def scenario(**how):
    def keep(play):
        SCENARIOS.append(Scenario(play, **how))
        return play
    return keep


class Command:
    """
    presenced.faulty as a program of its own: `argv(s, tag)`; `same(out)`: what must be the same whenever it exits 0; `signal`: it gets
    that one when it waits; `fails`: the exit code that it has in any case; `full`:
    standard output takes nothing.
    """
    command, slow, file = True, False, None

    def __init__(self, name, argv, same=lambda out: out, stdin=None, terminal=None, codes=(0, 1, 2), signal=None, fails=None,
                 full=False):
        self.name, self.argv, self.same, self.stdin, self.terminal, self.codes = name, argv, same, stdin, terminal, codes
        self.signal, self.fails, self.full, self.tried = signal, fails, full, not full
        SCENARIOS.append(self)


class File:
    """A file of test/e2e, whose servers are all presenced.faulty: it passes, or fails cleanly."""
    command, slow, tried = True, False, True

    def __init__(self, path):
        self.name, self.file = os.path.basename(path), os.path.abspath(path)
        SCENARIOS.append(self)


# --- servers ---

@scenario(options=lambda s: ["--config", s.path("presenced.conf"), "--api-key-file", s.path("api-key"), "--log-level=debug", "--cpu-affinity=0"],
          listens={"main": "", "admin": "admin", "unix": "", **({"six": ""} if SIX else {})}, descriptors=256)
def start(run):
    web = Http(run, run.where("main"), "web")
    for path in ("/health", "/live", "/ready", "/metrics"):
        web.ask("GET", path)
    admin = Http(run, run.where("admin"), "admin")
    admin.ask("GET", "/admin/stats", None, "Authorization: Bearer an-api-key-of-this-test")
    there = Http(run, run.where("unix"), "unix")
    there.ask("GET", "/health")


@scenario()
def dialects(run):
    main, t = run.where("main"), run.tag
    snake = Ws(run, main, "snake").open("/ws", "X-User-ID: ann" + t, "X-Device-ID: d")
    snake.want("connection_ack")
    dotted = Ws(run, main, "dotted").open("/ws?user_id=bob" + t)
    dotted.want('"connected"')
    dotted.ask({"id": "s", "type": "subscribe", "payload": {"topics": ["presence", "typing", "calls"], "filters": {"conversation_id": "r"}}},
               "subscribed")
    rooms = Ws(run, main, "rooms").open("/ws?dialect=rooms&user_id=cy" + t)
    rooms.ask({"type": "subscribe", "channel_id": "r"}, "subscribed")
    roster = Ws(run, main, "roster").open("/ws?dialect=roster&user_id=dee" + t)
    roster.want("dee" + t)
    upper = Upper(run, main, "upper").open("/?userId=eve" + t)
    upper.want("CONNECT")
    snake.ask({"type": "presence_update", "payload": {"online_status": "busy", "custom_status": "x", "metadata": {"m": "y" * 1500}}},
              "presence_update_ack")
    dotted.want('"presence.update"', "ann" + t, "busy")
    rooms.want("presence", "ann" + t, "busy")
    upper.want("PRESENCE_UPDATE", "ann" + t)
    snake.ask({"type": "subscribe", "payload": {"conversation_id": "r"}}, "subscribed")
    dotted.say({"id": "t", "type": "typing.start", "payload": {"conversation_id": "r"}})
    rooms.want("typing", "bob" + t)
    snake.want("typing", "bob" + t)
    other = Ws(run, main, "callee").open("/ws?user_id=fay" + t)
    other.want('"connected"')
    dotted.ask({"id": 1, "type": "call.offer", "payload": {"call_id": "k" + t, "target_user_id": "fay" + t, "sdp": "v=0"}}, "call.offer")
    other.want("call.incoming")
    other.ask({"id": 2, "type": "call.answer", "payload": {"call_id": "k" + t, "sdp": "v=1"}}, "call.answer")
    dotted.want("call.answer")
    upper.alive(), roster.alive(), rooms.alive()
    snake.leave()
    dotted.want("presence.offline", "ann" + t)


@scenario()
def rest(run):
    main, t = run.where("main"), run.tag
    there = Ws(run, main, "there").open("/ws?dialect=rooms&user_id=ann" + t)
    there.alive()
    there.ask({"type": "subscribe", "channel_id": "c"}, "subscribed")
    web = Http(run, main, "web")
    web.ask("PUT", V1 + "ann" + t, {"online_status": "away", "custom_status": "z" * 200, "metadata": {"k": "v" * 1800}})
    there.want("presence", "away")
    for path in ("/presence", "/presence/ann" + t, V1 + "ann" + t, V1 + "ann%s/devices" % t, "/metrics", "/nobody"):
        web.ask("GET", path)
    web.ask("POST", V1 + "bulk", {"user_ids": ["ann" + t] + ["u%d" % i for i in range(60)]})
    web.ask("POST", V1 + "gus%s/heartbeat" % t, {"device_id": "d"}, want=204)
    web.ask("POST", "/api/v1/typing", {"conversation_id": "c", "user_id": "gus" + t, "is_typing": True}, want=202)
    there.want("typing")
    web.ask("POST", "/api/v1/broadcast", {"all": True, "data": {"text": "x" * 30000}}, want=202)
    there.want("xxxxx")
    bad = Http(run, main, "bad")
    bad.ask("PUT", V1 + "ann" + t, {"online_status": "nonsense"}, want=400)


def slow_echo(run, conn):
    """A large message comes back to one who reads late."""
    conn.send(masked(2, b"e" * BIG))
    time.sleep(0.01)
    op, payload = conn.frame(time.monotonic() + run.scenario.seconds, "echo")
    if payload != b"e" * BIG:
        conn.harm("another echo: %d bytes of type %d" % (len(payload), op))


@scenario(listens={"main": "", "echo": "dialect=echo"}, options=lambda s: ["--max-message-size=1m"])
def echo(run):
    conn = Ws(run, run.where("echo"), "echo", rcvbuf=4096).open("/")
    conn.ping = None
    conn.alive = lambda: slow_echo(run, conn)
    slow_echo(run, conn)
    hasty = Ws(run, run.where("echo"), "hasty").open("/")
    hasty.send(masked(2, b"e" * BIG))
    hasty.close()


@scenario(options=lambda s: ["--jwt-secret-file", s.path("secret")], bystander=None)
def in_band(run):
    main, t = run.where("main"), run.tag
    token = Ws(run, main, "token").open("/ws?token=" + hs256("ann" + t))
    token.alive()
    dotted = Ws(run, main, "in-band").open("/ws?dialect=dotted&device_id=d")
    dotted.want('"connected"')
    dotted.ask({"id": 1, "type": "authenticate", "payload": {"token": "x.y.z"}}, "auth.failed")
    dotted.ask({"id": 2, "type": "authenticate", "payload": {"token": hs256("bob" + t)}}, "auth.success")
    token.want("presence", "bob" + t)
    web = Http(run, main, "web")
    web.ask("GET", "/presence", None, want=401)
    web.ask("GET", "/presence", None, "Authorization: Bearer " + hs256("ann" + t))


@scenario(listens={"main": "", "tls": "tls", "echo": "dialect=echo,tls"},
          options=lambda s: s.pki.options(s.pair) + ["--max-message-size=1m"])
def tls(run):
    where, t, context = run.where("tls"), run.tag, run.services.context
    web = Http(run, where, "https", tls=context)
    web.ask("GET", "/health")
    ann = Ws(run, where, "wss", tls=context).open("/ws?dialect=rooms&user_id=ann" + t)
    ann.alive()
    bob = Ws(run, run.where("main"), "ws").open("/ws?dialect=rooms&user_id=bob" + t)
    ann.want("presence", "bob" + t)
    run.server.hup()
    run.wait_log("TLS certificates (not )?loaded")
    late = Ws(run, where, "wss again", tls=context).open("/ws?dialect=rooms&user_id=cy" + t)
    bob.want("presence", "cy" + t)
    conn = Ws(run, run.where("echo"), "echo", tls=context, rcvbuf=4096).open("/")
    conn.alive = lambda: slow_echo(run, conn)
    slow_echo(run, conn)
    late.leave()


def rs256(run, sub, issuer):
    """Signed once a worker and a second: openssl takes a while."""
    return signed(run.services.key, sub, issuer.iss, int(time.time()) // 100)


@functools.lru_cache(None)
def signed(key, sub, iss, epoch):
    return key.token({"iss": iss, "sub": sub, "azp": "presence", "iat": epoch * 100 - 50, "exp": epoch * 100 + 600})


def until_keys(run, issuer):
    """Connected with a token, once the keys are there."""
    limit = time.monotonic() + run.scenario.seconds
    while True:
        conn = Ws(run, run.where("main"), "token")
        try:
            conn.open("/ws?dialect=rooms&token=" + rs256(run, "ann", issuer))
            conn.alive()
            return conn
        except Harm as e:
            if "answered 503" not in e.why or time.monotonic() > limit:
                raise
            run.forgive(conn)
            time.sleep(0.005)


@scenario(options=lambda s: ["--keycloak-url", s.issuer.url.replace("localhost", "127.0.0.1"), "--keycloak-realm=demo",
                             "--keycloak-client-id=presence", "--jwt-issuer", s.issuer.iss, "--user-check-url", s.users.url],
          lossy=True, seconds=9, bystander=None)
def keys(run):
    conn = until_keys(run, run.services.issuer)
    conn.alive()


@scenario(options=lambda s: s.secure_issuer.options() + ["--ca-file", s.authority.ca], lossy=True, seconds=9, bystander=None)
def keys_over_tls(run):
    until_keys(run, run.services.secure_issuer).alive()


def keys_late(run):
    keys_over_tls(run)


for call, given in [("socket", "socket:2:ENOMEM"), ("connect", "connect:1:ECONNREFUSED"), ("recv", "recv:1:ECONNRESET")]:
    SCENARIOS.append(Scenario(keys_late, options=lambda s: s.secure_issuer.options() + ["--ca-file", s.authority.ca], lossy=True,
                              seconds=9, bystander=None, given=given, name="keys-after-" + call,
                              slow=call != "connect"))


def two_nodes(run, redis, *options):
    t, patience = run.tag, run.scenario.seconds
    run.wait_ready()
    there = Ws(run, ("127.0.0.1", run.services.other_node(redis, *options)), "there").open("/ws?dialect=rooms&user_id=bob" + t)
    there.ask({"type": "subscribe", "channel_id": "c" + t}, "subscribed")
    here = Ws(run, run.where("main"), "here").open("/ws?dialect=rooms&user_id=ann" + t)
    here.ask({"type": "subscribe", "channel_id": "c" + t}, "subscribed")
    there.want("presence", "ann" + t, "online", seconds=patience)
    there.say({"type": "status", "status": "busy", "custom_status": "x" * 200})
    here.want("presence", "bob" + t, "busy", seconds=patience)
    here.say({"type": "status", "status": "away"})
    there.want("presence", "ann" + t, "away", seconds=patience)
    there.leave()
    run.forgive(there)
    here.want("presence", "bob" + t, "offline", seconds=patience)


@scenario(options=lambda s: ["--redis-url", s.redis.url, "--node-id=faulty"], lossy=True, seconds=10)
def redis(run):
    two_nodes(run, run.services.redis)


@scenario(options=lambda s: ["--redis-url", "redis+unix://" + s.redis.socket, "--node-id=faulty"], lossy=True, seconds=10)
def redis_socket(run):
    two_nodes(run, run.services.redis)


@scenario(options=lambda s: ["--redis-url", s.secure_redis.address(host="localhost"), "--ca-file", s.secure_redis.ca, "--node-id=faulty"],
          lossy=True, seconds=10)
def redis_by_name_over_tls(run):
    two_nodes(run, run.services.secure_redis, "--ca-file", run.services.secure_redis.ca)


for call, given in [("connect", "connect:1:ECONNREFUSED"), ("recv", "recv:2:ECONNRESET"), ("send", "send:3:EPIPE"), ("socket", "socket:2:EMFILE")]:
    SCENARIOS.append(Scenario(lambda run: two_nodes(run, run.services.redis), options=lambda s: ["--redis-url", s.redis.url, "--node-id=faulty"],
                              lossy=True, seconds=10, given=given, name="redis-after-" + call, slow=call != "recv"))


def small_heap(run):
    """As long as hiredis has not enough for what it has to do, this node is alone, says so, and serves."""
    try:
        two_nodes(run, run.services.redis)
    except Harm as e:
        if e.conn.name not in ("ready", "here", "there") or e.conn.dead:
            raise
        run.heap_too_small = True
    for conn in run.conns:
        if not (conn.dead or conn.over or conn in run.forgiven):
            conn.alive()


# From nothing to what is enough for two users; it really has 2^24 bytes.
for order in range(5, 21):
    SCENARIOS.append(Scenario(small_heap, options=lambda s: ["--redis-url", s.redis.url, "--node-id=faulty"], lossy=True, seconds=2,
                              name="redis-heap-%d" % order, slow=order % 5 > 0, tried=False, FAULTY_HEAP=str(order)))


@scenario(given="accept4:2:EMFILE")
def no_descriptors(run):
    Http(run, run.where("main"), "late").alive()


@scenario(given="epoll_ctl:6:ENOSPC")
def no_watches(run):
    """One connection of these ends unheard, and is known to."""
    for i in range(3):
        conn = Http(run, run.where("main"), "conn %d" % i)
        try:
            conn.alive()
        except Harm:
            run.forgive(conn)
    Http(run, run.where("main"), "late").alive()


@scenario()
def crowd(run):
    """A room where many speak at once."""
    conns = [Ws(run, run.where("main"), "c%d" % i).open("/ws?dialect=rooms&user_id=c%d%s" % (i, run.tag)) for i in range(24)]
    for conn in conns:
        conn.say({"type": "subscribe", "channel_id": "r"})
    for conn in conns:
        conn.want("subscribed")
    for conn in conns:
        conn.say({"type": "typing", "channel_id": "r"})
        conn.say({"type": "status", "status": "busy"})
    for conn in conns:
        conn.alive()


@scenario(bystander=None)
def signals(run):
    """A second SIGTERM ends it at once."""
    conn = Ws(run, run.where("main"), "conn").open("/ws?dialect=rooms&user_id=ann" + run.tag)
    conn.alive()
    run.terminate()
    run.wait_log("Draining")
    run.terminate()


@scenario()
def drain(run):
    main, t = run.where("main"), run.tag
    conns = [Ws(run, main, name).open("/ws?dialect=%s&user_id=%s" % (name, name + t)) for name in ("snake", "dotted", "rooms", "roster")]
    for conn in conns:
        conn.alive()
    idle = Http(run, main, "idle")
    idle.ask("GET", "/live")
    run.terminate()
    dead = []
    for conn in conns:
        try:
            conn.closes(1001)
        except Harm as e:
            dead.append(e)
        conn.close()
    if dead:
        raise dead[0]


# --- commands ---

def words_of(out):
    """What `client` printed, without what differs from time to time."""
    import re
    return [re.sub(r'[0-9.]+ ms|"[a-z_]*":"[^"]*"|\d\d:\d\d:\d\d(\.\d+)?|u\d+x', "", line)[:12] for line in out.splitlines()
            if not re.search(r"presence|online_users", line)]


def answers(out):
    """How often each thing was answered, by piped lines."""
    return {word: out.count('"%s"' % word) for word in ("subscribed", "pong", "presence_update_ack", "unsubscribed")}


def client_url(s, listener, scheme, path):
    return "%s://localhost:%d%s" % (scheme, s.server.ports[listener], path)


Command("client-script", lambda s, t: ["client", client_url(s, 0, "ws", "/ws?dialect=rooms&user_id=u%sx" % t), "--script", "auto"],
        same=lambda out: ("all 7 steps passed" in out))
Command("client-tls", lambda s, t: ["client", client_url(s, 1, "wss", "/ws?dialect=snake&user_id=u%sx" % t), "--ca-file", s.authority.ca],
        stdin="lines", same=answers)
Command("client-lines", lambda s, t: ["client", client_url(s, 0, "ws", "/ws?dialect=snake"), "--header", "X-User-ID: u%sx" % t],
        stdin="lines", same=answers)
Command("client-terminal", lambda s, t: ["client", client_url(s, 0, "ws", "/ws?dialect=snake&user_id=u%sx" % t)], terminal="ping\rquit\r",
        same=lambda out: "pong" in out)
Command("healthcheck", lambda s, t: ["healthcheck", client_url(s, 0, "http", "/ready")])
Command("healthcheck-tls", lambda s, t: ["healthcheck", client_url(s, 1, "https", "/ready"), "--ca-file", s.authority.ca])
Command("healthcheck-unix", lambda s, t: ["healthcheck", "unix:" + (s.server and s.unix)])
Command("healthcheck-late", lambda s, t: ["healthcheck", "http://127.0.0.1:%d/" % s.silent], signal=14, fails=1)
Command("client-untrusting", lambda s, t: ["client", client_url(s, 1, "wss", "/ws?user_id=u")], fails=1)
Command("client-signal", lambda s, t: ["client", client_url(s, 0, "ws", "/ws?dialect=snake&user_id=u%sx" % t)], terminal="ping\r", signal=15,
        same=lambda out: "pong" in out, codes=(0, 1, 2, 143), fails=143)
Command("check", lambda s, t: ["check", "--config", s.path("presenced.conf"), "--jwt-secret-file", s.path("secret"), "--node-id=n",
                               "--listen=127.0.0.1:7000,tls", "--api-key-file", s.path("api-key")] + s.pki.options(s.pair),
        same=lambda out: [line for line in out.splitlines() if "# Walls" not in line])  # that depends on what the kernel says
Command("token", lambda s, t: ["token", "--secret-file", s.path("secret"), "--sub=ann", "--claim", "n=1"],
        same=lambda out: (out.count("."), len(out)))

# Standard output that is full: stdio's calls are libc's own, so nothing else can fail them.
for name, words in [("version", ["--version"]), ("help", ["--help"]), ("markdown", ["--help=markdown"]), ("check", ["check", "--node-id=n"])]:
    Command("full-" + name, lambda s, t, words=words: list(words), full=True, fails=1)
Command("full-token", lambda s, t: ["token", "--secret-file", s.path("secret"), "--sub=ann"], full=True, fails=1)
Command("full-client", lambda s, t: ["client", client_url(s, 0, "ws", "/ws?dialect=rooms&user_id=u%sx" % t), "--script", "auto"], full=True, fails=1)
