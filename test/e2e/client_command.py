#!/usr/bin/python3
"""`presenced client`: in a pipe against every dialect, against servers that misbehave, and on a terminal as a person
sees it."""
import asyncio, base64, hashlib, json, os, re, signal, socket, struct, subprocess, sys, tempfile, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Rooms, Snake
import secure
from issuer import Certificates
from server import BINARY, Server, environment
from tap import case, equal, has, rows, run, same, soon
from terminal import Terminal
from web import jwt

OWN = "nothing in it depends on the mode"
UP, DOWN, LEFT = "\x1b[A", "\x1b[B", "\x1b[D"


async def client(url, stdin="", *args, seconds=25, **env):
    """Exit code, lines of standard output, standard error."""
    args += secure.client(url, args)
    # A client that leaves at once reads no command, and asyncio would print the broken pipe.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    process = await asyncio.create_subprocess_exec(
        BINARY, "client", url, *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(**env))
    data = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = await asyncio.wait_for(process.communicate(data), seconds)
    out, err = out.decode(), err.decode()
    assert "\x1b" not in out + err, "an escape in a pipe: %r" % (out + err)
    return process.returncode, out.splitlines(), err


async def messages(server, path, stdin, *args, listener=0, code=0, note=None):
    """What was received, parsed; standard error must hold `note`."""
    got, out, err = await client(server.url(path, listener), stdin, *args)
    equal(got, code, "exit code (%s)" % err)
    assert note is None or note in err, err
    return [json.loads(line) for line in out]


def in_order(wanted, got):
    left = list(got)
    for w in wanted:
        while left and not same(w, left[0]):
            left.pop(0)
        assert left, "wanted %r\n    among %r" % (w, got)
        left.pop(0)


# in a pipe

COMMANDS = "sub a\ntyping a\nping\nstatus busy in a call\nunsub a\n"


@rows("the commands, and their answers", [
    ("rooms", "/ws?dialect=rooms&user_id=%s", COMMANDS + "sub dm_1\n", [
        has(type="subscribed", channel_id="a"), has(type="pong"), has(type="unsubscribed", channel_id="a"),
        has(type="subscribed", dm_id="dm_1")]),
    ("dotted", "/ws?user_id=%s", COMMANDS + "sub presence", [
        has(type="connected"), has(type="subscribed", payload__filters__conversation_id="a", reply_to="1"),
        has(type="typing.start", reply_to="2"), has(type="pong", reply_to="3"),
        has(type="presence.update", payload__status="busy", payload__custom_status="in a call", reply_to="4"),
        has(type="unsubscribed", reply_to="5"), has(type="subscribed", payload__topics=["presence"], reply_to="6")]),
    ("snake", "/ws?dialect=snake&user_id=%s", COMMANDS, [
        has(type="connection_ack"), has(type="subscribed"), has(type="pong"),
        has(type="presence_update_ack", payload__online_status="busy", payload__custom_status="in a call"),
        has(type="unsubscribed")]),
    ("upper", "/?userId=%s", "ping\nstatus busy\n", [
        has(type="CONNECT"), has(type="HEARTBEAT_ACK"), has(type="PRESENCE_UPDATE", payload__status="busy")]),
    ("roster", "/ws?dialect=roster&user_id=%s", "ping\n", [has(type="presence.user.online"), has(type="pong")]),
    ("rooms by its token", "/ws?token=" + jwt("pipe-token", "pat"), "sub a", [has(type="subscribed")]),
    ("a message as it is", "/ws?dialect=rooms&user_id=%s", 'send {"type":"ping"}\n  {"type":"ping"}  \n', [
        has(type="pong"), has(type="pong")]),
    ("a custom status is cleared", "/ws?user_id=%s", "status away x y\nstatus away -\n", [
        has(type="presence.update", payload__custom_status="x y"), has(type="presence.update", payload__custom_status=None)]),
    ("a room with a space, comments, empty lines, no newline at the end", "/ws?dialect=snake&user_id=%s",
     "# hello\n\n\t sub a b \r\n   \nping", [has(type="subscribed", payload__conversation_id="a b"), has(type="pong")]),
    ("quotes and beyond ASCII", "/ws?dialect=snake&user_id=%s", 'sub "ü"\\日', [
        has(type="subscribed", payload__conversation_id='"ü"\\日')]),
])
async def commands(server, path, stdin, wanted):
    user = "pipe-" + hashlib.md5((path + stdin).encode()).hexdigest()[:8]
    in_order(wanted, await messages(server, path.replace("%s", user), stdin))


@case("the listener's dialect counts, whatever the URL suggests")
async def listener(server):
    got = await messages(server, "/ws?user_id=listener", "ping\nsub a\n", listener=1, note="dialect snake")
    in_order([has(type="connection_ack"), has(type="pong"), has(type="subscribed")], got)


@case("a subprotocol and an id in headers")
async def headers(server):
    got = await messages(server, "/ws", "sub a", "--header", "X-User-ID: head", "--header",
                         "Sec-WebSocket-Protocol: x, presenced.dotted")
    in_order([has(type="connected", payload__user_id="head"), has(type="subscribed", reply_to="1")], got)
    got = await messages(server, "/ws", "ping", "--header=X-User-ID:head2")
    in_order([has(type="connection_ack", payload__user_id="head2"), has(type="pong")], got)


@case("--token and --token-file become Authorization: Bearer")
async def token(server):
    with tempfile.NamedTemporaryFile() as f:
        f.write(jwt("bearer", "bea").encode() + b"\n")
        f.flush()
        for args in (("--token", jwt("bearer", "bea")), ("--token-file", f.name)):
            in_order([has(type="subscribed")], await messages(server, "/ws", "sub a", *args))


@case("a hundred commands at once are all answered")
async def many(server):
    got = await messages(server, "/ws?dialect=snake&user_id=many", "ping\n" * 100)
    equal(sum(m["type"] == "pong" for m in got), 100)


@case("a message of 60 KiB")
async def large(server):
    got = await messages(server, "/ws?user_id=large", 'send {"id":"%s","type":"ping"}' % ("x" * 128))
    in_order([has(type="pong", reply_to="x" * 128)], got)
    text = json.dumps({"type": "ping", "more": "x" * 60000})
    in_order([has(type="pong")], await messages(server, "/ws?user_id=large", "send " + text))


@case("an error answers a request: nothing is waited for")
async def error(server):
    began = time.monotonic()
    got = await messages(server, "/ws?dialect=rooms&user_id=err", "sub " + "x" * 129)
    in_order([has(type="error", code=400)], got)
    got = await messages(server, "/ws?user_id=err", "status nope")
    in_order([has(type="error", reply_to="1")], got)
    assert time.monotonic() - began < 2, time.monotonic() - began


@rows("a command that is wrong is said, the others are done, exit code 1", [
    ("unknown", "foo bar", 'there is no command "foo"'),
    ("without its id", "sub", "sub wants the ID of a room"),
    ("ping with something", "ping x", "ping wants nothing behind it"),
    ("status without one", "status", "status wants a status"),
    ("send without a message", "send", "send wants a message"),
    ("not UTF-8", b"sub \xff", "sub: that is not UTF-8"),
    ("a message that is not UTF-8", b"send \xff", "send: that is not UTF-8"),
    ("a control character", "\x1b[31mfoo", 'there is no command "\\u001b[31mfoo"'),
])
async def wrong(server, stdin, words):
    data = stdin if isinstance(stdin, bytes) else stdin.encode()
    got = await messages(server, "/ws?dialect=rooms&user_id=wrong", data + b"\nping\n", code=1, note=words)
    in_order([has(type="pong")], got)


@rows("a dialect without words for a command says so", [
    ("upper, sub", "/?userId=w", "sub a", "upper has no words for sub"),
    ("upper, a status with a text", "/?userId=w", "status away x", "upper has no words for status with a text"),
    ("roster, status", "/ws?dialect=roster&user_id=w", "status away", "roster has no words for status"),
])
async def no_words(server, path, stdin, words):
    await messages(server, path, stdin, code=1, note="presenced: client: " + words + "\n")


@case("help and quit")
async def quit_(server):
    code, out, err = await client(server.url("/ws?user_id=q"), "help\nquit\nping\n")
    equal((code, len(out)), (0, 1))
    for word in ("sub ID", "unsub ID", "typing ID", "ping", "status S [TEXT]", "send JSON", "quit"):
        assert word in err, err


@case("standard input that stays open: messages come as they come; SIGINT leaves with Close 1000")
async def stays(server):
    url = server.url("/ws?dialect=rooms&user_id=stays")
    process = await asyncio.create_subprocess_exec(
        BINARY, "client", url, *secure.client(url), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    async with await Rooms.open(server, "stays-friend"):
        while b"stays-friend" not in await asyncio.wait_for(process.stdout.readline(), 5):
            pass
    process.send_signal(signal.SIGINT)
    await asyncio.wait_for(process.communicate(), 5)
    equal(process.returncode, 130)


# the script

@rows("--script auto passes", [
    ("rooms", "/ws?dialect=rooms&user_id=auto", 0), ("rooms, by a token", "/ws?token=" + jwt("auto-token"), 0),
    ("dotted", "/ws?user_id=auto", 0), ("snake", "/ws?dialect=snake&user_id=auto", 0),
    ("snake, which the URL hides", "/ws?user_id=auto", 1),
])
async def script(server, path, listener):
    for _ in range(2):
        code, out, err = await client(server.url(path, listener), "", "--script", "auto")
        equal((code, err), (0, ""))
        equal(out[-1], "all 7 steps passed")
        equal([line[:3] for line in out if re.match(r"\d\. ", line)], ["%d. " % i for i in range(1, 8)])
        equal(sum(line.startswith("   ok") for line in out), 7)
        equal(sum("typing" in line and line.startswith("   > {") and "sub" not in line for line in out), 1)


@rows("--script auto where the dialect lacks words: skipped steps are told, exit code 1", [
    ("upper", "/?userId=auto"), ("roster", "/ws?dialect=roster&user_id=auto"),
])
async def script_skips(server, path):
    code, out, err = await client(server.url(path), "", "--script", "auto")
    equal((code, err), (1, ""))
    equal(out[-1], "2 of 7 steps passed, 0 failed, 5 skipped")
    equal(sum(line == "   skipped: this dialect has no words for it" for line in out), 5)


@case("--script auto with a token that does not cover a room: that step fails, the others go on")
async def script_refused(server):
    path = "/ws?token=" + jwt("auto-rooms", rooms=["channel_general", "dm_*"])
    code, out, _ = await client(server.url(path), "", "--script", "auto")
    equal(code, 1)
    equal(out[-1], "6 of 7 steps passed, 1 failed, 0 skipped")
    at = next(i for i, line in enumerate(out) if line.startswith("5. "))
    equal(out[at + 3], "   failed: that is an error")


# arguments and servers that cannot be talked to

@rows("wrong arguments: one line, exit code 2", [
    ("no URL", (), "a URL is required"),
    ("another scheme", ("http://h/",), '"http://h/" is not ws://HOST'),
    ("no scheme", ("localhost:8080/ws",), "is not ws://HOST"),
    ("no host", ("ws:///ws",), "is not ws://HOST"),
    ("a port that is none", ("ws://h:99999/",), "is not ws://HOST"),
    ("a user", ("ws://u@h/",), "is not ws://HOST"),
    ("a fragment", ("ws://h/#x",), "is not ws://HOST"),
    ("a fragment behind the query", ("ws://h/?a#x",), "the URL's query holds a byte that must be escaped (%23)"),
    ("a space in the query", ("ws://h/?a b",), "must be escaped (%20)"),
    ("two URLs", ("ws://h/", "ws://i/"), '"ws://i/" is one word too many'),
    ("an unknown option", ("ws://h/", "--insecure"), 'there is no option "--insecure"'),
    ("no value", ("ws://h/", "--header"), "--header wants a value"),
    ("a header without a colon", ("ws://h/", "--header", "x"), '--header wants "Name: value", not "x"'),
    ("a header without a name", ("ws://h/", "--header", ": x"), '--header wants "Name: value"'),
    ("a header with two lines", ("ws://h/", "--header", "a: b\r\nc: d"), "--header a: the value holds a control character"),
    ("a header of the handshake", ("ws://h/", "--header", "sec-websocket-key: x"), "sec-websocket-key is the client's own"),
    ("another script", ("ws://h/", "--script", "x"), "--script: there is one, auto"),
    ("two tokens", ("ws://h/", "--token", "a", "--token", "b"), "one of --token and --token-file is enough"),
    ("a token of two lines", ("ws://h/", "--token", "a\nb"), "the token holds a byte that no token has"),
    ("a token twice", ("ws://h/", "--token", "a", "--header", "authorization: x"), "are one too many"),
    ("no token file", ("ws://h/", "--token-file", "/no"), "--token-file: /no: No such file or directory"),
    ("no CA file", ("wss://h/", "--ca-file", "/no/such"), "/no/such: No such file or directory"),
], plain=OWN)
async def arguments(_, args, words):
    done = subprocess.run([BINARY, "client", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment(), timeout=20)
    err = done.stderr.decode()
    equal((done.returncode, done.stdout), (2, b""), err)
    assert err.startswith("presenced: ") and words in err and err.count("\n") == 1, err


@rows("a refused upgrade prints status and message, exit code 1", [
    ("nobody", "/ws", "refused with status 401: " + ("a token is required" if secure.SECURE else "who are you?")),
    ("no such place", "/nope?user_id=a", "refused with status 404: WebSockets are at /ws and /"),
    ("two ids", "/ws?user_id=a&userId=b", "refused with status 400: "),
])
async def refused(server, path, words):
    code, out, err = await client(server.url(path), "ping\n")
    equal((code, out), (1, []))
    assert err.startswith("presenced: client: " + words) and err.count("\n") == 1, err


@case("nobody listens there, or the name is none", plain=OWN)
async def nobody(_):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        code, _, err = await client("ws://127.0.0.1:%d/" % s.getsockname()[1])
        equal((code, err), (1, "presenced: client: 127.0.0.1:%d: Connection refused\n" % s.getsockname()[1]))
    code, _, err = await client("ws://no-such-name.invalid/")
    equal(code, 1)
    assert err.startswith("presenced: client: no-such-name.invalid: ") and err.count("\n") == 1, err


class Fake:
    """A server of one connection that answers the upgrade with `response` (None: as it should) and then does as told."""

    def __init__(self, then=lambda c: None, response=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "ws://127.0.0.1:%d/ws?user_id=ann" % self.listener.getsockname()[1]
        self.then, self.response, self.request, self.failed = then, response, b"", None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        c, _ = self.listener.accept()
        c.settimeout(20)
        self.stream = c.makefile("rb")
        try:
            while not self.request.endswith(b"\r\n\r\n"):
                self.request += self.stream.readline()
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", self.request)[1]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            good = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: " + accept
            c.sendall((good + b"\r\n\r\n" if self.response is None else self.response).replace(b"GOOD", good))
            self.then(c)
        except Exception as e:
            self.failed = e
        finally:
            c.shutdown(socket.SHUT_RDWR)
            c.close()

    def frame(self):
        """(first byte, payload) of the next frame, which must be masked."""
        first, length = self.stream.read(2)
        assert length & 128, "an unmasked frame from the client"
        length &= 127
        if length == 126:
            length = int.from_bytes(self.stream.read(2), "big")
        key, data = self.stream.read(4), self.stream.read(length)
        self.keys = getattr(self, "keys", []) + [key]
        return first, bytes(b ^ key[i % 4] for i, b in enumerate(data))


def text(data):
    return bytes([0x81, len(data)]) + data


GREETING = text(b'{"type":"connected","payload":{"user_id":"ann"}}')


@rows("a handshake that is none", [
    ("another key's answer", b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
     b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", "does not answer this handshake"),
    ("no upgrade", b"HTTP/1.1 101 x\r\n\r\n", "does not upgrade to websocket"),
    ("an extension", b"GOOD\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "an extension that was not offered"),
    ("a subprotocol", b"GOOD\r\nSec-WebSocket-Protocol: x\r\n\r\n", "a subprotocol that was not offered"),
    ("no HTTP", b"SSH-2.0-x\r\n", "that is no HTTP server"),
    ("nothing", b"", "the connection was lost before an answer"),
    ("a redirect", b"HTTP/1.1 302 x\r\nLocation: https://h/\x1b[1m\r\nContent-Length: 0\r\n\r\n", ""),
    ("a redirect to a place", b"HTTP/1.1 302 x\r\nLocation: https://h/\r\nContent-Length: 0\r\n\r\n",
     "refused with status 302, which sends elsewhere: https://h/"),
    ("words of an escape", b"HTTP/1.1 500 x\r\nContent-Length: 8\r\n\r\na\x1b[1m\xc2\x9bb",
     "refused with status 500: a\\u001b[1m\\u009bb"),
    ("a body without end", b"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n", "refused with status 503: busy"),
], plain=OWN)
async def handshake(_, response, words):
    code, out, err = await client(Fake(response=response).url, "ping\n")
    equal((code, out), (1, []))
    assert err.startswith("presenced: client: ") and words in err and err.count("\n") == 1, err


@rows("the server ends it: exit code 1, and why", [
    ("a Close with a reason", b"\x88\x07\x03\xe9later", "closed by the server: 1001, going away: later"),
    ("one of presenced's codes", b"\x88\x02\x0f\xa1", "closed by the server: 4001, the token has expired"),
    ("a code that nobody knows", b"\x88\x02\x0b\xb8", "closed by the server: 3000\n"),
    ("an empty Close", b"\x88\x00", "closed by the server: without a code"),
    ("an escape in the reason", b"\x88\x06\x03\xe8\x1b[1m", "closed by the server: 1000, normal: \\u001b[1m"),
    ("the connection ends", b"", "the connection is gone"),
    ("in the middle of a frame", b"\x81\x05ab", "the connection is gone"),
    ("a masked frame", b"\x81\x82abcdef", "the server broke the protocol: bad_masking"),
    ("a reserved bit", b"\xc1\x00", "the server broke the protocol: reserved_bit"),
    ("text that is not UTF-8", b"\x81\x01\xff", "the server broke the protocol: text_not_utf8"),
    ("17 MiB", b"\x82\x7f" + struct.pack(">Q", 17 << 20), "the server broke the protocol: message_too_big"),
], plain=OWN)
async def ended(_, data, words):
    fake = Fake(lambda c: c.sendall(GREETING + data))
    process = await asyncio.create_subprocess_exec(BINARY, "client", fake.url, stdin=subprocess.PIPE,
                                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    await asyncio.wait_for(process.wait(), 10)
    err = (await process.stderr.read()).decode()
    equal(process.returncode, 1)
    assert words in err and "\x1b" not in err, err


@case("pings are answered, frames are masked with keys of their own, the Close is answered", plain=OWN)
async def answers(_):
    seen = []

    def then(c):
        c.sendall(GREETING + b"\x89\x02hi\x01\x04{\"ty\x89\x00\x80\x0ape\":\"\xc3\xbcb\"}")
        seen.extend(fake.frame() for _ in range(3))
        c.sendall(b"\x88\x05\x03\xe9bye")
        seen.append(fake.frame())
    fake = Fake(then)
    process = await asyncio.create_subprocess_exec(BINARY, "client", fake.url, stdin=subprocess.PIPE,
                                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdin.write(b"ping\n")
    await asyncio.wait_for(process.wait(), 10)
    out = (await process.stdout.read()).decode().splitlines()
    assert fake.failed is None, fake.failed
    equal(out[1], '{"type":"üb"}')
    await soon(lambda: len(seen), 4)
    equal(sorted(seen[:3]), sorted([(0x8a, b"hi"), (0x8a, b""), (0x81, b'{"id":"1","type":"ping"}')]))
    equal(seen[3], (0x88, b"\x03\xe9"))
    equal(len(set(fake.keys)), 4, "different keys")
    assert b"Host: " + fake.url[5:].split("/")[0].encode() + b"\r\n" in fake.request, fake.request


@case("what a server sends cannot drive a terminal", plain=OWN)
async def harmless(_):
    bad = 'a\x1b[2J\x07\x9b31m\u202ex\u2028y\x7f\r\nz'.encode()
    fake = Fake(lambda c: (c.sendall(text(bad) + b"\x82\x03\x1b[m"), fake.frame(), c.sendall(b"\x88\x02\x03\xe8")))
    code, out, err = await client(fake.url, "")
    equal((code, out), (0, ["a\\u001b[2J\\u0007\\u009b31m\\u202ex\\u2028y\\u007f\\u000d\\u000az"]))
    assert "a binary message of 3 bytes" in err, err


def silent(c):
    c.sendall(GREETING)
    while c.recv(65536):
        pass


@case("no answer: told after 2 s when standard input has ended, exit code 1", plain=OWN)
async def no_answer(_):
    began = time.monotonic()
    code, out, err = await client(Fake(silent).url, "ping\nsub a\n")
    equal((code, len(out)), (1, 1))
    assert "no answer to 2 requests" in err and 1.5 < time.monotonic() - began < 6, (err, time.monotonic() - began)


@case("--script auto against a server that does not answer an unsubscription: that step fails after 5 s, exit code 1", plain=OWN)
async def script_silent(_):
    names = {"ping": "pong", "subscribe": "subscribed", "typing.start": "typing.start"}

    def not_all(c):
        c.sendall(GREETING)
        while True:
            message = json.loads(fake.frame()[1])
            name = names.get(message["type"]) or "dm_123" in str(message) and "unsubscribed"
            if name:
                c.sendall(text(json.dumps({"type": name, "reply_to": message["id"]}).encode()))
    fake = Fake(not_all)
    code, out, _ = await client(fake.url, "", "--script", "auto")
    equal((code, out[-1]), (1, "6 of 7 steps passed, 1 failed, 0 skipped"))
    at = next(i for i, line in enumerate(out) if line.startswith("6. "))
    equal(out[at + 2], "   failed: not answered within 5 seconds")


@case("--script auto and the connection goes: the rest has failed, exit code 1", plain=OWN)
async def script_cut(_):
    code, out, _ = await client(Fake(lambda c: (c.sendall(GREETING), fake_wait(c))).url, "", "--script", "auto")
    equal((code, out[-1]), (1, "1 of 7 steps passed, 6 failed, 0 skipped"))
    assert any("the connection is gone" in line for line in out), out


def fake_wait(c):
    c.recv(1)


# TLS

DIRECTORY = tempfile.TemporaryDirectory()


def wss(server, path, name="localhost"):
    return "wss://%s:%d%s" % (name, server.port, path)


@case("wss://: the commands, the script, a large message, tokens; a certificate that is not to be trusted is refused", plain=OWN)
async def tls(_):
    authority = Certificates(DIRECTORY.name)
    others = tempfile.mkdtemp(dir=DIRECTORY.name)
    other = Certificates(others)
    secret = os.path.join(DIRECTORY.name, "secret")
    with open(secret, "w") as f:
        f.write("0123456789abcdef0123456789abcdef\n")
    for kind in ("rsa", "ec"):
        cert, key = authority.issue("localhost", kind)
        trusted = ("--ca-file", authority.ca)
        with Server("--tls-cert", cert, "--tls-key", key, "--jwt-secret-file", secret, listen=("tls",)) as server:
            token = subprocess.run([BINARY, "token", "--secret-file", secret, "--sub", "ann", "--claim", "preferred_username=Ann"],
                                   stdout=subprocess.PIPE, check=True, timeout=20).stdout.decode().strip()
            code, out, err = await client(wss(server, "/ws"), "sub a\nping\n", *trusted, "--token", token)
            equal(code, 0, err)
            in_order([has(type="presence", username="Ann", user_id="ann"), has(type="subscribed"), has(type="pong")],
                     [json.loads(line) for line in out])
            code, out, err = await client(wss(server, "/ws?token=" + token), "", *trusted, "--script", "auto")
            equal((code, out[-1]), (0, "all 7 steps passed"))
            message = json.dumps({"type": "ping", "x": "x" * 60000})
            code, out, err = await client(wss(server, "/ws?token=" + token), ("send " + message + "\n") * 20, *trusted)
            equal((code, sum("pong" in line for line in out)), (0, 20), err)
            code, out, err = await client(wss(server, "/ws?token=" + token), "ping", SSL_CERT_FILE=authority.ca)
            equal(code, 0, err)
            for what, name, args in (("another CA", "localhost", ("--ca-file", other.ca)),
                                     ("another name", "127.0.0.1", trusted)):
                code, out, err = await client(wss(server, "/ws?token=" + token, name), "ping", *args)
                equal((code, out), (1, []), what)
                assert err.startswith("presenced: client: TLS: "), err
                assert err.count("\n") == 1, err
            code, out, err = await client(wss(server, "/ws"), "ping", *trusted)
            equal((code, out), (1, []))
            assert "refused with status 401: " in err, err
            code, out, err = await client("ws://localhost:%d/ws" % server.port, "ping")
            equal((code, out, err), (1, [], "presenced: client: refused with status 400: This port speaks TLS only.\n"))
            code, out, err = await client(wss(server, "/ws?token=" + token), "ping", "--ca-file", "/dev/null")
            equal((code, out), (2, []), err)


# on a terminal

def terminal(server, path="/ws?dialect=snake&user_id=tess", *args, columns=80, listener=0, **env):
    env.setdefault("TERM", "xterm")
    url = server if isinstance(server, str) else server.url(path, listener)
    return Terminal([BINARY, "client", url, *args, *secure.client(url, args)], env=environment(**env), columns=columns)


async def aside(function, *args):
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)


def on_terminal(name, plain=None):
    """A case that runs in a thread of its own, beside the loop."""
    def keep(function):
        case("a terminal: " + name, plain)(lambda server: aside(function, server))
        return function
    return keep


PROMPT = r"^tess@127\.0\.0\.1:\d+ snake> "


@on_terminal("a prompt that says who and where, commands, their answers, quit")
def prompt(server):
    with terminal(server) as t:
        t.wait_row(PROMPT + "$")
        assert t.is_raw()
        column = t.x
        t.type("sub a\r")
        t.wait_text(r'^< \{"type":"subscribed".*\n(.*\n)?tess@.* snake>$')
        t.wait_row(PROMPT + "$", column)
        equal(sum("snake> sub a" in line for line in t.text()), 1, "the command stands there once")
        t.type("help\rquit\r")
        equal(t.exit_code(), 0)
        assert t.is_restored() and "status S [TEXT]" in "\n".join(t.text())
        equal(t.row()[0], "", "the prompt is gone at the end")


@on_terminal("editing and history")
def editing(server):
    with terminal(server) as t:
        t.wait_row(PROMPT + "$")
        column = t.x
        t.type("sub ünï日本" + LEFT + LEFT + "e\u0301" + LEFT)
        t.wait_row("> sub ünïe\u0301日本 *$", column + 7)
        t.type("\x01\x1b[3~\x05\x7f\x7f" + LEFT + "\x0b")
        t.wait_row("> ub ünï *$", column + 6)
        t.type("\x15ping\rsub x\r")
        t.wait_text("subscribed")
        t.type("dra" + UP)
        t.wait_row("> sub x *$", column + 5)
        t.type(UP)
        t.wait_row("> ping *$", column + 4)
        t.type(DOWN + DOWN)
        t.wait_row("> dra *$", column + 3)
        t.type("\x15\x04")
        equal(t.exit_code(), 0)
        assert t.is_restored()


@on_terminal("a message that comes does not touch the line being typed")
def redraw(server):
    with terminal(server) as t:
        t.wait_row(PROMPT + "$")
        t.type("status away half a li" + LEFT + LEFT)
        t.wait_row("half a li *$")
        column = t.x

        async def friend():
            async with await Snake.open(server, "tess-friend"):
                await asyncio.sleep(0.2)
        asyncio.run(friend())
        t.wait_text("tess-friend")
        t.wait_row(PROMPT + "status away half a li *$", column)
        equal(sum("half a li" in line for line in t.text()), 1, "the line stands there once")
        t.type("\x05ne\r")
        t.wait_text('"custom_status":"half a line"')


@on_terminal("a line longer than the screen scrolls in its row; a resized screen")
def long_line(server):
    with terminal(server, columns=60) as t:
        t.wait_row(PROMPT + "$")
        rows_before = len(t.rows)
        t.type("sub " + "0123456789" * 9)
        t.wait_row("> .*6789 *$")
        equal(len(t.rows), rows_before, "rows")
        t.type("\x01")
        t.wait_row("> sub 0123")
        t.resize(120)
        t.wait_row("> sub 0123456789012345678901234567890123456789")
        t.type("\x0c")
        t.wait(lambda: len("".join(t.text()[:-1])) == 0, "a clear screen")
        t.wait_row(PROMPT + "sub 01234")


@on_terminal("colour, and none with NO_COLOR")
def colour(server):
    with terminal(server) as t:
        t.wait_row(PROMPT + "$")
        equal(t.looks("connection_ack"), {"1m"})
        t.type("nope\r")
        t.wait_text('there is no command "nope"')
        equal(t.looks("there is no"), {"31m"})
        t.type("send x\r")
        t.wait_text('"error"')
        equal(t.looks("error"), {"31m"})
        t.wait_row(PROMPT + "$")
        equal(t.looks("snake>"), {"1;36m"})
    with terminal(server, NO_COLOR="1") as t:
        t.wait_row(PROMPT + "$")
        t.type("nope\r")
        t.wait_text("there is no")
        assert re.search(rb"\x1b\[[0-9;]*m", t.raw) is None, t.raw


@on_terminal("TERM=dumb: plain lines, the terminal stays as it is")
def dumb(server):
    with terminal(server, TERM="dumb") as t:
        t.wait_text("connection_ack")
        assert t.is_restored() and b"\x1b" not in t.raw, t.raw
        t.type("ping\n\x04")
        equal(t.exit_code(), 0)
        assert "pong" in "\n".join(t.text())


@on_terminal("Ctrl-C and Ctrl-D leave with Close 1000, exit code 0", plain=OWN)
def leaves(_):
    for keys in ("\x03", "\x04", "half\x03"):
        closed = []

        def then(c):
            c.sendall(GREETING)
            closed.append(fake.frame())
            c.sendall(b"\x88\x02\x03\xe8")
        fake = Fake(then)
        with terminal(fake.url) as t:
            t.wait_row("ann@.*dotted> $")
            t.type(keys)
            equal(t.exit_code(), 0)
            assert t.is_restored()
        equal(closed, [(0x88, b"\x03\xe8")])


@on_terminal("a signal, or a crash, and the terminal is as it was")
def signals(server):
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGQUIT, -3),
                         (signal.SIGABRT, -6), (signal.SIGSEGV, -11), (signal.SIGUSR1, -10)):
        with terminal(server) as t:
            t.wait_row(PROMPT + "$")
            t.type("half a line")
            t.wait_row("half a line *$")
            assert t.is_raw()
            t.send_signal(number)
            equal(t.exit_code(), code, "exit code after %s" % number)
            assert t.is_restored(), number


@on_terminal("a server that does not answer the Close is waited for 2 s; Ctrl-C twice does not wait", plain=OWN)
def impatient(_):
    for keys, least, most in (("\x03", 1.5, 4), ("\x03\x03", 0, 1)):
        with terminal(Fake(silent).url) as t:
            t.wait_row("dotted> $")
            began = time.monotonic()
            t.type(keys)
            equal(t.exit_code(), 0)
            assert least <= time.monotonic() - began <= most, time.monotonic() - began


@on_terminal("Ctrl-Z gives the terminal back and takes it again")
def stops(server):
    with terminal(server) as t:
        t.wait_row(PROMPT + "$")
        t.type("half\x1a")
        t.wait(lambda: open("/proc/%d/stat" % t.process.pid).read().split(") ")[1][0] == "T", "it to stop")
        assert t.is_restored()
        t.send_signal(signal.SIGCONT)
        t.wait_row(PROMPT + "half *$")
        t.wait(t.is_raw, "a raw terminal")


@on_terminal("the server goes: the reason is said, the terminal is as it was, exit code 1", plain=OWN)
def gone(_):
    with terminal(Fake(lambda c: (c.sendall(GREETING), time.sleep(0.3), c.sendall(b"\x88\x05\x03\xe9bye"))).url) as t:
        t.wait_row("dotted> $")
        t.type("half")
        equal(t.exit_code(), 1)
        assert t.is_restored()
        equal(t.text()[-2:], ["closed by the server: 1001, going away: bye", ""])


run(Server(listen=("", "dialect=snake")), seconds=60)
