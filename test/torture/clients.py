"""Clients that know when they were harmed: each connection is on its run's list, and says why it ended."""
import json, os, socket, ssl, struct, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e/lib"))
from server import masked, upgrade

WAIT_S = 3


class Harm(Exception):
    """Something that was promised did not happen on this connection."""

    def __init__(self, conn, why):
        super().__init__("%s: %s" % (conn.name, why))
        self.conn, self.why = conn, why


class Conn:
    """A connection to a listener, `(address, port)` or a socket's path; `tls`: an SSLContext."""

    def __init__(self, run, where, name, tls=None, rcvbuf=None):
        self.run, self.name, self.got, self.dead, self.over = run, name, b"", False, False
        self.socket = None
        run.conns.append(self)
        try:
            self.socket = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
            if rcvbuf:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
            self.socket.settimeout(WAIT_S)
            self.socket.connect(where)
            if tls:
                self.socket.settimeout(self.run.tls_wait_s)
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
                self.socket.settimeout(WAIT_S)
        except OSError as e:
            self.harm("connecting: %s" % e)

    def harm(self, why):
        self.dead = True
        raise Harm(self, why)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as e:
            self.harm("sending: %s" % e)

    def more(self, limit, what):
        left = limit - time.monotonic()
        try:
            if left <= 0:
                raise socket.timeout
            self.socket.settimeout(left)
            data = self.socket.recv(262144)
        except socket.timeout:  # late, and perhaps not dead
            raise Harm(self, "no %s; so far %r" % (what, self.got[-200:])) from None
        except OSError as e:
            self.harm("waiting for %s: %s" % (what, e))
        if not data:
            self.harm("closed while waiting for %s" % what)
        self.got += data

    def head(self, what, seconds=WAIT_S):
        limit = time.monotonic() + seconds
        while b"\r\n\r\n" not in self.got:
            self.more(limit, what)
        head, self.got = self.got.split(b"\r\n\r\n", 1)
        return head.decode("latin-1")

    def close(self):
        self.over = True
        if self.socket:
            self.socket.close()


class Http(Conn):
    """Requests one after the other."""

    def ask(self, method, path, body=None, *headers, want=200, seconds=WAIT_S):
        data = b"" if body is None else json.dumps(body).encode()
        lines = ["%s %s HTTP/1.1" % (method, path), "Host: 127.0.0.1"] + list(headers)
        if body is not None:
            lines += ["Content-Type: application/json", "Content-Length: %d" % len(data)]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode() + data)
        head = self.head("answer to %s %s" % (method, path), seconds).lower()
        limit, length = time.monotonic() + seconds, 0
        status = int(head.split()[1])
        if "\r\ntransfer-encoding: chunked" in head:
            while not self.got.endswith(b"\r\n0\r\n\r\n") and self.got != b"0\r\n\r\n":
                self.more(limit, "the rest of %s" % path)
            answer, self.got = self.got, b""
        else:
            if "\r\ncontent-length:" in head:
                length = int(head.split("\r\ncontent-length:")[1].split("\r\n")[0])
            while len(self.got) < length:
                self.more(limit, "the rest of %s" % path)
            answer, self.got = self.got[:length], self.got[length:]
        if status != want:
            raise Harm(self, "%s %s was answered %d: %r" % (method, path, status, answer[:200]))
        return answer

    def alive(self):
        self.ask("GET", "/live")


class Ws(Conn):
    """A WebSocket client; `ping` and `pong`: what it asks and gets in its dialect."""
    ping, pong = {"type": "ping"}, '"pong"'

    def open(self, path, *headers):
        self.send(upgrade(path, *headers))
        head = self.head("answer to the upgrade")
        if head.split()[1] != "101":
            self.harm("the upgrade was answered %s" % head.split()[1])
        return self

    def say(self, message):
        self.send(masked(1, message if isinstance(message, str) else json.dumps(message)))

    def frame(self, limit, what):
        while True:
            if len(self.got) >= 2:
                n, at = self.got[1] & 127, 2
                if n == 126 and len(self.got) >= 4:
                    n, at = struct.unpack(">H", self.got[2:4])[0], 4
                elif n == 127 and len(self.got) >= 10:
                    n, at = struct.unpack(">Q", self.got[2:10])[0], 10
                if (n < 126 or at > 2) and len(self.got) >= at + n:
                    op, payload, self.got = self.got[0] & 15, self.got[at:at + n], self.got[at + n:]
                    return op, payload
            self.more(limit, what)

    def want(self, *words, seconds=WAIT_S):
        """The next message that holds all these words; others are passed over."""
        limit, seen = time.monotonic() + seconds, []
        while True:
            op, payload = self.frame(limit, "%r after %r" % (words, seen[-4:]))
            text = payload.decode("utf-8", "replace")
            if op == 9:
                self.send(masked(10, payload))
            elif op == 8:
                self.harm("Close %d while waiting for %r" % (int.from_bytes(payload[:2], "big"), words))
            elif all(w in text for w in words):
                return text
            seen.append(text[:150])

    def ask(self, message, *words, seconds=WAIT_S):
        self.say(message)
        return self.want(*words, seconds=seconds)

    def alive(self):
        self.ask(self.ping, self.pong)

    def closes(self, code, seconds=WAIT_S):
        """The server's Close comes, with that code."""
        limit = time.monotonic() + seconds
        while True:
            op, payload = self.frame(limit, "Close")
            if op == 8:
                got = int.from_bytes(payload[:2], "big")
                if got != code:
                    self.harm("Close %d, not %d" % (got, code))
                self.send(masked(8, payload))
                return

    def leave(self):
        self.send(masked(8, b"\x03\xe8"))
        self.closes(1000)
        self.close()


class Upper(Ws):
    ping, pong = {"type": "HEARTBEAT"}, "HEARTBEAT_ACK"
