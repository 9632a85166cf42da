#!/usr/bin/python3
"""RELIABILITY sections A to D that need a live server: hostile requests, frames and faults on raw sockets, all at once."""
import asyncio, json, os, select, socket, struct, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Rooms
from server import Raw, Server, masked, upgrade, websocket
from tap import case, equal, has, rows, run
from web import curl

GET = b"GET /live HTTP/1.1\r\nHost: h\r\n\r\n"
INTERNAL = b"GET /internal HTTP/1.1\r\nHost: h\r\n\r\n"


def threaded(function):
    """A case on blocking sockets, in a thread of its own."""
    async def check(server, *row):
        await asyncio.to_thread(function, server, *row)
    return check


def head(*lines, method="GET", target="/live", version="HTTP/1.1", host="Host: h"):
    return ("\r\n".join(["%s %s %s" % (method, target, version)] + [l for l in (host, *lines) if l]) + "\r\n\r\n").encode("latin-1")


# The answer, then the end of the stream; what is pipelined behind is never looked at.
@rows("A", [
    ("H1 bare LF", b"GET /live HTTP/1.1\nHost: h\n\n", 400), ("H2 bare CR in a value", head("v: a\rb"), 400),
    ("H2 NUL in a value", head("v: a\0b"), 400), ("H3 space before the colon", head("Content-Length : 3"), 400),
    ("H3 leading space", b"GET /live HTTP/1.1\r\n Host: h\r\n\r\n", 400), ("H3 obs-fold", head("v: a\r\n b"), 400),
    ("H4 empty name", head(": x"), 400), ("H4 no colon", head("nothing"), 400), ("H5 name of 0x80", head("n\x80: x"), 400),
    ("H7 Content-Length +1", head("Content-Length: +1", method="POST"), 400),
    ("H7 -48", head("Content-Length: -48", method="POST"), 400), ("H7 0x10", head("Content-Length: 0x10", method="POST"), 400),
    ("H7 2^64", head("Content-Length: 18446744073709551616", method="POST"), 400),
    ("H7 1,1", head("Content-Length: 1,1", method="POST"), 400), ("H8 two", head("Content-Length: 1", "Content-Length: 1", method="POST"), 400),
    ("H9 CL and TE", head("Content-Length: 1", "Transfer-Encoding: chunked", method="POST"), 400),
    ("H9 TE on 1.0", head("Transfer-Encoding: chunked", method="POST", version="HTTP/1.0"), 400),
    ("H10 chunked", head("Transfer-Encoding: chunked", method="POST"), 411), ("H10 blegh", head("Transfer-Encoding: blegh", method="POST"), 411),
    ("H12 method", head(method='G="'), 400), ("H12 target", head(target="!"), 400), ("H12 two spaces", head(target=" /live"), 400),
    ("H12 a tab", b"GET\t/live HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("H13 HTTP/1.32", head(version="HTTP/1.32"), (400, 505)),
    ("H13 HTTP/2.0 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)), ("H13 HTTP/0.9", b"GET /live\r\n\r\n", (400, 505)),
    ("H14 no Host", head(host=None), 400), ("H14 two", head("Host: h"), 400), ("H14 invalid", head(host="Host: a b"), 400),
    ("H16 head over 8 KiB", head("v: " + "x" * 8200), 431), ("H16 101 headers", head(*["a: b"] * 101), 431),
    ("H16 target over 8 KiB", head(target="/" + "x" * 8200), (414, 431)),
    ("H18 body over the cap", head("Content-Length: 65537", "Content-Type: application/json", method="POST", target="/api/v1/typing"), 413),
    ("H21 TRACE", head(method="TRACE"), (405, 501)), ("H21 CONNECT", head(method="CONNECT", target="a:1"), (400, 405, 501)),
    ("U1 POST", upgrade().replace(b"GET", b"POST", 1), 405), ("U1 HTTP/1.0", upgrade().replace(b"/1.1", b"/1.0"), (400, 505)),
    ("U2 no Upgrade", upgrade().replace(b"Upgrade: websocket\r\n", b""), (400, 426)),
    ("U2 h2c", upgrade().replace(b"websocket", b"h2c"), (400, 426)), ("U2 Connection", upgrade().replace(b": Upgrade", b": close"), (400, 426)),
    ("U3 no version", upgrade(version=False), 426), ("U3 version 8", upgrade("/ws?user_id=a", "Sec-WebSocket-Version: 8", version=False), 426),
    ("U3 twice", upgrade("/ws?user_id=a", "Sec-WebSocket-Version: 13"), 426), ("U4 no key", upgrade(key=False), 400),
    ("U4 two keys", upgrade("/ws?user_id=a", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
    ("U4 short key", upgrade("/ws?user_id=a", "Sec-WebSocket-Key: AAAA", key=False), 400),
    ("U7 Origin null", upgrade("/ws?user_id=a", "Origin: null"), 403), ("U7 evil", upgrade("/ws?user_id=a", "Origin: http://localhost.evil.io"), 403),
    ("U7 two Origins", upgrade("/ws?user_id=a", "Origin: http://localhost", "Origin: http://evil.io"), 403),
    ("U7 rubbish", upgrade("/ws?user_id=a", "Origin: http://a:b"), 403),
    ("U8 refused, 401", upgrade("/ws"), 401), ("U9 Content-Length", upgrade("/ws?user_id=a", "Content-Length: 3"), 400),
    ("U9 Transfer-Encoding", upgrade("/ws?user_id=a", "Transfer-Encoding: chunked"), 400)])
@threaded
def refused(server, request, status):
    with Raw(server.port, request + INTERNAL) as raw:
        got, text = raw.head()
        assert got in (status if isinstance(status, tuple) else (status,)), text
        assert "\r\nconnection: close" in text.lower(), text
        if got == 426:
            assert "sec-websocket-version: 13" in text.lower(), text
        assert b"HTTP/1.1" not in raw.rest(), "what came behind it was answered"


@rows("accepted", [
    ("H6 0xA0 around a value", head("X-A: \xa0x\xa0")), ("H7 Content-Length 010", head("Content-Length: 010") + b"0123456789"),
    ("H16 100 headers", head(*["a: b"] * 99)), ("U12 nominated names", head("Connection: authorization, host"))])
@threaded
def accepted(server, request):
    with Raw(server.port, request + GET) as raw:
        for _ in range(2):
            status, text, _ = raw.answer()
            assert status == 200 or status == 400 and b"010" in request, text
            if status == 400:
                return


@rows("upgrade", [("U2 lists, any case", "Connection: keep-alive, uPGRADE"), ("U5 extensions of no sense", "Sec-WebSocket-Extensions: constructor, ,;"),
                  ("U5 permessage-deflate is declined", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
                  ("U6 protocol of spaces", "Sec-WebSocket-Protocol: b" + " " * 4000 + "x"), ("U7 loopback origin", "Origin: http://localhost:3000")])
@threaded
def upgraded(server, line):
    request = upgrade("/ws?user_id=u", line)
    if line.startswith("Connection"):
        request = request.replace(b"Connection: Upgrade\r\n", b"")
    with Raw(server.port, request) as raw:
        status, text = raw.head()
        if "spaces" not in line and status != 101:
            assert "b  " in line and status == 400, text  # no token: may be refused
            return
        assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in text, text
        for name in ("extensions", "content-length", "transfer-encoding", "sec-websocket-protocol"):
            assert name not in text.lower(), text


@case("U10 frames in the handshake's segment are answered after the 101, in order")
@threaded
def early_frames(server):
    with Raw(server.port, upgrade("/?userId=u10") + masked(1, '{"type":"HEARTBEAT"}') + masked(9, b"p") + masked(8, b"\x03\xe8")) as raw:
        equal(raw.head()[0], 101)
        seen, code = raw.frames_until_close()
        kinds = [json.loads(p)["type"] if f == 0x81 else f for f, p in seen]
        kinds = [k for k in kinds if k != "PRESENCE_UPDATE"]
        equal((kinds, code), (["CONNECT", "HEARTBEAT_ACK", 0x8a], 1000))


@rows("C", [
    ("F1 unmasked", b"\x81\x02{}", 1002), ("F2 64-bit length, MSB set", b"\x81\xff\xff" + b"\xff" * 7 + b"abcd", 1002),
    ("F3 2^63-1", b"\x81\xff\x7f" + b"\xff" * 7 + b"abcd", 1009), ("F4 max+1, no body", masked(1, length=65537), 1009),
    ("F5 fragments over the max", masked(1, b"x" * 40000, fin=False) + masked(0, b"x" * 25537), 1009),
    ("F6 not minimal, 16 bit", b"\x81\xfe\x00\x05abcd12345", 1002), ("F6 64 bit", b"\x81\xff" + b"\0" * 6 + b"\x00\x05abcd12345", 1002),
    ("F7 RSV1", masked(1, b"{}", rsv=64), 1002), ("F7 RSV2", masked(1, b"{}", rsv=32), 1002), ("F8 opcode 3", masked(3, b"x"), 1002),
    ("F8 opcode 11", masked(11), 1002), ("F9 fragmented ping", masked(9, fin=False), 1002), ("F9 ping of 126", masked(9, b"x" * 126), 1002),
    ("F10 continuation of nothing", masked(0, b"x"), 1002), ("F10 text in a text", masked(1, b"a", fin=False) + masked(1, b"b"), 1002),
    ("F12 overlong", masked(1, b'"\xc0\xaf"'), 1007), ("F12 surrogate", masked(1, b'"\xed\xa0\x80"'), 1007),
    ("F12 fails fast, in the first fragment", masked(1, b"\xf5", fin=False), 1007), ("F13 binary", masked(2, b"x"), 1003),
    ("F14 close of 1 byte", masked(8, b"\x03"), 1002), ("F14 close 1005", masked(8, b"\x03\xed"), 1002),
    ("F14 close 999", masked(8, b"\x03\xe7"), 1002), ("F14 close 2999", masked(8, b"\x0b\xb7"), 1002), ("F14 close 4000", masked(8, b"\x0f\xa0"), 4000),
    ("F14 close without code", masked(8), 1000), ("F15 reason not UTF-8", masked(8, b"\x03\xe8\xff"), 1007),
    ("F18 endless fragments", masked(1, b"x", fin=False) + masked(0, b"", fin=False) * 1100, 1008)])
@threaded
def frames(server, data, code):
    with websocket(server, "/ws?dialect=rooms&user_id=frames") as raw:
        raw.send(data)
        seen, got = raw.frames_until_close()
        equal(got, code)
        assert not [p for f, p in seen if f == 0x81 and b'"pong"' in p or f == 0x81 and b'"error"' in p], seen
        raw.send(masked(9, b"late")) if got else None
        equal(raw.rest(6), b"", "after Close")


@case("F9 a ping of 125 bytes comes back")
@threaded
def ping(server):
    with websocket(server, "/ws?dialect=rooms&user_id=pinger") as raw:
        raw.send(masked(9, bytes(range(125))))
        while raw.take(1) != b"\x8a":
            raw.take(raw.take(1)[0])
        equal(raw.take(126), b"\x7d" + bytes(range(125)))


@case("F16 a peer that never closes after Close is closed within 5 s")
@threaded
def lingering(server):
    with websocket(server, "/ws?dialect=rooms&user_id=linger") as raw:
        raw.send(masked(8, b"\x03\xe8"))
        start = time.monotonic()
        raw.rest(7)
        assert time.monotonic() - start < 6


@rows("F17", [("FIN inside a frame", masked(1, b"abc", length=10), socket.SHUT_WR), ("half-close", b"", socket.SHUT_WR)])
@threaded
def half(server, data, how):
    with websocket(server, "/ws?dialect=rooms&user_id=half") as raw:
        raw.send(data)
        raw.socket.shutdown(how)
        raw.rest(5)


@case("F17 resets and a peer that is gone: no SIGPIPE, the others live")
async def resets(server):
    async with await Rooms.open(server, "r-watch") as watch:
        def reset():
            for i in range(30):
                raw = websocket(server, "/ws?dialect=rooms&user_id=reset-%d" % (i % 3))
                raw.send(masked(1, b'{"type":"ping"}') * 3)
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raw.close()
        await asyncio.to_thread(reset)
        await watch.want(has(type="presence", user_id="reset-0", status="offline"), 10)


@case("F17 an urgent byte is ignored", plain="bytes out of band are none of TLS's")
@threaded
def urgent(server):
    with websocket(server, "/ws?dialect=rooms&user_id=oob") as raw:
        raw.socket.send(b"!", socket.MSG_OOB)
        raw.send(masked(1, b'{"type":"ping"}'))
        raw.until(lambda got: b'"pong"' in got)


@case("F19 10,000 pings while not reading: bounded, and the server is well")
@threaded
def ping_flood(server):
    with websocket(server, "/ws?dialect=rooms&user_id=flood", rcvbuf=4096) as raw:
        try:
            for _ in range(100):
                raw.send(masked(9, b"x" * 120) * 100)
        except OSError:
            pass
        equal(curl(server.http("/live")).status, 200)


@rows("F22 an application error", [("empty", b""), ("one byte", b"x"), ("64 KiB of spaces", b" " * 65536)])
@threaded
def small(server, text):
    with websocket(server, "/ws?dialect=rooms&user_id=f22") as raw:
        raw.send(masked(1, text))
        raw.until(lambda got: b'"code":400' in got)


@rows("H17 a slow head is dropped 10 s after the connection began", [
    ("nothing at all (D1)", b"", b"", 99), ("a byte now and then", b"GET / HTTP/1.1\r\nX: ", b"x", 0.5), ("half a request", GET[:-3], b"", 99),
    ("a body that drips (H18)", b"POST /api/v1/typing HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n", b" ", 0.5)])
@threaded
def slow(server, first, drip, pause):
    start = time.monotonic()
    with Raw(server.port, first) as raw:
        while True:
            ready, _, _ = select.select([raw.socket], [], [], min(pause, start + 14 - time.monotonic()))
            assert time.monotonic() < start + 13, "still open after 13 s"
            if ready and not raw.more(0):
                break
            try:
                raw.send(drip if not ready else b"")
            except OSError:
                break
        took = time.monotonic() - start
        assert took > 8, "dropped after %.1f s" % took
        assert raw.got == b"" or raw.got.startswith(b"HTTP/1.1 408"), raw.got


@case("H19 an invalid request behind a valid one: the first answer whole, then 400 and the end")
@threaded
def pipelined(server):
    with Raw(server.port, GET + b"GET / HTTP/1.1\nHost: h\n\n" + INTERNAL) as raw:
        equal([raw.answer()[0], raw.answer()[0]], [200, 400])
        equal(raw.rest(), b"")


@case("a request byte by byte")
@threaded
def bytewise(server):
    with Raw(server.port) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in upgrade("/?userId=slow") + masked(1, '{"type":"HEARTBEAT"}'):
            raw.send(bytes([byte]))
        raw.until(lambda got: b"HEARTBEAT_ACK" in got)


OPTIONS = ["--offline-debounce", "100ms", "--presence-rate", "0", "--max-connections-per-user", "64"]
if __name__ == "__main__":  # test/scorecard has its cases too
    run(Server(*OPTIONS), together=True, seconds=28)
