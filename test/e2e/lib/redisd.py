"""A real redis-server as a child: on loopback, in a directory of its own, nothing kept on disk; and Sentinel.

(Not named redis.py: that would hide python3-redis from whoever has this directory on sys.path.)

	with Redis() as redis:                          Redis(password="s3", tls=True, unix=True, replica_of=other)
	    redis.url                                   for --redis-url
	    redis.client()                              python3-redis, as the other services of seed 002 use it
	    redis.stop(); redis.cont()                  SIGSTOP, SIGCONT
	    redis.kill(); redis.start()                 kill -9; the same port again, empty
	    with redis.monitor() as seen: ...           seen.commands: every command that any client gave
	    with redis.listen("presence:updates") as heard: heard.want(lambda channel, text: ...)
"""
import atexit, collections, os, shutil, signal, socket, subprocess, tempfile, threading, time
import redis as driver
import pki
from issuer import Certificates

LOOPBACK = "127.0.0.1"
_running = set()


def _end_all():
    for process in _running:
        process.send_signal(signal.SIGCONT)
        process.kill()


atexit.register(_end_all)


def free_port():
    with socket.socket() as s:
        s.bind((LOOPBACK, 0))
        return s.getsockname()[1]


_authority = []


def authority():
    """(CA, certificate, key) of a server on loopback."""
    if not _authority:
        directory = os.path.join(pki.directory(), "redis")
        os.mkdir(directory)
        os.chmod(directory, 0o755)
        ca = Certificates(directory)
        cert, key = ca.issue("localhost", "ec", san="DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1")
        os.chmod(key, 0o644)
        _authority.append((ca.ca, cert, key))
    return _authority[0]


class _Process:
    """One redis-server; `.directory` goes with it."""
    sentinel = False

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="presenced-redis-")
        os.chmod(self.directory, 0o755)  # a server that became nobody has to reach the socket
        self.process = None

    pid = property(lambda self: self.process.pid)

    def _launch(self, lines):
        path = os.path.join(self.directory, "conf")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        argv = ["redis-server", path] + (["--sentinel"] if self.sentinel else [])
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.directory)
        _running.add(self.process)

    def log(self):
        with open(os.path.join(self.directory, "log"), errors="replace") as f:
            return f.read()

    def _wait(self, seconds=10):
        limit = time.monotonic() + seconds
        while True:
            try:
                with self.client() as c:
                    c.ping()
                return
            except driver.BusyLoadingError:
                pass
            except (driver.ConnectionError, driver.TimeoutError, OSError) as e:
                if isinstance(e, driver.AuthenticationError):
                    return
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise AssertionError("redis-server does not answer: %s\n%s" % (e, self.log()[-2000:])) from None
            time.sleep(0.01)

    def client(self, **options):
        raise NotImplementedError

    def stop(self):
        """Hangs: the kernel still accepts for it, nothing is answered."""
        self.process.send_signal(signal.SIGSTOP)

    def cont(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.send_signal(signal.SIGCONT)
            self.process.wait()
        _running.discard(self.process)

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Redis(_Process):
    """`password`: requirepass. `acl`: lines such as "user ann on >secret ~* &* +@all". `tls`: on the port, plain nowhere.
    `unix`: a socket besides. `replica_of`: another Redis. `config`: further directives."""

    def __init__(self, password=None, acl=(), tls=False, unix=False, replica_of=None, config=None, port=None):
        super().__init__()
        self.password, self.acl, self.tls, self.replica_of = password, acl, tls, replica_of
        self.config, self.port = dict(config or {}), port
        self.socket = os.path.join(self.directory, "socket") if unix else None
        self.start()

    def _lines(self):
        yield from ("bind " + LOOPBACK, "daemonize no", 'save ""', "appendonly no", "dir " + self.directory, "loglevel notice",
                    "repl-diskless-sync-delay 0", "repl-diskless-load on-empty-db")
        if self.tls:
            ca, cert, key = authority()
            yield from ("port 0", "tls-port %d" % self.port, "tls-cert-file " + cert, "tls-key-file " + key,
                        "tls-ca-cert-file " + ca, "tls-auth-clients no")
        else:
            yield "port %d" % self.port
        if self.socket:
            yield from ("unixsocket " + self.socket, "unixsocketperm 777")
        if self.password:
            yield from ("requirepass " + self.password, "masterauth " + self.password)
        yield from self.acl
        if self.replica_of:
            yield "replicaof %s %d" % (LOOPBACK, self.replica_of.port)
        for name, value in self.config.items():
            yield "%s %s" % (name, value)

    def start(self):
        """Starts it, and again on the port it had."""
        fresh = self.port is None
        for attempt in range(5):
            if fresh:
                self.port = free_port()
            self._launch(self._lines())
            try:
                return self._wait()
            except AssertionError:  # somebody else took the port meanwhile
                self.kill()
                if attempt == 4 or "already in use" not in self.log():
                    raise
                time.sleep(0.1)

    def restart(self):
        """All that it knew is gone."""
        self.kill()
        self.start()

    def address(self, user=None, password=None, db=None, host=LOOPBACK):
        password = password if password is not None else self.password
        who = "%s:%s@" % (user or "", password) if password or user else ""
        return "%s://%s%s:%d%s" % ("rediss" if self.tls else "redis", who, host, self.port, "" if db is None else "/%d" % db)

    url = property(lambda self: self.address())
    ca = property(lambda self: authority()[0])

    def client(self, **options):
        """python3-redis; text in and out."""
        options = {"password": self.password, "decode_responses": True, "socket_timeout": 5, "socket_connect_timeout": 5, **options}
        if self.tls:
            options.update(ssl=True, ssl_ca_certs=self.ca)
        return driver.Redis(LOOPBACK, self.port, **options)

    def command(self, *words):
        with self.client() as c:
            return c.execute_command(*words)

    def publish(self, channel, payload):
        return self.command("PUBLISH", channel, payload)

    def keys(self, pattern="*"):
        with self.client() as c:
            return sorted(c.scan_iter(pattern, 1000))

    def monitor(self):
        return Monitor(self)

    def listen(self, *channels):
        return Listener(self, channels)


class _Thread:
    """Something that a thread reads from Redis until the block ends."""

    def __init__(self, redis):
        self.client, self.changed, self.over = redis.client(socket_timeout=None), threading.Condition(), False

    def _begin(self, function):
        def loop():
            try:
                while not self.over:
                    function()
            except (driver.RedisError, OSError, ValueError, AttributeError):
                pass  # its Redis went, or it was told to end
        self.thread = threading.Thread(target=loop, daemon=True)
        self.thread.start()

    def _sever(self, connection):
        self.over = True
        try:
            connection._sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass
        self.thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Monitor(_Thread):
    """.commands: (name in capitals, what stands behind it as MONITOR shows it), in order."""

    def __init__(self, redis):
        super().__init__(redis)
        self.commands = []
        self.monitoring = self.client.monitor()
        self.monitoring.__enter__()
        self._begin(self._next)

    def _next(self):
        line = self.monitoring.next_command()["command"]
        name, _, rest = line.partition(" ")
        with self.changed:
            self.commands.append((name.upper(), rest))
            self.changed.notify_all()

    def count(self):
        with self.changed:
            return collections.Counter(name for name, _ in self.commands)

    def close(self):
        self._sever(self.monitoring.connection)


class Listener(_Thread):
    """.heard: (channel, payload), in order. A channel with a * in it is a pattern."""

    def __init__(self, redis, channels):
        super().__init__(redis)
        self.heard, self.subscriber = [], self.client.pubsub()
        for channel in channels:
            (self.subscriber.psubscribe if "*" in channel else self.subscriber.subscribe)(channel)
        for _ in channels:
            assert self.subscriber.get_message(timeout=5), "no confirmation of a subscription"
        self._begin(self._next)

    def _next(self):
        message = self.subscriber.get_message(timeout=0.2)
        if message and message["type"] in ("message", "pmessage"):
            with self.changed:
                self.heard.append((message["channel"], message["data"]))
                self.changed.notify_all()

    def want(self, holds, seconds=5, since=0):
        """The payload of the first message that it holds of."""
        limit = time.monotonic() + seconds
        with self.changed:
            while True:
                for channel, payload in self.heard[since:]:
                    if holds(channel, payload):
                        return payload
                since = len(self.heard)
                left = limit - time.monotonic()
                assert left > 0, "nothing like that within %s s; heard %r" % (seconds, self.heard[-8:])
                self.changed.wait(left)

    def close(self):
        self._sever(self.subscriber.connection)


class Sentinel(_Process):
    """One Sentinel, whose word is enough, over a master that has replicas."""
    sentinel = True

    def __init__(self, master, name="mymaster", down_after_ms=1000):
        super().__init__()
        self.master, self.name, self.port = master, name, free_port()
        lines = ["port %d" % self.port, "bind " + LOOPBACK, "dir " + self.directory, "daemonize no",
                 "sentinel monitor %s %s %d 1" % (name, LOOPBACK, master.port),
                 "sentinel down-after-milliseconds %s %d" % (name, down_after_ms),
                 "sentinel failover-timeout %s 5000" % name]
        if master.password:
            lines.append("sentinel auth-pass %s %s" % (name, master.password))
        self._launch(lines)
        self._wait()

    def client(self, **options):
        return driver.Redis(LOOPBACK, self.port, decode_responses=True, socket_timeout=5, **options)

    @property
    def url(self):
        who = ":%s@" % self.master.password if self.master.password else ""
        return "redis+sentinel://%s%s:%d/%s" % (who, LOOPBACK, self.port, self.name)

    def wait_replicas(self, count=1, seconds=20):
        """Until it could fail over."""
        limit = time.monotonic() + seconds
        while True:
            with self.client() as c:
                good = [r for r in c.sentinel_slaves(self.name)
                        if r["flags"] == "slave" and r.get("master-link-status") == "ok" and int(r.get("slave-priority", 0))]
            if len(good) >= count:
                return
            assert time.monotonic() < limit, "Sentinel knows of %r\n%s" % (good, self.log()[-2000:])
            time.sleep(0.1)

    def master_port(self):
        with self.client() as c:
            return int(c.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)[1])

    def wait_failover(self, old, seconds=30):
        limit = time.monotonic() + seconds
        while self.master_port() == old:
            assert time.monotonic() < limit, "no failover\n" + self.log()[-2000:]
            time.sleep(0.05)
