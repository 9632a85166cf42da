#!/usr/bin/python3
"""Seed 001: its usage example, its configuration block and every message type of both its tables."""
import asyncio, json, os, sys, tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client, Dotted, Snake, refused
from secure import SECURE
from server import Server
from tap import ANY, NOTHING, TEXT, TIME, case, equal, has, rows, run, same
from web import curl, jwt

# The document's words.
CONFIGURATION = """websocket:
  write_wait: 10s
  pong_wait: 60s
  ping_period: 54s
  read_buffer_size: 1024
  write_buffer_size: 1024
  max_message_size: 10485760  # 10MB
  client_buffer_size: 256
  cleanup_interval: 30s
  stale_connection_timeout: 90s
  register_buffer: 256
  unregister_buffer: 256
  broadcast_buffer: 1024
"""
UUID = "6f1c1a52-3b0e-4b39-9d6e-2b1f0a7c9d11"  # the document's <uuid>
PING = {"id": "msg_1", "type": "ping", "payload": {}, "timestamp": "2026-01-14T12:00:00.123Z"}
SUBSCRIBE = {"id": "msg_2", "type": "subscribe",
             "payload": {"topics": ["conversation", "presence"], "filters": {"conversation_id": "<conv-uuid>"}}}


def frame(kind, payload, reply_to=None):
    return {"id": TEXT, "type": kind, "payload": payload, "timestamp": TIME, **({"reply_to": reply_to} if reply_to else {})}


def ask(kind, payload, id="q"):
    return {"id": id, "type": kind, "payload": payload}


def shown(user, status, custom=None, metadata=NOTHING, devices=1):
    return {"user_id": user, "status": status, "custom_status": custom, "metadata": metadata, "last_seen": ANY,
            "device_count": devices}


async def subscribed(server, user, topics, device=None, **filters):
    me = await Dotted.open(server, user, device)
    got = await me.ask(ask("subscribe", {"topics": topics, "filters": filters}, "s"),
                       has(type="subscribed", reply_to="s"))
    equal(sorted(got["payload"]["topics"]), sorted(topics), "topics")
    return me


@case("usage example: connect, ping, subscribe")
async def usage(server):
    async with await Client.connect(server.url("/ws?user_id=" + UUID)) as me:
        equal(await me.next(), frame("connected", {"connection_id": TEXT, "user_id": UUID, "device_id": TEXT,
                                                   "heartbeat_interval": 30, "session": ANY}))
        await me.ask(PING, frame("pong", NOTHING, "msg_1"))
        got = await me.ask(SUBSCRIBE, has(type="subscribed"))
        equal(got["reply_to"], "msg_2")
        equal(sorted(got["payload"]["topics"]), ["conversation", "presence"])
        assert "<conv-uuid>" in json.dumps(got["payload"]["filters"]), got
        first = await me.want(has(type="presence.update"))
        assert any(same(shown(UUID, "online"), u) for u in first["payload"]["users"]), first


@case("the configuration block works as it stands")
async def configuration(_):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(CONFIGURATION)
        file.flush()
        with Server("--config", file.name) as server:
            async with await Dotted.open(server, UUID) as me:
                await me.ask(PING, frame("pong", NOTHING, "msg_1"))
                big = {**PING, "padding": "x" * 1000000}
                await me.ask(big, frame("pong", NOTHING, "msg_1"))


@case("health endpoints")
async def health(server):
    for path in ("/health", "/live", "/ready"):
        equal(curl(server.http(path)).status, 200, path)


@rows("answer", [
    ("ping without an id", {"type": "ping"}, frame("pong", NOTHING)),
    ("authenticate, of a connection that is somebody's", ask("authenticate", {"token": jwt("row")}),
     frame("auth.success", {"user_id": "row", "expires_at": TIME if SECURE else None}, "q")),
    ("subscribe to presence of some", ask("subscribe", {"topics": ["presence"], "filters": {"user_ids": ["row"]}}),
     frame("presence.update", {"users": [shown("row", "online")]})),
    ("subscribe to conversation, one id", ask("subscribe", {"topics": ["conversation"], "filters": {"conversation_id": "c"}}),
     has(type="subscribed", reply_to="q", payload__topics=["conversation"])),
    ("subscribe to typing, several ids", ask("subscribe", {"topics": ["typing"], "filters": {"conversation_ids": ["c", "d"]}}),
     has(type="subscribed", reply_to="q", payload__topics=["typing"])),
    ("subscribe to user, calls, notifications", ask("subscribe", {"topics": ["user", "calls", "notifications"]}),
     has(type="subscribed", reply_to="q")),
    ("unsubscribe", ask("unsubscribe", {"topics": ["presence"]}),
     has(type="unsubscribed", reply_to="q", payload__topics=["presence"])),
    ("presence.query", ask("presence.query", {"user_ids": ["row", "nobody"]}),
     frame("presence.update", {"users": [shown("row", "online"), shown("nobody", "offline", devices=0)]}, "q")),
    ("presence.query of nobody", ask("presence.query", {"user_ids": []}), frame("presence.update", {"users": []}, "q")),
])
async def answer(server, message, wanted):
    async with await Dotted.open(server, "row") as me:
        await me.ask(message, wanted)


@rows("every request with an id is answered", [
    (kind, kind, payload) for kind, payload in [
        ("presence.update", {"status": "busy"}), ("typing.start", {"conversation_id": "c"}),
        ("typing.stop", {"conversation_id": "c"}), ("mark.read", {"conversation_id": "c", "message_id": "m"}),
        ("mark.delivered", {"conversation_id": "c", "message_ids": ["m", "n"]}),
        ("call.offer", {"call_id": "k1", "target_user_id": "nobody", "sdp": "v=0"}),
        ("call.answer", {"call_id": "k2", "sdp": "v=0"}), ("call.ice", {"call_id": "k3", "candidate": {"a": 1}}),
        ("call.hangup", {"call_id": "k4"})]])
async def answered(server, kind, payload):
    async with await Dotted.open(server, "asker") as me:
        await me.ask(ask(kind, payload, "this-one"), has(reply_to="this-one"))


@rows("error 400", [
    ("unknown type", ask("dance", {})), ("snake's type", ask("heartbeat", {})), ("subscribe without topics", ask("subscribe", {})),
    ("topics is text", ask("subscribe", {"topics": "presence"})), ("unknown topic", ask("subscribe", {"topics": ["weather"]})),
    ("conversation without an id", ask("subscribe", {"topics": ["conversation"]})),
    ("typing without an id", ask("subscribe", {"topics": ["typing"], "filters": {}})),
    ("filters is a list", ask("subscribe", {"topics": ["presence"], "filters": []})),
    ("user_ids of numbers", ask("subscribe", {"topics": ["presence"], "filters": {"user_ids": [1]}})),
    ("presence.update without status", ask("presence.update", {"status": 3})),
    ("presence.query without user_ids", ask("presence.query", {})),
    ("typing.start without conversation", ask("typing.start", {})),
    ("mark.read without message", ask("mark.read", {"conversation_id": "c"})),
    ("call.offer without sdp", ask("call.offer", {"call_id": "k", "target_user_id": "u"})),
    ("call.answer without call_id", ask("call.answer", {"sdp": "x"})),
    ("call.ice without candidate", ask("call.ice", {"call_id": "k"})),
    ("authenticate without token", ask("authenticate", {})),
])
async def refused_message(server, message):
    async with await Dotted.open(server, "bad") as me:
        await me.ask(message, frame("error", {"code": 400, "message": TEXT}, "q"))
        await me.ask("{", frame("error", {"code": 400, "message": TEXT}))
        await me.sync()


@case("presence.online and presence.offline, once each; presence.update to whom the filter covers")
async def presence(server):
    bob = await subscribed(server, "p-bob", ["presence"])
    only_cy = await subscribed(server, "p-eve", ["presence"], user_ids=["p-cy"])
    deaf = await Dotted.open(server, "p-deaf")
    ann = await Dotted.open(server, "p-ann", "phone")
    await bob.want(frame("presence.online", {"user_id": "p-ann", "status": "online", "last_seen": TIME, "device_count": 1}))
    await ann.send(ask("presence.update", {"status": "away", "custom_status": "In a meeting", "metadata": {"x": [1]}}))
    await bob.want(has(type="presence.update", payload=shown("p-ann", "away", "In a meeting", {"x": [1]})))
    await bob.clear()
    await ann.send(ask("presence.update", {"status": "busy"}))
    await bob.want(frame("presence.update", shown("p-ann", "busy", "In a meeting", {"x": [1]})))
    await ann.close()
    await bob.want(frame("presence.offline", {"user_id": "p-ann", "status": "offline", "last_seen": TIME, "device_count": 0}))
    for c in (only_cy, deaf):
        await c.quiet(has(type="presence.online"), has(type="presence.offline"), frame("presence.update", shown("p-ann", ANY, ANY, ANY, ANY)))
    async with await Dotted.open(server, "p-cy"):
        await only_cy.want(has(type="presence.online", payload__user_id="p-cy"))
    await bob.ask(ask("unsubscribe", {"topics": ["presence"]}), has(type="unsubscribed"))
    await bob.clear()
    async with await Dotted.open(server, "p-dan"):
        await bob.quiet(has(type="presence.online"))
    for c in (bob, only_cy, deaf):
        await c.close()


@case("typing.start and typing.stop to the conversation's subscribers but the sender; start ends by itself")
async def typing(server):
    bob = await subscribed(server, "t-bob", ["typing"], conversation_id="tc")
    cy = await subscribed(server, "t-cy", ["conversation"], conversation_ids=["x", "tc"])
    ann = await subscribed(server, "t-ann", ["typing"], conversation_id="tc")
    ann2 = await subscribed(server, "t-ann", ["typing"], "two", conversation_id="tc")
    other = await subscribed(server, "t-dan", ["typing"], conversation_id="elsewhere")
    for kind in ("typing.start", "typing.stop"):
        await ann.send(ask(kind, {"conversation_id": "tc"}))
        for c in (bob, cy):
            await c.want(frame(kind, {"conversation_id": "tc", "user_id": "t-ann"}))
    await ann.send(ask("typing.start", {"conversation_id": "tc"}))
    await bob.want(has(type="typing.start"))
    await bob.want(frame("typing.stop", {"conversation_id": "tc", "user_id": "t-ann"}))
    for c in (ann, ann2, other):
        await c.quiet(frame("typing.start", ANY), frame("typing.stop", ANY))
    for c in (ann, ann2, bob, cy, other):
        await c.close()


@case("mark.read and mark.delivered: message.read and message.delivered to the conversation and the sender's devices")
async def receipts(server):
    bob = await subscribed(server, "m-bob", ["conversation"], conversation_id="mc")
    author, ann = await Dotted.open(server, "m-author"), await Dotted.open(server, "m-ann")
    table = [("mark.read", "message.read", {"message_id": "m1"}, ["m1"]),
             ("mark.delivered", "message.delivered", {"message_ids": ["m1", "m2"]}, ["m1", "m2"])]
    for kind, event, which, ids in table:
        await ann.send(ask(kind, {"conversation_id": "mc", "sender_id": "m-author", **which}))
        for c in (bob, author):
            await c.want(frame(event, {"conversation_id": "mc", "message_ids": ids, "user_id": "m-ann", "at": TIME}))
    await ann.quiet(frame("message.read", ANY), frame("message.delivered", ANY))
    for c in (bob, author, ann):
        await c.close()


@case("a call: offer, answer, ICE both ways, hangup; the callee's other device is told")
async def call(server):
    ann, bob = await Dotted.open(server, "c-ann", "a1"), await Dotted.open(server, "c-bob", "b1")
    bob2, cy = await Dotted.open(server, "c-bob", "b2"), await Dotted.open(server, "c-cy")
    sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n"
    await ann.send(ask("call.offer", {"call_id": "k", "target_user_id": "c-bob", "sdp": sdp}))
    for c in (bob, bob2):
        await c.want(frame("call.incoming", {"call_id": "k", "from_user_id": "c-ann", "from_device_id": "a1"}))
        await c.want(has(type="call.offer", payload__call_id="k", payload__sdp=sdp))
    await bob.send(ask("call.answer", {"call_id": "k", "sdp": "answer"}))
    await ann.want(has(type="call.answer", payload__call_id="k", payload__sdp="answer"))
    await bob2.want(has(type="call.ended", payload__call_id="k", payload__reason="answered_elsewhere"))
    candidate = {"candidate": "candidate:1 1 UDP 1 10.0.0.1 1 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
    for sender, receiver in ((ann, bob), (bob, ann)):
        await sender.send(ask("call.ice", {"call_id": "k", "candidate": candidate}))
        await receiver.want(has(type="call.ice", payload__call_id="k", payload__candidate=candidate))
    await bob.send(ask("call.hangup", {"call_id": "k"}))
    for c in (ann, bob):
        await c.want(has(type="call.ended", payload__call_id="k", payload__reason=TEXT))
    await bob2.quiet(has(type="call.ice"), has(type="call.ended"))
    await cy.quiet(has(type="call.offer"), has(type="call.ended"), has(type="call.incoming"))
    for c in (ann, bob, bob2, cy):
        await c.close()


@case("a call to somebody unknown or offline ends: unavailable")
async def unavailable(server):
    async with await Dotted.open(server, "u-ann") as ann:
        await ann.send(ask("call.offer", {"call_id": "u1", "target_user_id": "nobody", "sdp": "v=0"}))
        await ann.want(has(type="call.ended", payload__call_id="u1", payload__reason="unavailable"))


@case("a call ends when the device in it goes")
async def vanished(server):
    ann, bob = await Dotted.open(server, "v-ann"), await Dotted.open(server, "v-bob")
    await ann.send(ask("call.offer", {"call_id": "v1", "target_user_id": "v-bob", "sdp": "v=0"}))
    await bob.want(has(type="call.incoming"))
    await bob.send(ask("call.answer", {"call_id": "v1", "sdp": "v=0"}))
    await ann.want(has(type="call.answer"))
    await bob.drop()
    await ann.want(has(type="call.ended", payload__call_id="v1"), 3)
    await ann.close()


@case("message.new: a broadcast as other programs send it")
async def broadcast(server):
    async with await Dotted.open(server, "b-ann") as ann, await Dotted.open(server, "b-bob") as bob:
        got = curl(server.http("/api/v1/broadcast"), data={"users": ["b-ann"], "data": {"content": "Hello, world!"}})
        equal((got.status, got.json), (202, {"delivered": 1}))
        await ann.want(frame("message.new", {"content": "Hello, world!"}))
        await bob.quiet(has(type="message.new"))


@case("no identity, the dialect chosen or not: 401 under trust, else authenticate makes one")
async def nobody(server):
    for listener in (0, 1):
        url = server.url("/ws?dialect=dotted", listener)
        if not SECURE:
            await refused(url, 401)
            continue
        async with await Dotted.connect(url) as me:
            await me.want(has(type="connected", payload__user_id=None))
            await me.ask(ask("authenticate", {"token": jwt("late")}), frame("auth.success", {"user_id": "late", "expires_at": TIME}, "q"))
            await me.ask(ask("presence.query", {"user_ids": ["late"]}),
                         frame("presence.update", {"users": [shown("late", "online")]}, "q"))


@case("one change, both dialects: a snake client's status in dotted words")
async def across(server):
    bob = await subscribed(server, "x-bob", ["presence"])
    async with await Snake.open(server, "x-ann") as ann:
        await ann.send({"type": "presence_update", "payload": {"online_status": "dnd"}})
        await bob.want(frame("presence.update", shown("x-ann", "dnd")))
    await bob.close()


run(Server("--offline-debounce", "300ms", "--presence-rate", "0", "--typing-ttl", "700ms", "--message-burst", "1000",
           listen=("", "dialect=dotted")))
