#!/usr/bin/python3
"""CONTRACT 5, one node: the other programs of seeds 002 and 003, played by python3-redis: what they read in Redis, byte for byte, and
what comes of what they publish. (cluster.py has the same for several nodes.)"""
import asyncio, json, os, re, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Dotted, Rooms, Roster, Snake, Upper
from redisd import Redis
from server import Server
from tap import case, equal, has, rows, run
from web import curl

REDIS = Redis()
DEBOUNCE, TTL = 0.3, 3
AT = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"'
UPDATE = r'\{"type":"presence","user_id":"%s","username":"%s","status":"%s","timestamp":' + AT + r'\} ' # the blank: how nodes know each other's from another program's
KEY = r'\{"user_id":"%s","username":"%s","status":"%s","connection_id":%s,"last_seen":' + AT + r'\}'


def key(user):
    return REDIS.command("GET", "presence:" + user)


async def soon(holds, what, seconds=5):
    limit = time.monotonic() + seconds
    while True:
        got = await asyncio.to_thread(holds)
        if got:
            return got
        assert time.monotonic() < limit, "not within %s s: %s" % (seconds, what)
        await asyncio.sleep(0.03)


async def key_is(user, name, status, connection):
    pattern = KEY % (user, name, status, connection)
    await soon(lambda: re.fullmatch(pattern, key(user) or ""), "presence:%s like %s, it is %s" % (user, pattern, key(user)))


def publish(channel, payload):
    REDIS.publish(channel, payload if isinstance(payload, str) else json.dumps(payload))


def say(user, status, **more):
    publish("presence:updates", {"type": "presence", "user_id": user, "username": "Ext", "status": status,
                                 "timestamp": "2025-01-14T12:00:00Z", **more})


async def want(heard, channel, pattern):
    await asyncio.to_thread(heard.want, lambda ch, text: ch == channel and re.fullmatch(pattern, text))


@case("S002 keys and updates: connect, status, second connection, disconnect: byte for byte, as long as the document says")
async def whole_life(server):
    with REDIS.listen("presence:updates") as heard:
        alice = await Rooms.open(server, "user-123", "alice", device="d1")
        await want(heard, "presence:updates", UPDATE % ("user-123", "alice", "online"))
        await key_is("user-123", "alice", "online", '"[0-9a-f]{16}"')
        ttl = REDIS.command("PTTL", "presence:user-123")
        assert 0 < ttl <= TTL * 1000, "TTL %r ms" % ttl
        named = json.loads(key("user-123"))["connection_id"]
        devices = curl(server.http("/api/v1/presence/user-123/devices")).json["devices"]
        equal([d["connection_id"] for d in devices], [named], "the connection that the key names")
        for status in ("away", "busy", "dnd", "online"):
            await alice.send({"type": "status", "status": status})
            await want(heard, "presence:updates", UPDATE % ("user-123", "alice", status))
            await key_is("user-123", "alice", status, '"%s"' % named)
        other = await Rooms.open(server, "user-123", "alice", device="d2")
        await alice.close()
        rest = [d["connection_id"] for d in curl(server.http("/api/v1/presence/user-123/devices")).json["devices"]]
        await key_is("user-123", "alice", "online", '"%s"' % rest[-1])
        await other.close()
        await want(heard, "presence:updates", UPDATE % ("user-123", "alice", "offline"))
        await key_is("user-123", "alice", "offline", "null")
    said = [json.loads(text)["status"] for _, text in heard.heard if '"user-123"' in text]
    equal(said, ["online", "away", "busy", "dnd", "online", "offline"], "each change once")
    await soon(lambda: key("user-123") is None, "the key that says offline ends", TTL + 2)


@case("C5 a key is there for as long as its user is, and costs one command in half its TTL")
async def kept_fresh(server):
    async with await Rooms.open(server, "fresh") as _:
        await key_is("fresh", "fresh", "online", '"[0-9a-f]{16}"')
        with REDIS.monitor() as seen:
            limit = time.monotonic() + 2.5 * TTL
            while time.monotonic() < limit:
                assert key("fresh"), "the key is gone"
                await asyncio.sleep(0.1)
        written = [rest for name, rest in seen.commands if name in ("SET", "PSETEX", "SETEX") and "presence:fresh " in rest]
        assert 3 <= len(written) <= 6, "written %d times in %.1f s" % (len(written), 2.5 * TTL)


@case("C2 invisible: Redis says offline, and nothing of connections or typing")
async def invisible(server):
    with REDIS.listen("presence:updates", "ws.client.ready") as heard:
        me = await Rooms.open(server, "ghost")
        await me.ask({"type": "subscribe", "channel_id": "g"}, has(type="subscribed"))
        await me.send({"type": "status", "status": "invisible"})
        await want(heard, "presence:updates", UPDATE % ("ghost", "ghost", "offline"))
        await key_is("ghost", "ghost", "offline", "null")
        since = len(heard.heard)
        second = await Rooms.open(server, "ghost")
        await me.send({"type": "typing", "channel_id": "g"})
        await me.sync()
        await asyncio.sleep(0.3)
        equal([text for _, text in heard.heard[since:] if "ghost" in text], [], "said of who is invisible")
        equal(REDIS.keys("typing:g:*"), [])
        await me.close(), await second.close()


@case("S002 typing:{room}:{user} is the username, and gone at the stop")
async def typing(server):
    me = await Dotted.open(server, "typist")
    payload = {"conversation_id": "room:%s"}
    await me.ask({"id": "1", "type": "subscribe", "payload": {"topics": ["conversation"], "filters": payload}}, has(type="subscribed"))
    await me.send({"id": "2", "type": "typing.start", "payload": payload})
    await soon(lambda: REDIS.command("GET", "typing:room:%s:typist") == "typist", "written")
    assert 0 < REDIS.command("PTTL", "typing:room:%s:typist") <= 2000
    await me.send({"id": "3", "type": "typing.stop", "payload": payload})
    await soon(lambda: REDIS.command("GET", "typing:room:%s:typist") is None, "gone")
    await me.close()


@case("S003 events: ready, disconnected, the users online")
async def events(server):
    with REDIS.listen("ws.client.ready", "ws.client.disconnected", "presence.user.online") as heard:
        me = await Roster.open(server, "user@example.com", "abc123")
        client = r'\{"user_id":"user@example\.com","client_id":"abc123","timestamp":' + AT + r'\}'
        await want(heard, "ws.client.ready", client)
        await want(heard, "presence.user.online", r'\{"type":"presence\.user\.online","users":\[(.*,)?"user@example\.com"(,.*)?\]\}')
        await me.close()
        await want(heard, "ws.client.disconnected", client)
        await want(heard, "presence.user.online", r'\{"type":"presence\.user\.online","users":\[((?!user@).)*\]\}')


@case("C5 believed: in every dialect, in REST; its own key is left alone; taken over by a connection here")
async def believed(server):
    REDIS.command("SET", "presence:ext", "theirs", "EX", 100)
    clients = [await Rooms.open(server, "b-rooms"), await Snake.open(server, "b-snake"), await Upper.open(server, "b-upper")]
    shown = [lambda s: has(type="presence", user_id="ext", username="Ext", status=s),
             lambda s: has(type="presence_update", payload__user_id="ext", payload__online_status=s),
             lambda s: has(type="PRESENCE_UPDATE", userId="ext", payload__status=s)]
    for status in ("online", "away", "busy", "online", "offline"):
        say("ext", status)
        for client, message in zip(clients, shown):
            await client.want(message(status))
        equal(curl(server.http("/presence/ext")).json["status"], status)
    equal(key("ext"), "theirs")
    say("ext", "online")
    await clients[0].want(shown[0]("online"))
    ours = await Rooms.open(server, "ext", "Ext")
    await key_is("ext", "Ext", "online", '"[0-9a-f]{16}"')
    say("ext", "offline")
    await asyncio.sleep(2 * DEBOUNCE)
    equal(curl(server.http("/presence/ext")).json["status"], "online", "a node knows its own")
    await ours.close()
    await clients[0].want(shown[0]("offline"))
    await key_is("ext", "Ext", "offline", "null")
    for client in clients:
        await client.close()


@case("C5 believed: what is not repeated for presence-ttl fades")
async def fading(server):
    async with await Rooms.open(server, "f-watch") as watch:
        say("fader", "online")
        await watch.want(has(type="presence", user_id="fader", status="online"))
        start = time.monotonic()
        await watch.want(has(type="presence", user_id="fader", status="offline"), 3 * TTL)
        assert TTL - 0.5 <= time.monotonic() - start <= 2 * TTL + 1.5, "after %.1f s" % (time.monotonic() - start)


DATA = {"message_id": "msg-456", "content": "Hello, world!", "user_id": "user-123", "channel_id": "channel_general"}


@rows("message:broadcast", [
    ("the document's message, to a room", {"room_id": "mb"}, {"type": "message", "data": DATA}, "message", DATA),
    ("to users", {"user_ids": ["m-rooms", "nobody"]}, {"type": "message", "data": DATA}, "message", DATA),
    ("the unused one null", {"room_id": "mb", "user_ids": None}, {"type": "message", "data": 7}, "message", 7),
    ("another type", {"room_id": "mb"}, {"type": "reaction", "data": {"emoji": "x"}}, "reaction", {"emoji": "x"}),
    ("another type without data: the object is the data", {"room_id": "mb"}, {"type": "pin", "n": 1}, "pin", {"type": "pin", "n": 1}),
    ("no type: the object is the data", {"room_id": "mb"}, {"text": "%s\u20ac"}, "message", {"text": "%s\u20ac"}),
])
async def broadcast(server, whom, message, type, data):
    async with await Rooms.open(server, "m-rooms") as me:
        await me.ask({"type": "subscribe", "channel_id": "mb"}, has(type="subscribed"))
        publish("message:broadcast", {**whom, "message": message})
        await me.want({"type": type, "data": data})


@case("R16 hostile payloads: ignored and counted, nothing is told, the next good one works")
async def hostile(server):
    updates = ["", "{", "[]", "null", '{"type":"presence"}', '{"type":"presence","user_id":"","status":"online"}',
               '{"type":"presence","user_id":"a\\u0000b","status":"online"}', '{"type":"presence","user_id":"h","status":"%n%s"}',
               '{"type":"presence","user_id":"h","user_id":"h","status":"online"}', "[" * 100000,
               '{"type":"presence","user_id":"%s","status":"online"}' % ("h" * 129), "x" * 1000000]
    casts = ["", '{"message":{}}', '{"room_id":"hr"}', '{"room_id":"hr","message":"m"}', '{"room_id":"hr","user_ids":["h-me"],"message":{}}',
             '{"room_id":"hr","message":{"type":"presence","data":{}}}', '{"room_id":"hr","message":{"type":"presenc\\u0065","data":{}}}',
             '{"user_ids":"h-me","message":{}}', '{"user_ids":["h-me",1],"message":{}}',
             '{"room_id":"hr","message":{"data":"%s"}}' % ("x" * 70000)]
    async with await Rooms.open(server, "h-me") as me:
        await me.ask({"type": "subscribe", "channel_id": "hr"}, has(type="subscribed"))
        await me.clear()
        for payload in updates:
            publish("presence:updates", payload)
        for payload in casts:
            publish("message:broadcast", payload)
        with REDIS.client(decode_responses=False) as c:
            c.publish("presence:updates", b'{"type":"presence","user_id":"\xff","status":"online"}')
        publish("message:broadcast", {"room_id": "hr", "message": {"type": "message", "data": "good"}})
        await me.want({"type": "message", "data": "good"})
        await me.quiet(has(type="message"), has(type="presence"))


@case("R11 FLUSHALL: the keys are there again within a few beats, and nobody here notices")
async def flushed(server):
    async with await Rooms.open(server, "fl-ann", "Ann") as ann:
        await key_is("fl-ann", "Ann", "online", '"[0-9a-f]{16}"')
        await ann.clear()
        REDIS.command("FLUSHALL")
        await soon(lambda: key("fl-ann"), "written anew", 6)
        await key_is("fl-ann", "Ann", "online", '"[0-9a-f]{16}"')
        await ann.quiet(has(type="presence", user_id="fl-ann"))


@case("R12 Redis gone and back, empty: what is so then is in it, once and right")
async def restarted(server):
    async with await Rooms.open(server, "rs-ann", "Ann") as ann, await Rooms.open(server, "rs-bob") as bob:
        await key_is("rs-ann", "Ann", "online", '"[0-9a-f]{16}"')
        REDIS.kill()
        for status in ("away", "busy", "online", "dnd"):
            await ann.send({"type": "status", "status": status})
        await bob.want(has(type="presence", user_id="rs-ann", status="dnd"))
        await asyncio.sleep(1)
        REDIS.start()
        await soon(lambda: re.fullmatch(KEY % ("rs-ann", "Ann", "dnd", '"[0-9a-f]{16}"'), key("rs-ann") or ""), "the newest state", 10)


run(Server("--redis-url", REDIS.url, "--offline-debounce", "%dms" % (DEBOUNCE * 1000), "--presence-ttl", "%ds" % TTL,
           "--typing-ttl", "2s", "--presence-rate", "0"))
