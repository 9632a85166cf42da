#!/usr/bin/python3
"""Seed 000: its quick reference and every message type it lists, in its own words, with python3-websockets."""
import asyncio, json, os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client, Rooms, Snake
from server import Server
from tap import ANY, NOTHING, NUMBER, TEXT, TIME, case, equal, has, rows, run
from web import curl

# The document's words.
HEADERS = {"X-User-ID": "user-uuid", "X-Device-ID": "device-123"}
PRESENCE_UPDATE = """{
  "type": "presence_update",
  "payload": {
    "online_status": "away",
    "custom_status": "In a meeting"
  }
}"""


def frame(kind, payload):
    return {"type": kind, "payload": payload, "timestamp": TIME}


def shown(user, status, custom=None, metadata=NOTHING, devices=1):
    return frame("presence_update", {"user_id": user, "online_status": status, "custom_status": custom,
                                     "metadata": metadata, "last_seen": ANY, "device_count": devices})


def update(**payload):
    return {"type": "presence_update", "payload": payload}


@case("quick reference: connect, send the presence update, HTTP query")
async def quick_reference(server):
    async with await Snake.open(server, "watcher") as watcher, \
            await Client.connect(server.url("/ws"), HEADERS) as me:
        equal(await me.next(), frame("connection_ack", {"connection_id": TEXT, "user_id": "user-uuid",
                                                        "device_id": "device-123", "heartbeat_interval": 30}))
        await watcher.want(shown("user-uuid", "online"))
        await me.send(PRESENCE_UPDATE)
        await me.want(frame("presence_update_ack", {"user_id": "user-uuid", "online_status": "away",
                                                    "custom_status": "In a meeting"}))
        await me.want(shown("user-uuid", "away", "In a meeting"))
        got = await watcher.want(shown("user-uuid", "away", "In a meeting"))
        equal(got["payload"]["last_seen"], TIME, "last_seen")
        answer = curl(server.http("/user-uuid"))
        equal(answer.status, 200, "status")
        equal(answer.json, {"user_id": "user-uuid", "online_status": "away", "custom_status": "In a meeting",
                            "metadata": NOTHING, "last_seen": TIME, "is_online": True, "device_count": 1})


@rows("answer", [
    ("heartbeat", '{"type":"heartbeat"}', frame("heartbeat_ack", NOTHING)),
    ("heartbeat with a payload", '{"type":"heartbeat","payload":{},"timestamp":"2026-01-14T12:00:00Z"}',
     frame("heartbeat_ack", NOTHING)),
    ("ping", '{"type":"ping"}', frame("pong", NOTHING)),
    ("ping, unknown fields and a silly timestamp", '{"type":"ping","x":[1],"timestamp":"yesterday","payload":{"y":2}}',
     frame("pong", NOTHING)),
    ("subscribe (an extension)", '{"type":"subscribe","payload":{"conversation_id":"c1"}}',
     frame("subscribed", {"conversation_id": "c1"})),
    ("unsubscribe", '{"type":"unsubscribe","payload":{"conversation_id":"c1"}}',
     frame("unsubscribed", {"conversation_id": "c1"})),
    ("presence_update: online", update(online_status="online"),
     frame("presence_update_ack", {"user_id": "row", "online_status": "online", "custom_status": None})),
    ("presence_update: busy", update(online_status="busy"),
     frame("presence_update_ack", {"user_id": "row", "online_status": "busy", "custom_status": None})),
    ("presence_update: dnd", update(online_status="dnd", custom_status="nö 😀"),
     frame("presence_update_ack", {"user_id": "row", "online_status": "dnd", "custom_status": "nö 😀"})),
    ("presence_update: 256 bytes of custom status", update(online_status="online", custom_status="é" * 128),
     frame("presence_update_ack", {"user_id": "row", "online_status": "online", "custom_status": "é" * 128})),
    ("presence_update: custom status cleared", update(online_status="online", custom_status=None),
     frame("presence_update_ack", {"user_id": "row", "online_status": "online", "custom_status": None})),
    ("presence_update: online, metadata of 2 KiB", update(online_status="online", metadata={"k": "v" * 2039}),
     frame("presence_update_ack", {"user_id": "row", "online_status": "online", "custom_status": None})),
])
async def answer(server, message, wanted):
    async with await Snake.open(server, "row") as me:
        await me.ask(message, wanted)


def deep(n):
    return '{"type":"ping","x":' + "[" * (n - 1) + "]" * (n - 1) + "}"


@rows("refused", [
    ("unknown type", '{"type":"dance"}'), ("upper's type", '{"type":"PING"}'), ("no type", '{"payload":{}}'),
    ("type is a number", '{"type":7}'), ("an array", '[{"type":"ping"}]'), ("a string", '"ping"'),
    ("empty message", ""), ("spaces", " " * 1000), ("no JSON", "ping"), ("cut", '{"type":"ping"'),
    ("trailing comma", '{"type":"ping",}'), ("two values", '{"type":"ping"}{"type":"ping"}'),
    ("single quotes", "{'type':'ping'}"), ("a NUL after it", '{"type":"ping"}\0'), ("control byte", '{"type":"pi\x01ng"}'),
    ("duplicate key", '{"type":"ping","type":"ping"}'), ("duplicate key, escaped", '{"type":"ping","\\u0074ype":"ping"}'),
    ("lone surrogate", '{"type":"ping","x":"\\ud800"}'), ("17 deep", deep(17)),
    ("more than 2048 tokens", '{"type":"ping","x":[' + ",".join("0" * 2048) + "]}"),
    ("no payload", '{"type":"presence_update"}'), ("payload is a list", '{"type":"presence_update","payload":[]}'),
    ("unknown status", update(online_status="asleep")), ("status is a number", update(online_status=1)),
    ("status is null", update(online_status=None)),
    ("custom status over 256 bytes", update(online_status="away", custom_status="é" * 128 + "x")),
    ("custom status is a number", update(online_status="away", custom_status=5)),
    ("metadata is a list", update(online_status="away", metadata=[1])),
    ("metadata over 2 KiB", update(online_status="away", metadata={"k": "v" * 2048})),
    ("typing without conversation", '{"type":"typing","payload":{"is_typing":true}}'),
    ("typing without is_typing", '{"type":"typing","payload":{"conversation_id":"c"}}'),
    ("is_typing is text", '{"type":"typing","payload":{"conversation_id":"c","is_typing":"yes"}}'),
    ("recipient_ids is text", '{"type":"typing","payload":{"conversation_id":"c","is_typing":true,"recipient_ids":"b"}}'),
    ("conversation id of 129 bytes", {"type": "subscribe", "payload": {"conversation_id": "c" * 129}}),
    ("empty conversation id", {"type": "subscribe", "payload": {"conversation_id": ""}}),
    ("control character in an id", {"type": "subscribe", "payload": {"conversation_id": "a\nb"}}),
    ("subscribe without conversation", '{"type":"subscribe","payload":{}}'),
])
async def refused_message(server, message):
    async with await Snake.open(server, "bad") as me:
        await me.ask(message, frame("error", {"code": 400, "message": TEXT}))
        await me.sync()


@rows("accepted", [
    ("16 deep", deep(16)), ("2048 tokens", '{"type":"ping","x":[' + ",".join("0" * 2043) + "]}"),
    ("escapes", '{"\\u0074ype":"p\\u0069ng"}'), ("white space", ' \n\t{ "type" : "ping" }\r\n'),
])
async def accepted_message(server, message):
    async with await Snake.open(server, "good") as me:
        await me.ask(message, frame("pong", NOTHING))


@case("typing: to the recipients' devices when given, the sender's other devices not")
async def typing_recipients(server):
    async with await Snake.open(server, "t-ann", "d1") as ann, await Snake.open(server, "t-ann", "d2") as ann2, \
            await Snake.open(server, "t-bob", "b1") as bob, await Snake.open(server, "t-bob", "b2") as bob2, \
            await Snake.open(server, "t-cy") as cy:
        for on in (True, False):
            await ann.send({"type": "typing", "payload": {"conversation_id": "tc", "is_typing": on,
                                                          "recipient_ids": ["t-bob", "nobody", "t-ann"]}})
            await ann.sync()
            for c in (bob, bob2):
                await c.want(frame("typing_indicator", {"conversation_id": "tc", "user_id": "t-ann", "is_typing": on}))
        for c in (ann, ann2, cy):
            await c.quiet(has(type="typing_indicator"))


@case("typing: to the room's subscribers otherwise; unsubscribe ends it")
async def typing_room(server):
    async with await Snake.open(server, "r-ann") as ann, await Snake.open(server, "r-bob") as bob, \
            await Snake.open(server, "r-cy") as cy:
        subscribe = {"type": "subscribe", "payload": {"conversation_id": "rc"}}
        for c in (ann, bob):
            await c.ask(subscribe, frame("subscribed", {"conversation_id": "rc"}))
        typing = {"type": "typing", "payload": {"conversation_id": "rc", "is_typing": True}}
        await ann.send(typing)
        await bob.want(frame("typing_indicator", {"conversation_id": "rc", "user_id": "r-ann", "is_typing": True}))
        await ann.quiet(has(type="typing_indicator"))
        await cy.quiet(has(type="typing_indicator"))
        await bob.want(frame("typing_indicator", {"conversation_id": "rc", "user_id": "r-ann", "is_typing": False}), 4)
        await bob.ask({**subscribe, "type": "unsubscribe"}, frame("unsubscribed", {"conversation_id": "rc"}))
        await ann.send(typing)
        await ann.sync()
        await bob.quiet(has(type="typing_indicator"))


@case("presence reaches every connected client, the sender's other devices and the sender included")
async def everyone(server):
    async with await Snake.open(server, "e-ann", "1") as ann, await Snake.open(server, "e-ann", "2") as ann2, \
            await Snake.open(server, "e-bob") as bob, await Rooms.open(server, "e-cy") as cy:
        await ann.send(update(online_status="busy", custom_status="deep work", metadata={"a": [1.50, "\u00e9", None]}))
        for c in (ann, ann2, bob):
            await c.want(shown("e-ann", "busy", "deep work", {"a": [1.5, "é", None]}, 2))
        await cy.want(has(type="presence", user_id="e-ann", status="busy"))


@case("the same state set again makes no event; absent keeps, null clears; metadata passes unchanged")
async def patches(server):
    async with await Snake.open(server, "p-ann") as ann, await Snake.open(server, "p-bob") as bob:
        raw = '{"b":1e2,"a":1.10,"c":"\\u00e9\\/"}'
        await ann.send('{"type":"presence_update","payload":{"online_status":"busy","custom_status":"x","metadata":%s}}' % raw)
        await bob.want(shown("p-ann", "busy", "x", json.loads(raw)))
        await ann.clear(), await bob.clear()
        await ann.ask(update(online_status="busy", custom_status="x"), has(type="presence_update_ack"))
        await ann.quiet(has(type="presence_update", payload__user_id="p-ann"))
        await bob.quiet(has(type="presence_update", payload__user_id="p-ann"))
        await ann.send(update(online_status="online"))
        await bob.want(shown("p-ann", "online", "x", json.loads(raw)))
        await ann.send(update(online_status="online", custom_status=None, metadata=None))
        await bob.want(shown("p-ann", "online", None, None))


@case("away is the device's: the user is away when all devices are")
async def away(server):
    async with await Snake.open(server, "a-ann", "1") as one, await Snake.open(server, "a-ann", "2") as two, \
            await Snake.open(server, "a-bob") as bob:
        await bob.clear()
        await one.send(update(online_status="away"))
        await one.sync()
        await bob.quiet(has(payload__user_id="a-ann", payload__online_status="away"))
        await two.send(update(online_status="away"))
        await bob.want(shown("a-ann", "away", devices=2))
        await one.send(update(online_status="online"))
        await bob.want(shown("a-ann", "online", devices=2))


@case("busy is the user's: online from any device ends it, away only from the device that set it")
async def busy(server):
    async with await Snake.open(server, "y-ann", "1") as one, await Snake.open(server, "y-ann", "2") as two, \
            await Snake.open(server, "y-bob") as bob:
        await one.send(update(online_status="dnd"))
        await bob.want(shown("y-ann", "dnd", devices=2))
        await two.send(update(online_status="away"))
        await two.sync()
        await bob.quiet(has(payload__user_id="y-ann", payload__online_status="away"))
        equal(curl(server.http("/y-ann")).json["online_status"], "dnd")
        await one.send(update(online_status="away"))
        await bob.want(shown("y-ann", "away", devices=2))
        await one.send(update(online_status="busy"))
        await bob.want(shown("y-ann", "busy", devices=2))
        await two.send(update(online_status="online"))
        await bob.want(shown("y-ann", "online", devices=2))


@case("invisible is offline to others and itself to its user; offline means invisible")
async def invisible(server):
    async with await Snake.open(server, "i-ann", "1") as ann, await Snake.open(server, "i-ann", "2") as ann2, \
            await Snake.open(server, "i-bob") as bob:
        for word in ("invisible", "offline"):
            await ann.send(update(online_status=word))
            await ann2.want(has(type="presence_update", payload__user_id="i-ann", payload__online_status="invisible"))
            await bob.want(has(type="presence_update", payload__user_id="i-ann", payload__online_status="offline",
                               payload__device_count=0))
            equal(curl(server.http("/i-ann")).json["is_online"], False, "REST's is_online")
            equal(curl(server.http("/i-ann")).json["online_status"], "offline", "REST's status")
            equal(curl(server.http("/api/v1/presence/i-ann/devices")).json, {"devices": []}, "REST's devices")
            await ann.send({"type": "typing", "payload": {"conversation_id": "c", "is_typing": True,
                                                          "recipient_ids": ["i-bob"]}})
            await ann.sync()
            await bob.quiet(has(type="typing_indicator"))
            await ann.send(update(online_status="online"))
            await bob.want(has(type="presence_update", payload__user_id="i-ann", payload__online_status="online"))
            await ann.clear(), await ann2.clear(), await bob.clear()


@case("custom_status_expires_at: gone by itself")
async def expiry(server):
    async with await Snake.open(server, "x-ann") as ann, await Snake.open(server, "x-bob") as bob:
        at = time.time() + 0.7
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".%03dZ" % (at % 1 * 1000)
        await ann.send(update(online_status="online", custom_status="lunch", custom_status_expires_at=stamp))
        await bob.want(has(type="presence_update", payload__user_id="x-ann", payload__custom_status="lunch"))
        await bob.want(has(type="presence_update", payload__user_id="x-ann", payload__custom_status=None))
        assert time.time() >= at - 0.05, "too early"


@case("devices: two ids count two, two tabs of one id count one; offline comes once, after the debounce")
async def devices(server):
    async with await Snake.open(server, "d-bob") as bob:
        one, two = await Snake.open(server, "d-ann", "1"), await Snake.open(server, "d-ann", "1")
        three = await Snake.open(server, "d-ann", "2")
        await bob.sync()
        equal(curl(server.http("/d-ann")).json["device_count"], 2, "device_count")
        listed = curl(server.http("/api/v1/presence/d-ann/devices")).json["devices"]
        equal(sorted(d["device_id"] for d in listed), ["1", "1", "2"], "connections listed")
        await bob.clear()
        await one.close(), await two.drop()
        await bob.quiet(has(payload__user_id="d-ann", payload__online_status="offline"))
        await three.close()
        await bob.want(shown("d-ann", "offline", devices=0))
        await bob.quiet(has(payload__user_id="d-ann", payload__online_status="offline"))
        equal(curl(server.http("/d-ann")).json["is_online"], False)


@case("a reload inside the debounce is not seen")
async def reload(server):
    async with await Snake.open(server, "l-bob") as bob:
        ann = await Snake.open(server, "l-ann", "1")
        await bob.clear()
        await ann.drop()
        async with await Snake.open(server, "l-ann", "1"):
            await asyncio.sleep(0.6)  # longer than the debounce: nothing may come of it
            await bob.quiet(has(payload__user_id="l-ann"))


run(Server("--offline-debounce", "400ms", "--presence-rate", "0", "--typing-ttl", "1s", "--message-burst", "1000"))
