#!/usr/bin/python3
"""Seed 004: every message, end point, error code and metric of the document, in its own words."""
import asyncio, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client, Snake, Upper, refused
from secure import SECURE
from server import Raw, Server, masked, upgrade
from tap import ANY, NOTHING, NUMBER, TEXT, TIME, case, equal, has, rows, run
from web import curl

STAMP = '"timestamp": "2024-12-18T10:00:00Z"'
DISCONNECT = '{\n  "type": "DISCONNECT",\n  %s\n}' % STAMP
HEARTBEAT = '{\n  "type": "HEARTBEAT",\n  %s\n}' % STAMP
HEARTBEAT_ACK = {"type": "HEARTBEAT_ACK", "timestamp": TIME}
UPDATE = """{
  "type": "PRESENCE_UPDATE",
  "payload": {
    "status": "%s",
    "metadata": {
    }
  },
  "timestamp": "2024-12-18T10:00:00Z"
}"""
FLUTTER = '{"type":"PRESENCE_UPDATE","payload":{"status":"%s"},"timestamp":"2024-12-18T10:00:00.000"}'


def shown(user, status, metadata=ANY):
    return has(type="PRESENCE_UPDATE", userId=user, payload__status=status, timestamp=TIME,
               **({} if metadata is ANY else {"payload__metadata": metadata}))


def error(code):
    return {"type": "ERROR", "payload": {"code": code, "message": TEXT}, "timestamp": TIME}


@case("CONNECT on connect, at ws://your-domain:3000?userId={userId}")
async def connect(server):
    for url in (server.url("?userId=user123"), server.url("/?userId=user123"),
                server.url("/ws?userId=user123")):
        async with await Client.connect(url) as me:
            equal(await me.next(), {"type": "CONNECT", "userId": "user123", "timestamp": TIME})


@case("DISCONNECT closes 1000")
async def disconnect(server):
    me = await Upper.open(server, "user123")
    await me.send(DISCONNECT)
    await me.closed(1000)


@case("HEARTBEAT is answered by HEARTBEAT_ACK")
async def heartbeat(server):
    async with await Upper.open(server, "user123") as me:
        await me.ask(HEARTBEAT, HEARTBEAT_ACK)
        await me.ask('{"type":"HEARTBEAT"}', HEARTBEAT_ACK)


@rows("PRESENCE_UPDATE, to every connected client", [
    ("away", UPDATE % "away", "away"), ("busy", UPDATE % "busy", "busy"), ("online", UPDATE % "online", "online"),
    ("as the Flutter example sends it", FLUTTER % "away", "away"), ("dnd reads busy", UPDATE % "dnd", "busy"),
])
async def update(server, message, status):
    async with await Upper.open(server, "user123") as me, await Upper.open(server, "other") as other:
        await me.send(FLUTTER % ("online" if status != "online" else "busy"))
        await me.clear(), await other.clear()
        await me.send(message)
        for c in (me, other):
            await c.want(shown("user123", status))


@case("metadata goes with it, unchanged")
async def metadata(server):
    async with await Upper.open(server, "meta") as me, await Upper.open(server, "other") as other:
        given = {"device": "mobile", "n": [1, 2.5, None, {"x": "é"}]}
        await me.send({"type": "PRESENCE_UPDATE", "payload": {"status": "busy", "metadata": given}})
        for c in (me, other):
            await c.want(shown("meta", "busy", given))


@case("others see a user come and go")
async def come_and_go(server):
    async with await Upper.open(server, "other") as other:
        async with await Upper.open(server, "visitor"):
            await other.want(shown("visitor", "online"))
        await other.want(shown("visitor", "offline"))


@rows("ERROR", [
    ("unknown type", '{"type":"DANCE"}'), ("lower case", '{"type":"heartbeat"}'), ("no type", "{}"), ("no JSON", "{"),
    ("empty", ""), ("no payload", '{"type":"PRESENCE_UPDATE"}'),
    ("no status", '{"type":"PRESENCE_UPDATE","payload":{}}'),
    ("status of no kind", UPDATE % "asleep"), ("metadata is text", '{"type":"PRESENCE_UPDATE","payload":{"status":"away","metadata":"x"}}'),
    ("the sample with its comment", (UPDATE % "online").replace("{\n    }", "{\n // Optional custom metadata\n }")),
])
async def errors(server, message):
    async with await Upper.open(server, "bad") as me:
        await me.ask(message, error(400))
        await me.ask(HEARTBEAT, HEARTBEAT_ACK)


@case("missing userId: accepted and closed 1002 on /, 401 on /ws; where tokens are wanted, 401 on both")
async def missing(server):
    for url in (server.url(""), server.url("/?x=1")):
        if SECURE:
            await refused(url, 401)
            continue
        me = await Client.connect(url)
        await me.closed(1002)
    await refused(server.url("/ws"), 401)


@rows("an invalid userId is rejected", [
    ("129 bytes", "x" * 129), ("a control character", "a%0Ab"), ("a NUL", "a%00"), ("not UTF-8", "%ff"),
    ("a bad escape", "%zz"), ("overlong", "%c0%af"),
])
async def invalid(server, user):
    with Raw(server.port, upgrade("/?userId=" + user)) as raw:
        status, head = raw.head()
        equal(status, 400, head)


@case("an empty userId is a missing one")
async def empty(server):
    with Raw(server.port, upgrade("/?userId=")) as raw:
        status, head = raw.head()
        assert status == (401 if SECURE else 400) or status == 101 and not SECURE and raw.frames_until_close()[1] == 1002, head


@case("missing heartbeat: terminated after the time-out, twice the interval; a pong is a sign of life")
async def timeout(_):
    with Server("--heartbeat-interval", "1s", "--offline-debounce", "100ms") as server:
        async with await Upper.open(server, "lively") as lively:  # answers pings, says nothing
            with Raw(server.port, upgrade("/?userId=silent")) as raw:
                assert raw.head()[0] == 101
                seen, code = await asyncio.to_thread(raw.frames_until_close, 5)
                equal(code, 4000)
                assert any(first & 15 == 9 for first, _ in seen), "it was never pinged"
            await lively.want(shown("silent", "offline"))


@case("GET /health: OK on an upper listener")
async def health(server):
    got = curl(server.http("/health", 1)).json
    equal((got["status"], got["timestamp"]), ("OK", TIME))
    equal(got["uptime"], NUMBER)
    equal(curl(server.http("/health")).json["status"], "healthy")


@case("GET /metrics: every name, with its type")
async def metrics(server):
    async with await Upper.open(server, "user123") as me:
        await me.ask(HEARTBEAT, HEARTBEAT_ACK)
        answer = curl(server.http("/metrics"))
        assert answer.headers["content-type"].startswith("text/plain"), answer.headers
        text = answer.body.decode()
        for name, kind in [("ws_connections_total", "counter"), ("ws_connections_current", "gauge"),
                           ("ws_messages_total", "counter"), ("ws_errors_total", "counter"), ("ws_clients_current", "gauge"),
                           ("ws_message_size_bytes", "histogram"), ("ws_latency_seconds", "histogram")]:
            assert "# TYPE %s %s\n" % (name, kind) in text, name
            sample = name + ("_count" if kind == "histogram" else "")
            line = [l for l in text.splitlines() if l.startswith(sample) and l[len(sample)] in " {"]
            assert line and float(line[0].split()[-1]) >= 0, name
        assert "\nws_connections_current 1\n" in text and "\nws_clients_current 1\n" in text, text[:2000]
        assert 'ws_message_size_bytes_bucket{le="+Inf"}' in text


run(Server("--offline-debounce", "100ms", "--presence-rate", "0", listen=("", "dialect=upper")))
