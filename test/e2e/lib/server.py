"""The server under test: started on free ports, its log read as it comes, stopped with SIGTERM."""
import os, re, select, signal, socket, subprocess, threading, time
import secure

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
BINARY = os.environ.get("PRESENCED_BINARY", os.path.join(ROOT, "build/presenced"))
LISTENING = re.compile(r'msg=Listening .*?address=(?:"?)(?:[^ "]*:)?(\d+)|"msg":"Listening".*?:(\d+)"')
WRONG = re.compile(r'^level=ERROR|"level":"ERROR"|runtime error:|Sanitizer|Assertion', re.M)


def environment(**more):
    """Nothing of this shell's that the server would read."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "FAULTY", "FAULTY_COUNTS")}
    env.update(more)
    return env


class Server:
    """`listen`: what follows each address, such as "dialect=upper"; ports stand in .ports in that order.
    `prefix`: a command that runs the server, such as prlimit."""

    def __init__(self, *options, listen=("",), env=None, prefix=(), stderr=None, listeners=None):
        argv = list(prefix) + [BINARY] + [str(o) for o in options] + secure.options()
        if secure.SECURE:
            listen = [",".join([suffix, "tls"]).strip(",") for suffix in listen]
        self.tls = ["tls" in suffix.split(",") for suffix in listen]
        for suffix in listen:
            argv += ["--listen", "127.0.0.1:0" + ("," + suffix if suffix else "")]
        self.argv, self.lines, self.changed = argv, [], threading.Condition()
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=stderr or subprocess.PIPE, env=environment(**(env or {})), cwd="/")
        self.ports = []
        if stderr is not None:
            return
        threading.Thread(target=self._read, daemon=True).start()
        wanted = len(listen) if listeners is None else listeners
        try:
            self.wait(lambda: len(self._ports()) >= wanted, "listening", 10)
        except AssertionError:
            self.process.kill()
            raise
        self.ports = self._ports()

    port = property(lambda self: self.ports[0])
    pid = property(lambda self: self.process.pid)

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    def _ports(self):
        found = [LISTENING.search(line) for line in self.lines if line]
        return [int(m[1] or m[2]) for m in found if m]

    def wait(self, holds, what, seconds=5):
        limit = time.monotonic() + seconds
        with self.changed:
            while not holds():
                left = limit - time.monotonic()
                ended = self.lines and self.lines[-1] is None
                if left <= 0 or ended:
                    raise AssertionError("waited for %s: %s; the log:\n%s" % (
                        what, "the server ended" if ended else "%d s" % seconds, self.log()[-3000:]))
                self.changed.wait(left)

    def wait_log(self, pattern, seconds=5, since=0):
        """The first line from number `since` on that the pattern is found in."""
        found = []

        def holds():
            found[:] = [l for l in self.lines[since:] if l and re.search(pattern, l)][:1]
            return bool(found)
        self.wait(holds, pattern, seconds)
        return found[0]

    def log(self):
        return "\n".join(l for l in self.lines if l is not None)

    def over_tls(self, listener):
        return listener < len(self.tls) and self.tls[listener]  # a case may name its listeners by itself

    def url(self, path="/ws", listener=0):
        return "%s://127.0.0.1:%d%s" % ("wss" if self.over_tls(listener) else "ws", self.ports[listener], path)

    def http(self, path="/", listener=0):
        return "%s://127.0.0.1:%d%s" % ("https" if self.over_tls(listener) else "http", self.ports[listener], path)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds=15):
        """None if it ends by itself with 0 and left a clean log, else what was wrong."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "still there %d s after SIGTERM\n%s" % (seconds, self.log()[-3000:])
        dirty = self.dirt()
        if code != 0 or dirty:
            return "exit code %d%s\n%s" % (code, ", " + dirty if dirty else "", self.log()[-3000:])
        return None

    def dirt(self):
        """What should not be in the log of one that has ended; None: nothing is."""
        if self.process.stderr:
            self.wait(lambda: self.lines and self.lines[-1] is None or not self.process.stderr, "the end of the log") \
                if not (self.lines and self.lines[-1] is None) else None
        dirty = WRONG.search(self.log())
        return dirty and dirty[0]

    def stop(self):
        if self.process.poll() is None:
            self.terminate()
        return self.ended()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        why = self.stop()
        assert kind or why is None, why


class Raw:
    """A TCP connection, bytes in and out, every wait limited."""

    def __init__(self, port, first=b"", rcvbuf=None, seconds=5):
        self.socket = socket.socket()
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.settimeout(seconds)
        self.socket.connect(("127.0.0.1", port))
        if secure.SECURE:
            self.socket = secure.context().wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.got = b""
        if first:
            self.send(first)

    def send(self, data):
        self.socket.sendall(data)

    def more(self, seconds):
        """Reads once; False at the end of the stream or a reset; raises if nothing comes."""
        ready = secure.SECURE and self.socket.pending() or select.select([self.socket], [], [], seconds)[0]
        assert ready, "nothing came within %.1f s; so far %r" % (seconds, self.got[-300:])
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.got += data
        return data != b""

    def until(self, holds, seconds=5):
        limit = time.monotonic() + seconds
        while not holds(self.got):
            assert self.more(max(0, limit - time.monotonic())), "closed too early: %r" % self.got[-300:]
        return self.got

    def rest(self, seconds=5):
        """Everything up to the server's close."""
        limit = time.monotonic() + seconds
        while self.more(max(0, limit - time.monotonic())):
            pass
        return self.got

    def take(self, count, seconds=5):
        self.until(lambda got: len(got) >= count, seconds)
        head, self.got = self.got[:count], self.got[count:]
        return head

    def head(self, seconds=5):
        """Status code and header block of the next answer; what follows stays in .got."""
        self.until(lambda got: b"\r\n\r\n" in got, seconds)
        head, self.got = self.got.split(b"\r\n\r\n", 1)
        return int(head.split()[1]), head.decode("latin-1")

    def answer(self, seconds=5):
        """Status, header block and body (by Content-Length)."""
        status, head = self.head(seconds)
        length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
        return status, head, self.take(int(length[1]), seconds) if length else b""

    def frame(self, seconds=5):
        """(first byte, payload) of the next WebSocket frame from the server."""
        first, length = self.take(2, seconds)
        assert not length & 128, "a masked frame from the server"
        if length == 126:
            length = int.from_bytes(self.take(2, seconds), "big")
        elif length == 127:
            length = int.from_bytes(self.take(8, seconds), "big")
        return first, self.take(length, seconds)

    def frames_until_close(self, seconds=5):
        """All frames up to Close; its code is the second item (None: closed without one)."""
        seen, limit = [], time.monotonic() + seconds
        while True:
            try:
                first, payload = self.frame(max(0.05, limit - time.monotonic()))
            except AssertionError as e:
                if "closed too early" in str(e):
                    return seen, None
                raise
            if first & 15 == 8:
                return seen, int.from_bytes(payload[:2], "big")
            seen.append((first, payload))

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def upgrade(path="/ws?user_id=ann", *headers, key=True, version=True, host="127.0.0.1"):
    """An upgrade request as bytes, with a token where the suite's mode wants one."""
    lines = ["GET %s HTTP/1.1" % path, "Host: %s" % host, "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="] if key else []
    lines += ["Sec-WebSocket-Version: 13"] if version else []
    lines += [": ".join(pair) for pair in secure.authorization(path, [h.split(":", 1) for h in headers if ":" in h])]
    return ("\r\n".join(lines + list(headers)) + "\r\n\r\n").encode("latin-1")


def masked(opcode, payload=b"", fin=True, length=None, key=b"\x11\x22\x33\x44", rsv=0):
    """One client frame; `length` may lie."""
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload) if length is None else length
    size = bytes([128 | n]) if n < 126 else bytes([128 | 126]) + n.to_bytes(2, "big") if n < 65536 else \
        bytes([128 | 127]) + n.to_bytes(8, "big")
    body = bytes(b ^ key[i & 3] for i, b in enumerate(payload)) if len(payload) < 4096 else _xor(payload, key)
    return bytes([(128 if fin else 0) | rsv | opcode]) + size + key + body


def _xor(payload, key):
    mask = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(payload), "big")


def websocket(server, path="/ws?user_id=ann", *headers, listener=0, rcvbuf=None):
    """A raw connection after its 101."""
    raw = Raw(server.ports[listener], upgrade(path, *headers), rcvbuf=rcvbuf)
    status, head = raw.head()
    assert status == 101, "the upgrade got %s" % head
    return raw
