#!/usr/bin/python3
"""Seed 002: its environment, every message and REST answer of the document, and its automated sequence."""
import asyncio, json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client, Rooms, refused
from server import Server
from tap import ANY, NUMBER, TEXT, TIME, case, equal, has, rows, run, same
from web import curl, jwt

ENVIRONMENT = dict(SERVICE_NAME="presence", LOG_LEVEL="INFO", WS_HEARTBEAT_INTERVAL="30", WS_PRESENCE_TTL="300",
                   WS_TYPING_TTL="5")
SUBSCRIBE = """{
  "type": "subscribe",
  "channel_id": "channel_general"
}"""
SUBSCRIBE_DM = """{
  "type": "subscribe",
  "dm_id": "dm_123"
}"""
UNSUBSCRIBE = """{
  "type": "unsubscribe",
  "channel_id": "channel_general"
}"""
TYPING = """{
  "type": "typing",
  "channel_id": "channel_general"
}"""
PING = """{
  "type": "ping"
}"""
SUBSCRIBED = {"type": "subscribed", "channel_id": "channel_general", "dm_id": None}
UNSUBSCRIBED = {"type": "unsubscribed", "channel_id": "channel_general"}
PRESENCE = {"type": "presence", "user_id": "user-123", "username": "alice", "status": "online", "timestamp": TIME}
TYPED = {"type": "typing", "channel_id": "channel_general", "dm_id": None, "user_id": "user-123", "username": "alice"}
PONG = {"type": "pong", "timestamp": TIME}


def error(code):
    return {"type": "error", "error": TEXT, "code": code}


async def alice(server, **claims):
    return await Client.connect(server.url("/ws?token=" + jwt("user-123", "alice", **claims)))


@case("connect with a token: presence goes to every connected client")
async def connect(server):
    async with await Rooms.open(server, "w1") as watcher:
        async with await alice(server):
            await watcher.want(PRESENCE)
        await watcher.want({**PRESENCE, "status": "offline"})


@case("Authorization: Bearer carries the token as well")
async def bearer(server):
    async with await Rooms.open(server, "w2") as watcher:
        headers = {"Authorization": "Bearer " + jwt("user-124", "bea")}
        async with await Client.connect(server.url("/ws"), headers):
            await watcher.want({**PRESENCE, "user_id": "user-124", "username": "bea"})


@case("rooms claim: a room that it does not cover is 403, for sending too")
async def claim(server):
    async with await alice(server, rooms=["general", "team-*"]) as me:
        for room in ("general", "team-7"):
            await me.send({"type": "subscribe", "channel_id": room})
            await me.want({"type": "subscribed", "channel_id": room, "dm_id": None})
        await me.send({"type": "subscribe", "channel_id": "other"})
        await me.want(error(403))
        await me.send({"type": "typing", "dm_id": "generals"})
        await me.want(error(403))


@rows("message", [
    ("subscribe to a channel", [SUBSCRIBE], SUBSCRIBED),
    ("subscribe to a DM", [SUBSCRIBE_DM], {"type": "subscribed", "channel_id": None, "dm_id": "dm_123"}),
    ("unsubscribe", [SUBSCRIBE, UNSUBSCRIBE], UNSUBSCRIBED),
    ("unsubscribe from a DM", [SUBSCRIBE_DM, '{"type":"unsubscribe","dm_id":"dm_123"}'],
     {"type": "unsubscribed", "dm_id": "dm_123"}),
    ("ping", [PING], PONG),
    ("typing has no answer", [SUBSCRIBE, TYPING, PING], PONG),
    ("invalid type", ['{"type":"nonsense"}'], error(400)),
    ("no type", ["{}"], error(400)), ("no JSON", ["hello"], error(400)), ("empty", [""], error(400)),
    ("subscribe to nothing", ['{"type":"subscribe"}'], error(400)),
    ("channel_id is a number", ['{"type":"subscribe","channel_id":5}'], error(400)),
    ("channel_id is empty", ['{"type":"subscribe","channel_id":""}'], error(400)),
    ("channel_id of 129 bytes", [json.dumps({"type": "subscribe", "channel_id": "c" * 129})], error(400)),
    ("typing nowhere", ['{"type":"typing"}'], error(400)),
    ("status of no kind", ['{"type":"status","status":"asleep"}'], error(400)),
])
async def message(server, sent, wanted):
    async with await alice(server) as me:
        for text in sent:
            await me.send(text)
        await me.want(wanted)
        await me.ask(PING, PONG)


@case("typing goes to the room's other subscribers, both keys in it")
async def typing(server):
    async with await alice(server) as me, await Rooms.open(server, "bob") as bob, \
            await Rooms.open(server, "cy") as cy:
        await me.ask(SUBSCRIBE, SUBSCRIBED)
        await bob.ask(SUBSCRIBE, SUBSCRIBED)
        await me.send(TYPING)
        await bob.want(TYPED)
        await me.ask(SUBSCRIBE_DM, has(type="subscribed"))
        await bob.ask(SUBSCRIBE_DM, has(type="subscribed"))
        await me.send('{"type":"typing","dm_id":"dm_123"}')
        await bob.want({**TYPED, "channel_id": None, "dm_id": "dm_123"})
        me.alive = Rooms.alive
        await me.quiet(has(type="typing")), await cy.quiet(has(type="typing"))
        await bob.ask(UNSUBSCRIBE, UNSUBSCRIBED)
        await me.send(TYPING)
        await me.sync()
        await bob.quiet(has(type="typing"))


@case("a missing username is the user id")
async def nameless(server):
    async with await Rooms.open(server, "w3") as watcher, await Rooms.open(server, "no-name"):
        await watcher.want({**PRESENCE, "user_id": "no-name", "username": "no-name"})


@case("status, an extension")
async def status(server):
    async with await Rooms.open(server, "w4") as watcher, await alice(server) as me:
        for word in ("away", "busy", "dnd", "online"):
            await me.send(json.dumps({"type": "status", "status": word, "custom_status": "In a meeting"}))
            await watcher.want({**PRESENCE, "status": word})
        await me.send('{"type":"status","status":"invisible"}')
        await watcher.want({**PRESENCE, "status": "offline"})


@case("message broadcast")
async def broadcast(server):
    data = {"message_id": "msg-456", "content": "Hello, world!", "user_id": "user-123", "channel_id": "channel_general"}
    async with await alice(server) as me, await Rooms.open(server, "bob") as bob:
        await me.ask(SUBSCRIBE, SUBSCRIBED)
        got = curl(server.http("/api/v1/broadcast"), data={"room": "channel_general", "data": data})
        equal((got.status, got.json), (202, {"delivered": 1}))
        await me.want({"type": "message", "data": data})
        await bob.quiet(has(type="message"))


@rows("not let in", [
    ("no identity", "/ws", 401), ("an empty token", "/ws?token=", 401), ("no token at all", "/ws?token=rubbish", 401),
    ("two parts", "/ws?token=" + jwt("a").rpartition(".")[0], 401),
    ("a differing user id", "/ws?user_id=eve&token=" + jwt("user-123"), 400),
])
async def not_let_in(server, path, status):
    await refused(server.url(path), status)


@case("automated test: the seven steps")
async def automated(server):
    async with await alice(server) as me:
        await me.ask('{"type":"subscribe","channel_id":"general"}', {**SUBSCRIBED, "channel_id": "general"})
        await me.send('{"type":"typing","channel_id":"general"}')
        for _ in range(3):
            await me.ask(PING, PONG)
        await me.ask('{"type":"subscribe","channel_id":"random"}', {**SUBSCRIBED, "channel_id": "random"})
        await me.ask('{"type":"unsubscribe","channel_id":"general"}', {**UNSUBSCRIBED, "channel_id": "general"})
        await me.ask('{"type":"subscribe","dm_id":"dm_1"}', {"type": "subscribed", "channel_id": None, "dm_id": "dm_1"})
        await me.ask('{"type":"unsubscribe","dm_id":"dm_1"}', {"type": "unsubscribed", "dm_id": "dm_1"})


@case("REST: health, one user's presence, everybody's")
async def rest(server):
    async with await alice(server) as me, await Rooms.open(server, "user-456", "bob") as bob:
        await me.send('{"type":"status","status":"online"}')  # an earlier case left alice invisible
        me.alive = Rooms.alive
        await me.sync()
        await bob.send('{"type":"status","status":"away"}')
        await bob.sync()
        equal(curl(server.http("/health")).json, {"status": "healthy", "service": "presence", "active_connections": 2,
                                                  "timestamp": TIME, "uptime": NUMBER})
        one = {"user_id": "user-123", "username": "alice", "status": "online", "last_seen": TIME}
        two = {"user_id": "user-456", "username": "bob", "status": "away", "last_seen": TIME}
        equal(curl(server.http("/presence/user-123")).json, one)
        got = curl(server.http("/presence")).json
        equal(got, {"users": ANY, "count": len(got["users"])})
        for user in (one, two):
            assert any(same(user, u) for u in got["users"]), got
        equal(curl(server.http("/presence/never-seen")).json,
              {"user_id": "never-seen", "status": "offline", "last_seen": None})
    gone = {"user_id": "user-456", "username": "bob", "status": "offline", "last_seen": TIME}
    for _ in range(50):
        got = curl(server.http("/presence/user-456")).json
        if same(gone, got):
            break
        await asyncio.sleep(0.1)
    equal(got, gone, "one who was seen")


@case("metrics: every name of the document")
async def metrics(server):
    text = curl(server.http("/metrics")).body.decode()
    for name in ("ws_connections_active", "ws_connections_total", "ws_messages_sent", "ws_messages_received",
                 "ws_errors_total"):
        assert "\n" + name + " " in text, name


run(Server("--offline-debounce", "100ms", "--presence-rate", "0", env=ENVIRONMENT))
