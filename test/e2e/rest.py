#!/usr/bin/python3
"""CONTRACT section 4 through curl: every row, every status, CORS, and on raw sockets keep-alive and pipelining."""
import asyncio, email.utils, json, os, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Dotted, Rooms, Snake, Upper
from secure import service
from server import Raw, Server
from tap import ANY, NOTHING, NUMBER, TEXT, TIME, case, equal, has, rows, run
from web import curl, exposition, jwt

V1 = "/api/v1/presence/"
NOBODY = {"user_id": "nobody", "online_status": "offline", "custom_status": None, "metadata": NOTHING, "last_seen": None,
          "is_online": False, "device_count": 0}
secret = tempfile.NamedTemporaryFile("w", suffix=".key")
secret.write("an-api-key-of-this-test\n")
secret.flush()
KEY = ["-H", "Authorization: Bearer an-api-key-of-this-test"]
FORWARDED = ["-H", "X-Forwarded-For: 203.0.113.9"]
ORIGIN = ["-H", "Origin: https://evil.example"]
BAD = ["-H", "Authorization: Bearer wrong"]
TEXT_BODY = ["-H", "Content-Type: text/plain"]


def failed(status):
    return {"error": {"code": status, "message": TEXT}}


@rows("answer", [
    ("/health", "GET", "/health", None, 200, {"status": "healthy", "service": "presence", "active_connections": NUMBER,
                                              "timestamp": TIME, "uptime": NUMBER}),
    ("/live", "GET", "/live", None, 200, ANY), ("/ready", "GET", "/ready", None, 200, ANY),
    ("/health with a query", "GET", "/health?x=1", None, 200, has(status="healthy")),
    ("/presence", "GET", "/presence", None, 200, {"users": ANY, "count": NUMBER}),
    ("/presence/{id}, unknown", "GET", "/presence/nobody", None, 200, {"user_id": "nobody", "status": "offline",
                                                                       "last_seen": None}),
    ("/{id}, unknown", "GET", "/nobody", None, 200, NOBODY),
    ("/api/v1/presence/{id}, unknown", "GET", V1 + "nobody", None, 200, NOBODY),
    ("an id that is a fixed path", "GET", V1 + "health", None, 200, {**NOBODY, "user_id": "health"}),
    ("an id of 128 bytes", "GET", V1 + "x" * 128, None, 200, {**NOBODY, "user_id": "x" * 128}),
    ("percent-encoding", "GET", V1 + "a%40b%20c+d", None, 200, {**NOBODY, "user_id": "a@b c+d"}),
    ("an encoded slash is the id's", "GET", V1 + "a%2Fb", None, 200, {**NOBODY, "user_id": "a/b"}),
    ("UTF-8", "GET", "/%c3%a9", None, 200, {**NOBODY, "user_id": "é"}),
    ("a quote in an id", "GET", V1 + "%22%5C", None, 200, {**NOBODY, "user_id": '"\\'}),
    ("heartbeat", "POST", V1 + "hb/heartbeat", "", 204, None),
    ("devices of nobody", "GET", V1 + "nobody/devices", None, 200, {"devices": []}),
    ("typing", "POST", "/api/v1/typing", {"conversation_id": "c", "user_id": "u", "is_typing": True}, 202, ANY),
    ("broadcast to nobody", "POST", "/api/v1/broadcast", {"users": ["nobody"], "data": {}}, 202, {"delivered": 0}),
    ("bulk of one", "POST", V1 + "bulk", {"user_ids": ["nobody"]}, 200, {"presences": [NOBODY]}),
])
async def answer(server, method, path, body, status, wanted):
    got = curl(server.http(path), data=body, method=method)
    equal(got.status, status, repr(got))
    if wanted is None:
        equal(got.body, b"")
    elif wanted is not ANY:
        assert got.headers["content-type"].startswith("application/json"), got
        equal(got.json, wanted)


@rows("refused", [
    ("%00 in an id", "GET", V1 + "a%00b", None, [], 400), ("%2e%2e", "GET", "/%2e%2e", None, [], 400),
    ("encoded twice", "GET", V1 + "a%252e", None, [], 400), ("a bad escape", "GET", V1 + "a%GG", None, [], 400), ("overlong UTF-8", "GET", V1 + "%c0%af", None, [], 400),
    ("a control character", "GET", V1 + "a%0ab", None, [], 400), ("an id of 129 bytes", "GET", V1 + "x" * 129, None, [], 400),
    ("unknown status", "PUT", V1 + "u", {"online_status": "asleep"}, [], 400),
    ("no status", "PUT", V1 + "u", {"custom_status": 5}, [], 400), ("no JSON", "PUT", V1 + "u", "{", [], 400),
    ("a duplicate key", "PUT", V1 + "u", '{"online_status":"away","online_status":"busy"}', [], 400),
    ("metadata over 2 KiB", "PUT", V1 + "u", {"online_status": "away", "metadata": {"k": "v" * 2048}}, [], 400),
    ("an empty body", "PUT", V1 + "u", "", [], 400),
    ("bulk over 1,000", "POST", V1 + "bulk", {"user_ids": ["u%d" % i for i in range(1001)]}, [], 400),
    ("bulk of numbers", "POST", V1 + "bulk", {"user_ids": [1]}, [], 400),
    ("broadcast without data", "POST", "/api/v1/broadcast", {"all": True}, [], 400),
    ("broadcast to whom?", "POST", "/api/v1/broadcast", {"data": {}}, [], 400),
    ("broadcast to one and to all", "POST", "/api/v1/broadcast", {"users": ["u"], "all": True, "data": {}}, [], 400),
    ("broadcast as the protocol's own", "POST", "/api/v1/broadcast", {"all": True, "type": "presence_update", "data": {}}, [], 400),
    ("typing without a user", "POST", "/api/v1/typing", {"conversation_id": "c", "is_typing": True}, [], 400),
    ("a bad credential on a read", "GET", V1 + "u", None, ["-H", "Authorization: Bearer wrong"], 401),
    ("the key, wrong by a byte", "GET", V1 + "u", None, ["-H", "Authorization: Bearer an-api-key-of-this-tesT"], 401),
    ("the key, cut", "PUT", V1 + "u", {"online_status": "away"}, ["-H", "Authorization: Bearer an-api-key"], 401),
    ("admin without the key", "GET", "/admin/stats", None, [], 401),
    ("a bad credential where nothing is", "GET", "/a/b", None, BAD, 401), ("for no method", "POST", "/health", "{}", BAD, 401),
    ("for an id of 129 bytes", "GET", V1 + "x" * 129, None, BAD, 401),
    ("nothing there", "GET", "/api/v1/nothing", None, [], 404), ("favicon.ico", "GET", "/favicon.ico", None, [], 404),
    ("two segments", "GET", "/a/b", None, [], 404),
    ("text/plain", "PUT", V1 + "u", '{"online_status":"away"}', TEXT_BODY, 415),
    ("a body over 64 KiB", "PUT", V1 + "u", '{"x":"' + "x" * 65536 + '"}', ["-H", "Expect:"], 413),
    ("chunked", "PUT", V1 + "u", "{}", ["-H", "Transfer-Encoding: chunked"], 411),
    ("another Expect", "PUT", V1 + "u", "{}", ["-H", "Expect: the-unexpected"], 417),
    ("a head over 8 KiB", "GET", "/health", None, ["-H", "X: " + "x" * 8200], 431),
    ("a target over 8 KiB", "GET", "/" + "x" * 8200, None, [], 431),
])
async def refused(server, method, path, body, options, status):
    got = curl((keyed if status == 401 else server).http(path), *options, data=body, method=method, bare=status == 401)
    equal(got.status, status, repr(got))
    equal(got.json, failed(status))


@rows("405", [(path + " " + method, method, path, allowed) for method, path, allowed in [
    ("POST", "/health", {"GET", "HEAD"}), ("DELETE", "/presence", {"GET", "HEAD"}), ("PUT", "/metrics", {"GET", "HEAD"}),
    ("POST", "/ws", {"GET"}), ("DELETE", V1 + "u", {"GET", "HEAD", "PUT", "POST"}), ("GET", V1 + "bulk", {"POST"}),
    ("GET", "/api/v1/typing", {"POST"}), ("PUT", "/api/v1/broadcast", {"POST"}), ("GET", V1 + "u/heartbeat", {"POST"}),
    ("POST", V1 + "u/devices", {"GET", "HEAD"}), ("DELETE", "/u", {"GET", "HEAD"}), ("POST", "/ready", {"GET", "HEAD"}),
    ("PATCH", V1 + "u", {"GET", "HEAD", "PUT", "POST"})]])
async def not_allowed(server, method, path, allowed):
    got = curl(server.http(path), method=method, data="{}" if method != "GET" else None)
    equal(got.status, 405, repr(got))
    given = {m.strip() for m in got.headers["allow"].split(",")} - {"OPTIONS"}
    assert allowed <= given | {"HEAD"} and given <= allowed | {"HEAD"}, "Allow: %s" % got.headers["allow"]


@rows("HEAD", [(p, p) for p in ("/health", "/ready", "/metrics", "/presence", "/nobody", V1 + "nobody")])
async def head(server, path):
    full, got = curl(server.http(path)), curl(server.http(path), method="HEAD")
    equal((got.status, got.body), (full.status, b""))
    equal(got.headers.get("content-type"), full.headers.get("content-type"))


@rows("writes", [
    ("from loopback, without a credential", 2, [], 200), ("with the key", 0, KEY, 200), ("with forwarding headers", 2, FORWARDED, 401),
    ("with Forwarded", 2, ["-H", "Forwarded: for=1.2.3.4"], 401), ("with a foreign Origin", 2, ORIGIN, (401, 403)),
])
async def writes(_, kind, options, status):
    more = [] if kind == 2 else ["--api-key-file", secret.name]
    with Server(*more) as server:
        for method in ("PUT", "POST"):
            got = curl(server.http(V1 + "w"), *options, data={"online_status": "busy", "custom_status": "x"}, method=method,
                       bare=True)
            assert got.status in (status if isinstance(status, tuple) else (status,)), got


@case("PUT: broadcast, shown by every read; makes no device and nobody online")
async def put(server):
    async with await Snake.open(server, "put-watch") as watch, await Snake.open(server, "put-ann") as ann:
        got = curl(server.http(V1 + "put-ann"), data={"online_status": "busy", "custom_status": "é",
                                                      "metadata": {"a": 1}}, method="PUT")
        equal(got.status, 200, repr(got))
        await watch.want(has(type="presence_update", payload__user_id="put-ann", payload__online_status="busy",
                             payload__custom_status="é", payload__metadata={"a": 1}))
        equal(curl(server.http("/put-ann")).json, {"user_id": "put-ann", "online_status": "busy", "custom_status": "é",
              "metadata": {"a": 1}, "last_seen": TIME, "is_online": True, "device_count": 1})
        equal(curl(server.http(V1 + "put-nobody"), data={"online_status": "away"}, method="POST").status, 200)
        got = curl(server.http("/put-nobody")).json
        equal((got["is_online"], got["device_count"]), (False, 0))
        assert "put-nobody" not in [u["user_id"] for u in curl(server.http("/presence")).json["users"]]


@case("bulk of 1,000 in the order asked")
async def bulk(server):
    async with await Rooms.open(server, "bulk-500"):
        ids = ["bulk-%d" % i for i in range(999, -1, -1)]
        got = curl(server.http(V1 + "bulk"), data={"user_ids": ids}, method="POST")
        equal(got.status, 200, repr(got)[:300])
        equal([p["user_id"] for p in got.json["presences"]], ids)
        equal([p["user_id"] for p in got.json["presences"] if p["is_online"]], ["bulk-500"])


@case("heartbeat: a device without a socket is online for presence-ttl")
async def heartbeat(_):
    with Server("--presence-ttl", "1s", "--offline-debounce", "100ms") as server:
        async with await Snake.open(server, "watch") as watch:
            equal(curl(server.http(V1 + "hb/heartbeat"), method="POST").status, 204)
            await watch.want(has(payload__user_id="hb", payload__online_status="online"))
            equal(curl(server.http("/hb")).json["is_online"], True)
            await watch.want(has(payload__user_id="hb", payload__online_status="offline"))
            equal(curl(server.http("/hb")).json["is_online"], False)


@case("devices: what each connection is")
async def devices(server):
    async with await Snake.open(server, "dev", "phone") as one, await Dotted.open(server, "dev", "desk"):
        got = curl(server.http(V1 + "dev/devices")).json["devices"]
        equal(sorted((d["device_id"], d["dialect"]) for d in got), [("desk", "dotted"), ("phone", "snake")])
        for d in got:
            equal(d, {"device_id": ANY, "connection_id": TEXT, "dialect": ANY, "connected_at": TIME, "last_seen": TIME})
            assert d["connected_at"] <= d["last_seen"], d
        assert one.first["payload"]["connection_id"] in [d["connection_id"] for d in got], got


@case("broadcast: each address, exclude, a type of one's own")
async def broadcast(server):
    def send(**body):
        got = curl(server.http("/api/v1/broadcast"), data={"data": {"k": [1, "é"]}, **body})
        equal(got.status, 202, repr(got))
        return got.json["delivered"]
    async with await Rooms.open(server, "bc-a") as a, await Dotted.open(server, "bc-b") as b, \
            await Snake.open(server, "bc-c") as c, await Upper.open(server, "bc-d") as d:
        await a.ask({"type": "subscribe", "channel_id": "bc"}, has(type="subscribed"))
        await b.ask({"type": "subscribe", "payload": {"topics": ["notifications"]}}, has(type="subscribed"))
        equal(send(room="bc"), 1)
        await a.want({"type": "message", "data": {"k": [1, "é"]}})
        equal(send(topic="notifications"), 1)
        await b.want(has(type="message.new", payload={"k": [1, "é"]}))
        equal(send(users=["bc-c", "bc-d", "nobody"]), 2)
        await c.want(has(type="message", payload={"k": [1, "é"]}))
        await d.want(has(type="MESSAGE", payload={"k": [1, "é"]}))
        equal(send(all=True, exclude=["bc-a"], type="party.started"), 3)
        await b.want(has(type="party.started"))
        await a.quiet(has(type="party.started"), has(type="message"))


@case("a big GET /presence, whole and valid")
async def big(_):
    with Server("--message-rate", "0") as server:
        users = ["user-with-a-rather-long-name-%04d" % i for i in range(600)]
        raws = [Raw(server.port, b"POST %s%s/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % (
            V1.encode(), u.encode())) for u in users[:1]]
        for u in users[1:]:
            raws[0].send(b"POST %s%s/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" % (V1.encode(), u.encode()))
        for u in users:
            equal(raws[0].head()[0], 204)
        got = curl(server.http("/presence")).json
        equal((got["count"], sorted(x["user_id"] for x in got["users"])), (600, users))


@rows("CORS", [
    ("another loopback origin", [], "http://localhost:3000", True), ("foreign", [], "https://evil.example", False),
    ("null", [], "null", False), ("listed", ["--allowed-origins", "https://app.example"], "https://app.example", True),
    ("not listed", ["--allowed-origins", "https://app.example"], "https://app.example.evil.example", False),
    ("any", ["--allowed-origins", "*"], "https://whoever.example", True)])
async def cors(_, options, origin, allowed):
    with Server(*options) as server:
        got = curl(server.http("/presence"), "-H", "Origin: " + origin)
        equal(got.headers.get("access-control-allow-origin") in (origin, "*"), allowed, repr(got))
        got = curl(server.http(V1 + "u"), "-H", "Origin: " + origin, "-H", "Access-Control-Request-Method: PUT",
                   "-H", "Access-Control-Request-Headers: content-type", method="OPTIONS")
        equal(got.headers.get("access-control-allow-origin") in (origin, "*"), allowed, repr(got))
        if allowed:
            assert got.status in (200, 204) and "PUT" in got.headers["access-control-allow-methods"], got
        # A page is trusted as this machine is if it is of it, or named: `*` names nobody, who then needs a credential.
        got = curl(server.http(V1 + "u"), "-H", "Origin: " + origin, data={"online_status": "busy"}, method="PUT", bare=True)
        equal(got.status, 403 if not allowed else 401 if "*" in options else 200, repr(got))


@case("/metrics as a strict scraper reads it; closes are counted by their code")
async def scraped(_):
    with Server("--max-connections-per-user", "1") as server:
        one = await Snake.open(server, "closes")
        two = await Snake.open(server, "closes")
        await one.closed(4003)
        await two.close()
        four = await Snake.open(server, "closes-4")
        await four.socket.send(b"binary")
        await four.closed(1003)
        got = exposition(curl(server.http("/metrics")).body.decode())
        equal({code: got['presenced_closes_total{code="%s"}' % code] for code in ("1000", "1003", "4003", "1002", "other")},
              {"1000": 1, "1003": 1, "4003": 1, "1002": 0, "other": 0})
        equal((got["presenced_users_known"], got["ws_connections_total"]), (NUMBER, 3))


@case("every answer has the date of this machine's clock (RFC 9110 6.6.1)")
async def dated(server):
    for path, more in [("/live", []), ("/live", ["-I"]), ("/presence", []), ("/a/b/c", []), ("/ws", []), ("/live", ["-X", "OPTIONS"])]:
        got = curl(server.http(path), *more)
        at = email.utils.parsedate_to_datetime(got.headers["date"])
        assert abs(at.timestamp() - time.time()) < 5, repr(got)


@case("keep-alive: several answers on one connection; Connection: close and HTTP/1.0 end it")
async def keep_alive(server):
    with Raw(server.port) as raw:
        for _ in range(3):
            raw.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
            equal(raw.answer()[0], 200)
        raw.send(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        status, head, _ = raw.answer()
        assert status == 200 and "connection: close" in head.lower(), head
        equal(raw.rest(), b"")
    with Raw(server.port, b"GET /live HTTP/1.0\r\n\r\n") as raw:
        assert b" 200 " in raw.rest().split(b"\r\n")[0]


@case("pipelining: 1,000 in one segment, answered in order")
async def pipelining(server):
    head = "".join("%s: %s\r\n" % pair for pair in [("Host", "x")] + service("/p")).encode()
    with Raw(server.port, b"".join(b"GET /p%03d HTTP/1.1\r\n%s\r\n" % (i, head) for i in range(1000))) as raw:
        for i in range(1000):
            status, _, body = raw.answer(10)
            equal((status, json.loads(body)["user_id"]), (200, "p%03d" % i))


@case("Expect: 100-continue gets 100, then the answer")
async def expect(_):
    with Raw(keyed.port, b"PUT /api/v1/presence/u HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
             b"Authorization: Bearer an-api-key-of-this-test\r\nExpect: 100-continue\r\nContent-Length: 24\r\n\r\n") as raw:
        equal(raw.head()[0], 100)
        raw.send(b'{"online_status":"busy"}')
        equal(raw.answer()[0], 200)


@case("admin: stats, connections, kick one (4002), kick a user, drain")
async def admin(_):
    with Server(listen=("", "admin")) as server:
        one, two = await Snake.open(server, "kick-1"), await Snake.open(server, "kick-2")
        stats = curl(server.http("/admin/stats", 1))
        equal(stats.status, 200, repr(stats))
        for name in ("connections", "users", "devices", "rooms", "subscriptions", "calls", "memory", "nodes"):
            assert name in stats.json, "%s in %r" % (name, stats.json)
        assert one.first["payload"]["connection_id"] in curl(server.http("/admin/connections", 1)).body.decode()
        got = curl(server.http("/admin/connections/" + one.first["payload"]["connection_id"], 1), method="DELETE")
        assert got.status in (200, 202, 204), got
        await one.closed(4002)
        assert curl(server.http("/admin/users/kick-2", 1), method="DELETE").status in (200, 202, 204)
        await two.closed(4002)
        equal(curl(server.http("/admin/connections/never", 1), method="DELETE").status, 404)
        three = await Snake.open(server, "drained")
        for method, path in (("POST", "drain"), ("DELETE", "users/drained")):
            equal(curl(server.http("/admin/" + path, 1), *TEXT_BODY, data="x", method=method).status, 415)
        assert curl(server.http("/admin/drain", 1), method="POST").status in (200, 202, 204)
        await three.closed(1001)


@case("the server with a key ends cleanly too")
async def keyed_ends(_):
    equal(keyed.stop(), None)


keyed = Server("--api-key-file", secret.name)
run(Server())
