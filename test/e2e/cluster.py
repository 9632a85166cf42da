#!/usr/bin/python3
"""CONTRACT 5: several presenced on one Redis behave as one server. Two nodes, a and b, of which clients know nothing; the cases of
five_dialects.py with everybody on one or the other; other programs of seed 002 on the same Redis."""
import asyncio, json, os, sys, time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib")]
from checker import Truth, Watcher, check, settled
from client import Dotted, Rooms, Roster, Snake, Upper
from cluster import ALONE, Cluster, Spread
from redisd import Redis
from tap import ANY, CASES, Any, TEXT, TIME, case, equal, has, rows, run, same, soon
from web import curl, exposition
sys.path.append(HERE)
import five_dialects

V1 = "/api/v1/presence/"
DEBOUNCE = 0.3
# The cases of five_dialects.py are those of one server; here it is two.
CASES[:] = [("5 across nodes: " + name, f) for name, f in CASES]
FIVE = {f for _, f in CASES}


def ask(kind, payload, id="q"):
    return {"id": id, "type": kind, "payload": payload}


async def subscribed(node, user, topics, device=None, **filters):
    me = await Dotted.open(node, user, device)
    await me.ask(ask("subscribe", {"topics": topics, "filters": filters}, "s"), has(type="subscribed", reply_to="s"))
    return me


async def room(cls, node, user, name, device=None):
    """Connected, and in the room."""
    me = await cls.open(node, user, device=device)
    if cls is Dotted:
        await me.ask(ask("subscribe", {"topics": ["conversation", "typing"], "filters": {"conversation_id": name}}), has(type="subscribed"))
    elif cls is Snake:
        await me.ask({"type": "subscribe", "payload": {"conversation_id": name}}, has(type="subscribed"))
    else:
        await me.ask({"type": "subscribe", "channel_id": name}, has(type="subscribed", channel_id=name))
    return me


async def nothing(client, *kinds):
    """Of these types nothing has come, but answers to its own requests."""
    await client.quiet(*[Any(kind, lambda m, kind=kind: same(has(type=kind), m) and "reply_to" not in m) for kind in kinds])


async def heard_of():
    """That somebody is in a room now has come to the other nodes."""
    await asyncio.sleep(0.2)


async def close(*clients):
    await asyncio.gather(*[c.close() for c in clients])


def of(user, status, **more):
    """What a snake client is shown of somebody."""
    return has(type="presence_update", payload__user_id=user, payload__online_status=status,
               **{"payload__" + name: value for name, value in more.items()})


async def watched(c, user, function, kinds=("snake", "dotted", "rooms", "upper")):
    """Runs function(truth) while watchers on both nodes record; what they saw of the user must be the truth."""
    truth, watchers = Truth(), []
    try:
        for i, node in enumerate((c[0], c[1])):
            for kind in kinds:
                watchers.append(await Watcher("w-%s-%s-%d" % (user, kind, i), kind).connect(node))
        await function(truth)
        streams = [w.stream for w in watchers]
        await settled(truth, streams, 8)
        await asyncio.sleep(0.1)
        check(truth, streams, DEBOUNCE, lag=5)
        untold = [(s.name, u) for s in streams for u in truth.spans if not any(e.user == u or e.user is None and u in e.state for e in s.events)]
        assert not untold, "were told nothing of these: %r" % untold[:5]
        return streams
    finally:
        await close(*watchers)


def shows(streams, user):
    """How often each was shown something of the user."""
    return [len([e for e in s.events if e.user == user]) for s in streams]


def with_redis(name):
    """A case that has nothing to look at without one."""
    return (lambda function: function) if ALONE else case(name)


# --- presence ---

@case("5 P2 each node's users are seen on the other, in every dialect, once each: online, statuses, offline")
async def both_ways(c):
    async def life(truth):
        began = time.monotonic()
        one, two = await Snake.open(c[0], "bw-ann"), await Snake.open(c[1], "bw-bob")
        truth.came("bw-ann", began)
        truth.came("bw-bob", began)
        for status in ("busy", "away", "online", "dnd"):
            for user, client in (("bw-ann", one), ("bw-bob", two)):
                truth.put(user, status=status, custom="as " + status)
                await client.send({"type": "presence_update", "payload": {"online_status": status, "custom_status": "as " + status}})
            await asyncio.sleep(0.15)
        await asyncio.sleep(0.8)  # a roster is told once a second
        truth.went("bw-ann")
        await one.close()
    await watched(c, "both", life, ("snake", "dotted", "rooms", "upper", "roster"))


@case("P5 5 a user on two nodes: two devices everywhere; one goes: no event; the other goes: offline, once")
async def two_devices(c):
    async def life(truth):
        one = await Snake.open(c[0], "dev-ann", "phone")
        truth.came("dev-ann", time.monotonic() - 1)
        two = await Snake.open(c[1], "dev-ann", "laptop")
        truth.came("dev-ann", time.monotonic() - 1)
        for node in (c[0], c[1]):
            await soon(lambda: node.get("/dev-ann")["device_count"], 2, "device_count at " + node.name)
            got = await soon(lambda: sorted(d["device_id"] for d in node.get(V1 + "dev-ann/devices")["devices"]), ["laptop", "phone"])
            by = {d["device_id"]: d for d in node.get(V1 + "dev-ann/devices")["devices"]}
            equal([by[d]["connection_id"] for d in got], [x.first["payload"]["connection_id"] for x in (two, one)], "connection ids")
            equal(by["phone"], {"device_id": "phone", "connection_id": TEXT, "dialect": "snake", "connected_at": TIME, "last_seen": TIME})
        await one.drop()
        for node in (c[0], c[1]):
            await soon(lambda: node.get("/dev-ann")["device_count"], 1, "device_count at " + node.name)
        await asyncio.sleep(DEBOUNCE * 2)
        equal([node.get("/dev-ann")["is_online"] for node in (c[0], c[1])], [True, True])
        truth.went("dev-ann")
        truth.went("dev-ann")
        await two.drop()
    equal(shows(await watched(c, "dev", life), "dev-ann"), [2] * 8, "events shown to each")


@case("P1 the debounce holds across nodes: gone from one, back on another; and there before gone here: no event")
async def debounce(c):
    async def life(truth):
        one = await Snake.open(c[0], "deb-ann")
        truth.came("deb-ann", time.monotonic() - 1)
        for i in range(4):  # another node each time, closed before and after in turns
            if i % 2:
                two = await Snake.open(c[(i + 1) % 2], "deb-ann")
                truth.came("deb-ann")
                truth.went("deb-ann")
                await one.drop()
            else:
                truth.went("deb-ann")
                await one.drop()
                two = await Snake.open(c[(i + 1) % 2], "deb-ann")
                truth.came("deb-ann")
            one = two
            await asyncio.sleep(DEBOUNCE * 1.5)
        truth.went("deb-ann")
        await one.close()
    equal(shows(await watched(c, "deb", life), "deb-ann"), [2] * 8, "events shown to each")


@case("P8 5 status, custom status and metadata follow the user to another node, and stay while nobody is connected")
async def follows(c):
    state = {"online_status": "busy", "custom_status": "deep work 🙂", "metadata": {"x": [1, None, "é"]}}
    shown = {"user_id": "fol-ann", "last_seen": TIME, "is_online": True, "device_count": 1, **state}
    one = await Snake.open(c[0], "fol-ann")
    await one.ask({"type": "presence_update", "payload": state}, has(type="presence_update_ack"))
    first = await soon(lambda: c[1].get("/fol-ann"), shown)
    two = await Snake.open(c[1], "fol-ann")
    await soon(lambda: c[0].get("/fol-ann"), {**shown, "device_count": 2})
    await close(one)
    await soon(lambda: [n.get("/fol-ann") for n in (c[0], c[1])], [shown, shown])
    await close(two)
    await soon(lambda: [n.get("/fol-ann")["is_online"] for n in (c[0], c[1])], [False, False])
    one = await Snake.open(c[0], "fol-ann")
    got = await soon(lambda: [n.get("/fol-ann") for n in (c[0], c[1])], [shown, shown])
    assert got[1]["last_seen"] >= first["last_seen"], "last_seen went back"
    await close(one)


@case("5 null clears on every node, absent keeps; custom_status_expires_at ends it on every node")
async def clears(c):
    one = await Snake.open(c[0], "clr-ann")
    soon_over = time.strftime("%Y-%m-%dT%H:%M:%S.999Z", time.gmtime(time.time() + 1))
    for node, body, custom, metadata in (
            (c[1], {"custom_status": "x", "metadata": {"a": 1}}, "x", {"a": 1}), (c[0], {}, "x", {"a": 1}),
            (c[1], {"custom_status": None}, None, {"a": 1}), (c[0], {"metadata": None}, None, None),
            (c[1], {"custom_status": "short", "custom_status_expires_at": soon_over}, "short", None), (None, None, None, None)):
        if node:
            equal(curl(node.http(V1 + "clr-ann"), data={"online_status": "dnd", **body}, method="PUT").status, 200)
        for n in (c[0], c[1]):
            got = await soon(lambda: {k: n.get("/clr-ann")[k] for k in ("online_status", "custom_status")},
                             {"online_status": "dnd", "custom_status": custom}, "%r at %s" % (body, n.name))
            assert n.get("/clr-ann")["metadata"] in ([None, {}] if metadata is None else [metadata]), got
    await close(one)


@case("5 the last set wins, by a version: in turns on both nodes; at once on both they agree on one")
async def last_wins(c):
    async def life(truth):
        both = [await Snake.open(n, "last-ann", "d%d" % i) for i, n in enumerate((c[0], c[1]))]
        truth.came("last-ann", time.monotonic() - 1)
        for i in range(8):
            truth.put("last-ann", status=("busy", "dnd")[i % 2], custom=str(i))
            await both[i % 2].send({"type": "presence_update", "payload": {"online_status": ("busy", "dnd")[i % 2], "custom_status": str(i)}})
            for client in both:
                await client.want(of("last-ann", ("busy", "dnd")[i % 2], custom_status=str(i)))
        truth.undecided("last-ann")
        for i in range(30):
            for j, client in enumerate(both):
                await client.send({"type": "presence_update", "payload": {"online_status": ("busy", "dnd")[j], "custom_status": "%d" % j}})
        for client in both:
            await client.sync()
        await asyncio.sleep(0.5)
        first, second = (n.get("/last-ann") for n in (c[0], c[1]))
        equal({**second, "last_seen": ANY}, first, "the two nodes' views")
        truth.went("last-ann")
        await close(*both)
    await watched(c, "last", life)


@case("5 the rules of status hold across nodes: away when all devices are; online from any ends busy")
async def rules(c):
    one, two = await Snake.open(c[0], "rul-ann", "one"), await Snake.open(c[1], "rul-ann", "two")
    await soon(lambda: [n.get("/rul-ann")["device_count"] for n in (c[0], c[1])], [2, 2])
    for client, says, wanted in ((one, "away", "online"), (two, "away", "away"), (one, "online", "online"), (two, "busy", "busy"),
                                 (one, "away", "busy"), (two, "away", "away"), (one, "dnd", "dnd"), (two, "online", "online")):
        await client.ask({"type": "presence_update", "payload": {"online_status": says}}, has(type="presence_update_ack"))
        await soon(lambda: [n.get("/rul-ann")["online_status"] for n in (c[0], c[1])], [wanted] * 2, "after %s from %s" % (
            says, "one" if client is one else "two"))
    await close(one, two)


@case("5 invisible on one node is offline on all: presence, lists, devices; and nothing else says otherwise")
async def invisible(c):
    one, watch = await Snake.open(c[0], "inv-ann"), await Roster.open(c[1], "inv-watch")
    await soon(lambda: c[1].get("/inv-ann")["is_online"], True)
    await one.ask({"type": "presence_update", "payload": {"online_status": "invisible", "custom_status": "secret"}}, has(type="presence_update_ack"))
    await soon(lambda: c[1].get("/inv-ann")["is_online"], False)
    two = await Snake.open(c[1], "inv-ann", "other")  # comes in invisible too
    for n in (c[0], c[1]):
        equal(n.get("/inv-ann"), has(online_status="offline", is_online=False, device_count=0, custom_status=None), "at " + n.name)
        equal(n.get(V1 + "inv-ann/devices"), {"devices": []}, "at " + n.name)
        assert "inv-ann" not in [u["user_id"] for u in n.get("/presence")["users"]]
    if not ALONE:
        equal(json.loads(c.redis.command("GET", "presence:inv-ann") or '{"status":"offline"}')["status"], "offline")
    await close(one, two, watch)


# --- REST on any node ---

@case("5 REST on any node answers for all: one, seed 002's one and list, bulk in order")
async def rest(c):
    here = [await Snake.open(c[i % 2], "rest-%d" % i) for i in range(6)]
    ids = ["rest-%d" % i for i in (5, 3, 9, 1, 0, 4, 2)]
    for n in (c[0], c[1]):
        await soon(lambda: [(p["user_id"], p["is_online"]) for p in n.get(V1 + "bulk", data={"user_ids": ids})["presences"]],
                   [(u, u != "rest-9") for u in ids], "bulk at " + n.name)
        for i in range(6):
            equal(n.get("/presence/rest-%d" % i), {"user_id": "rest-%d" % i, "username": "rest-%d" % i, "status": "online", "last_seen": TIME})
            equal(n.get(V1 + "rest-%d" % i)["device_count"], 1)
        got = n.get("/presence")
        equal(sorted(u["user_id"] for u in got["users"] if u["user_id"].startswith("rest-")), ["rest-%d" % i for i in range(6)])
        equal(got["count"], len(got["users"]))
        equal(n.get("/rest-9"), {"user_id": "rest-9", "online_status": "offline", "custom_status": None, "metadata": ANY,
                                 "last_seen": None, "is_online": False, "device_count": 0})
    await close(*here)


@case("5 P9 PUT on one node: shown to a client of the other, of a user of either, of both, of nobody")
async def put(c):
    watch = [await Snake.open(n, "put-watch") for n in (c[0], c[1])]
    one = await Snake.open(c[0], "put-ann")
    await soon(lambda: c[1].get("/put-ann")["is_online"], True)
    for i, n in enumerate((c[1], c[0])):
        equal(curl(n.http(V1 + "put-ann"), data={"online_status": "busy", "custom_status": "n%d" % i}, method="PUT").status, 200)
        for w in watch:
            await w.want(of("put-ann", "busy", custom_status="n%d" % i))
        equal(curl(n.http(V1 + "put-ann"), data={"online_status": "away"}, method="PUT").status, 200)  # all devices, wherever
        for w in watch:
            await w.want(of("put-ann", "away"))
    equal(curl(c[1].http(V1 + "put-nobody"), data={"online_status": "dnd", "custom_status": "there"}, method="PUT").status, 200)
    for n in (c[0], c[1]):
        await soon(lambda: (n.get("/put-nobody")["is_online"], n.get("/put-nobody")["device_count"]), (False, 0))
    late = await Snake.open(c[0], "put-nobody")
    await soon(lambda: [(n.get("/put-nobody")["online_status"], n.get("/put-nobody")["custom_status"]) for n in (c[0], c[1])],
               [("dnd", "there")] * 2)
    await close(one, late, *watch)


@case("5 a REST heartbeat on one node: online on both without a socket for presence-ttl, then offline, once")
async def heartbeat(c):
    async def life(truth):
        truth.came("hb-ann")
        equal(curl(c[0].http(V1 + "hb-ann/heartbeat"), data="", method="POST").status, 204)
        await soon(lambda: [n.get("/hb-ann")["is_online"] for n in (c[0], c[1])], [True, True])
        for i in range(3):  # at the one node and the other: longer than presence-ttl, and never so long without
            await asyncio.sleep(1.2)
            equal((await asyncio.to_thread(curl, c[1 - i % 2].http(V1 + "hb-ann/heartbeat"), data="", method="POST")).status, 204)
        equal([n.get("/hb-ann")["is_online"] for n in (c[0], c[1])], [True, True])
        truth.went("hb-ann")
        await soon(lambda: [n.get("/hb-ann")["is_online"] for n in (c[0], c[1])], [False, False], seconds=8)
    equal(shows(await watched(c, "hb", life, ("snake", "dotted")), "hb-ann"), [2] * 4, "events shown to each")


@case("5 /metrics of a node among nodes as a strict scraper reads it")
async def scraped(c):
    got = [exposition(curl(n.http("/metrics")).body.decode()) for n in (c[0], c[1])]
    equal([(g.get("presenced_nodes"), g.get("presenced_redis_up")) for g in got], [(None, None) if ALONE else (2, 1)] * 2)


# --- rooms: typing, receipts, messages ---

TYPING = {Snake: ({"type": "typing", "payload": {"conversation_id": "%s", "is_typing": True}},
                  {"type": "typing", "payload": {"conversation_id": "%s", "is_typing": False}}),
          Dotted: (ask("typing.start", {"conversation_id": "%s"}), ask("typing.stop", {"conversation_id": "%s"})),
          Rooms: ({"type": "typing", "channel_id": "%s"}, None)}


ALL_TYPING = ("typing_indicator", "typing.start", "typing.stop", "typing")


def typed(cls, where, user, on):
    if cls is Snake:
        return has(type="typing_indicator", payload={"conversation_id": where, "user_id": user, "is_typing": on})
    if cls is Dotted:
        return has(type="typing.start" if on else "typing.stop", payload={"conversation_id": where, "user_id": user})
    return {"type": "typing", "channel_id": where, "dm_id": None, "user_id": user, "username": user} if on else None


@rows("5 typing from one node to the other", [(cls.__name__.lower(), cls) for cls in TYPING])
async def typing(c, cls):
    where = "ty-" + cls.__name__
    hear = [await room(k, c[i], "ty-%s-%d" % (k.__name__, i), where) for i in (0, 1) for k in (Snake, Dotted, Rooms)]
    deaf = await room(Dotted, c[1], "ty-deaf", where + "-not")
    me, also = await room(cls, c[0], "ty-me", where), await room(cls, c[1], "ty-me", where, "other")
    await heard_of()
    await close(await Rooms.open(c[0], "ty-x"))
    for h in hear:
        await h.clear()
    await me.clear()
    await also.clear()
    for on, message in zip((True, False), TYPING[cls]):
        if message:
            await me.send(json.dumps(message) % where)
        for h in hear:  # rooms has no word for its end; a start not renewed ends by itself
            if typed(type(h), where, "ty-me", on):
                await h.want(typed(type(h), where, "ty-me", on), 6)
    for h in hear:
        await nothing(h, *ALL_TYPING)
    await nothing(deaf, *ALL_TYPING)
    for mine in (me, also):
        await nothing(mine, *ALL_TYPING)
    await close(me, also, deaf, *hear)


@case("5 typing to recipients on the other node, and by REST on a node where nobody is")
async def typing_to(c):
    bob, cy = await Snake.open(c[1], "tr-bob"), await Snake.open(c[1], "tr-cy")
    me, dan = await Snake.open(c[0], "tr-me"), await room(Rooms, c[1], "tr-dan", "tr")
    await heard_of()
    await me.send({"type": "typing", "payload": {"conversation_id": "tr", "is_typing": True, "recipient_ids": ["tr-bob", "nobody"]}})
    await bob.want(typed(Snake, "tr", "tr-me", True))
    await cy.quiet(has(type="typing_indicator"))
    await dan.quiet(has(type="typing"))
    equal(curl(c[0].http("/api/v1/typing"), data={"conversation_id": "tr", "user_id": "tr-rest", "is_typing": True}).status, 202)
    await dan.want(typed(Rooms, "tr", "tr-rest", True))
    await close(bob, cy, me, dan)


@case("5 a room is listened to as soon as the first of a node enters, and not after the last left")
async def interest(c):
    me = await room(Dotted, c[0], "int-me", "int")
    for round in range(3):
        bob = await room(Dotted, c[1], "int-bob", "int")
        await heard_of()
        await me.send(ask("typing.start", {"conversation_id": "int"}))
        await bob.want(typed(Dotted, "int", "int-me", True))
        await me.send(ask("typing.stop", {"conversation_id": "int"}))
        await bob.want(typed(Dotted, "int", "int-me", False))
        await bob.ask(ask("unsubscribe", {"topics": ["conversation", "typing"], "filters": {"conversation_id": "int"}}), has(type="unsubscribed"))
        await me.send(ask("typing.start", {"conversation_id": "int"}))
        await heard_of()
        await bob.quiet(has(type="typing.start"))
        await bob.close()
    await me.close()


@case("5 receipts: to the conversation and to the sender's devices, on both nodes")
async def receipts(c):
    hear = [await room(Dotted, n, "rc-bob%d" % i, "rc") for i, n in enumerate((c[0], c[1]))]
    hear += [await Dotted.open(n, "rc-author", "d%d" % i) for i, n in enumerate((c[0], c[1]))]
    me, other = await Dotted.open(c[0], "rc-ann"), await Dotted.open(c[1], "rc-deaf")
    await heard_of()
    for kind, event, which, ids in (("mark.read", "message.read", {"message_id": "m1"}, ["m1"]),
                                    ("mark.delivered", "message.delivered", {"message_ids": ["m1", "m2"]}, ["m1", "m2"])):
        await me.ask(ask(kind, {"conversation_id": "rc", "sender_id": "rc-author", **which}), has(reply_to="q"))
        for h in hear:
            await h.want(has(type=event, payload={"conversation_id": "rc", "message_ids": ids, "user_id": "rc-ann", "at": TIME}))
    for h in (*hear, me, other):
        await nothing(h, "message.read", "message.delivered")
    await close(me, other, *hear)


WORDS = {Snake: lambda d: has(type="message", payload=d), Dotted: lambda d: has(type="message.new", payload=d),
         Rooms: lambda d: {"type": "message", "data": d}, Upper: lambda d: has(type="MESSAGE", payload=d)}


@case("5 POST /api/v1/broadcast on one node: to all, to users, to a room, with exclude; once each, on both nodes")
async def broadcast(c):
    people = {(i, k): await (room(k, c[i], "bc-%s%d" % (k.__name__, i), "bc") if k is not Upper else Upper.open(c[i], "bc-Upper%d" % i))
              for i in (0, 1) for k in WORDS}
    await heard_of()
    n = 0
    for node in (c[0], c[1]):
        for body, to in (({"all": True}, lambda i, k: True), ({"all": True, "exclude": ["bc-Snake0", "bc-Rooms1"]},
                         lambda i, k: (i, k) not in ((0, Snake), (1, Rooms))), ({"room": "bc"}, lambda i, k: k is not Upper),
                         ({"users": ["bc-Dotted0", "bc-Upper1", "nobody"]}, lambda i, k: (i, k) in ((0, Dotted), (1, Upper)))):
            n += 1
            got = curl(node.http("/api/v1/broadcast"), data={**body, "data": {"n": n}})
            equal(got.status, 202, repr(got))
            for (i, k), client in people.items():
                if to(i, k):
                    await client.want(WORDS[k]({"n": n}))
    for (_, k), client in people.items():
        await client.quiet(*[WORDS[k]({"n": i + 1}) for i in range(n)])
    await close(*people.values())


# --- calls ---

@case("5 a call between nodes: offer rings on all of the callee's devices; answer, ICE both ways, hangup")
async def call(c):
    sdp, candidate = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n", {"candidate": "candidate:1 1 UDP 1 10.0.0.1 1 typ host", "sdpMLineIndex": 0}
    ann, cy = await Dotted.open(c[0], "ca-ann", "a1"), await Dotted.open(c[1], "ca-cy")
    bobs = [await Dotted.open(c[i], "ca-bob", "b%d" % i) for i in (1, 0)]
    await soon(lambda: [n.get("/ca-bob")["device_count"] for n in (c[0], c[1])], [2, 2])
    for round, (bob, bob2) in enumerate((bobs, bobs[::-1])):
        k = "ca-%d" % round
        await ann.send(ask("call.offer", {"call_id": k, "target_user_id": "ca-bob", "sdp": sdp}))
        for b in (bob, bob2):
            await b.want(has(type="call.incoming", payload={"call_id": k, "from_user_id": "ca-ann", "from_device_id": "a1"}))
            await b.want(has(type="call.offer", payload__call_id=k, payload__sdp=sdp))
        await bob.send(ask("call.answer", {"call_id": k, "sdp": "answer"}))
        await ann.want(has(type="call.answer", payload__call_id=k, payload__sdp="answer"))
        await bob2.want(has(type="call.ended", payload__call_id=k, payload__reason="answered_elsewhere"))
        for sender, receiver in ((ann, bob), (bob, ann)):
            await sender.send(ask("call.ice", {"call_id": k, "candidate": candidate}))
            await receiver.want(has(type="call.ice", payload__call_id=k, payload__candidate=candidate))
        await (bob, ann)[round].send(ask("call.hangup", {"call_id": k}))
        for b in (ann, bob):
            await b.want(has(type="call.ended", payload__call_id=k, payload__reason=TEXT))
        await nothing(bob2, "call.ice", "call.ended")
        await nothing(cy, "call.offer", "call.ended", "call.incoming")
    await close(ann, cy, *bobs)


@case("5 a call between nodes ends: the callee is nobody's; a party's device goes; the caller gives up while it rings")
async def call_ends(c):
    ann, bob = await Dotted.open(c[0], "ce-ann"), await Dotted.open(c[1], "ce-bob")
    await soon(lambda: c[0].get("/ce-bob")["is_online"], True)
    await ann.send(ask("call.offer", {"call_id": "ce-1", "target_user_id": "nobody", "sdp": "v=0"}))
    await ann.want(has(type="call.ended", payload__call_id="ce-1", payload__reason="unavailable"))
    await ann.send(ask("call.offer", {"call_id": "ce-2", "target_user_id": "ce-bob", "sdp": "v=0"}))
    await bob.want(has(type="call.offer", payload__call_id="ce-2"))
    await ann.send(ask("call.hangup", {"call_id": "ce-2"}))
    await bob.want(has(type="call.ended", payload__call_id="ce-2"))
    await ann.send(ask("call.offer", {"call_id": "ce-3", "target_user_id": "ce-bob", "sdp": "v=0"}))
    await bob.want(has(type="call.incoming", payload__call_id="ce-3"))
    await bob.send(ask("call.answer", {"call_id": "ce-3", "sdp": "v=0"}))
    await ann.want(has(type="call.answer", payload__call_id="ce-3"))
    await bob.drop()
    await ann.want(has(type="call.ended", payload__call_id="ce-3"))
    await close(ann)


# --- operators ---

@case("5 4 DELETE /admin/users/{id} on a node closes that user's connections on all (4002), nobody else's")
async def kick(c):
    gone, stay = [await Snake.open(c[i], "kick-ann", "d%d" % i) for i in (0, 1)], await Snake.open(c[1], "kick-bob")
    await soon(lambda: c[0].get("/kick-ann")["device_count"], 2)
    got = curl(c[0].http("/admin/users/kick-ann"), method="DELETE")
    assert got.status in (200, 202, 204), got
    for g in gone:
        await g.closed(4002)
    only_there = await Snake.open(c[1], "kick-cy")
    await soon(lambda: c[0].get("/kick-cy")["is_online"], True)
    got = curl(c[0].http("/admin/users/kick-cy"), method="DELETE")
    assert got.status in (200, 202, 204), got
    await only_there.closed(4002)
    await stay.sync()
    await close(stay)


@case("5 4 DELETE /admin/connections/{id} closes that one (4002), whatever node it is at, and no other of the user's")
async def kick_one(c):
    one, other = [await Snake.open(c[1], "one-ann", d) for d in ("one", "other")]
    await soon(lambda: c[0].get("/one-ann")["device_count"], 2)
    ids = {d["device_id"]: d["connection_id"] for d in c[0].get(V1 + "one-ann/devices")["devices"]}
    equal(curl(c[0].http("/admin/connections/" + ids["one"]), method="DELETE").status, 204)
    await one.closed(4002)
    await other.sync()
    await soon(lambda: curl(c[0].http("/admin/connections/" + ids["one"]), method="DELETE").status, 404)
    await close(other)


@case("2 5 max-connections-per-user holds across nodes: the longest silent one, on the other node, is closed 4003")
async def replaced(c):
    many = [await Snake.open(c[0], "max-ann", "d0")]
    await asyncio.sleep(0.1)  # the longest silent and the oldest: of another node's connections only the latter is known
    many += [await Snake.open(c[0], "max-ann", "d%d" % i) for i in range(1, 16)]
    await soon(lambda: c[1].get("/max-ann")["device_count"], 16)
    for m in many[1:]:
        await m.sync()
    await asyncio.sleep(0.2)
    more = await Snake.open(c[1], "max-ann", "d16")
    await many[0].closed(4003)
    await more.sync()
    for n in (c[0], c[1]):
        await soon(lambda: n.get("/max-ann")["device_count"], 16)
    await close(more, *many[1:])


@case("4 5 GET /admin/stats: nodes; GET /ready: 200 and what it looked at")
async def stats(c):
    for n in (c[0], c[1]):
        equal(n.get("/admin/stats")["nodes"], 1 if ALONE else 2, "nodes at " + n.name)
        got = n.get("/ready")
        equal(got["status"], "ready")
        assert ALONE or "redis" in got["checks"], got


# --- nodes come and go ---

@case("5 a node joins and is told all before it speaks: its clients see everybody, and nobody sees a flicker; it ends (SIGTERM) likewise")
async def joins(c):
    async def life(truth):
        began = time.monotonic()
        here = [await Snake.open(c[i % 2], "jn-%d" % i) for i in range(20)]
        for i in range(20):
            truth.came("jn-%d" % i, began)
        truth.put("jn-3", status="busy", custom="before it came")
        await here[3].send({"type": "presence_update", "payload": {"online_status": "busy", "custom_status": "before it came"}})
        await soon(lambda: c[0].get("/jn-3")["online_status"], "busy")
        async with await Cluster.start(1, *five_dialects.OPTIONS, redis=c.redis, wait=False,
                                       redis_options=None if ALONE else ["--node-id", "late", *c.redis_options]) as late:
            if not ALONE:
                await asyncio.to_thread(late[0].wait_ready)
            node = c[0] if ALONE else late[0]
            equal(node.get("/jn-3"), has(online_status="busy", custom_status="before it came", is_online=True))
            watch = await subscribed(node, "jn-watch", ["presence"])
            first = await watch.want(has(type="presence.update"))
            there = {u["user_id"] for u in first["payload"]["users"]}
            assert {"jn-%d" % i for i in range(20)} <= there, "not in the first snapshot of a ready node: %r" % there
            new = await Snake.open(node, "jn-new")
            truth.came("jn-new", began)
            await soon(lambda: [n.get("/jn-new")["is_online"] for n in (c[0], c[1])], [True] * 2)
            await asyncio.sleep(2.5)  # a beat or two
            await close(watch)
            truth.went("jn-new")
            if ALONE:
                await close(new)
            start = time.monotonic()
        # It said goodbye: the debounce begins when its sockets close, nobody waits for the lease.
        await soon(lambda: [n.get("/jn-new")["is_online"] for n in (c[0], c[1])], [False] * 2)
        took = time.monotonic() - start
        assert took < 4.5, "offline %.1f s after SIGTERM" % took
        if not ALONE:
            await soon(lambda: [n.get("/admin/stats")["nodes"] for n in (c[0], c[1])], [2, 2], "nodes")
        for i in range(20):
            truth.went("jn-%d" % i)
        await close(*here)
    await watched(c, "join", life, ("snake", "dotted", "roster"))


@case("2 5 audience=rooms across nodes: only users who share a room see each other, whatever node they are on")
async def audience(_):
    async with await Cluster.start(2, "--audience", "rooms", "--offline-debounce", "300ms", "--presence-rate", "0") as c:
        bob, cy = await room(Snake, c[1], "au-bob", "au"), await room(Snake, c[1], "au-cy", "elsewhere")
        ann = await room(Snake, c[0], "au-ann", "au")
        await heard_of()
        await ann.send({"type": "presence_update", "payload": {"online_status": "busy"}})
        await bob.want(of("au-ann", "busy"))
        await cy.quiet(of("au-ann", ANY))
        await ann.close()
        await bob.want(of("au-ann", "offline"))
        await cy.quiet(of("au-ann", ANY))
        await close(bob, cy)


@with_redis("2 5 audience=rooms: where users of other nodes are leaves room for who is here")
async def rooms_elsewhere(_):
    async with await Cluster.start(1, "--audience", "rooms", "--max-connections", "100") as c:
        at, redis = int(time.time() * 1000), c.redis.client()
        users = [{"i": "re-%d" % i, "s": at, "r": ["re-%d-%d" % (i, r) for r in range(20)],
                  "l": [["d", 1, False, "%016x" % (i + 1), at]]} for i in range(125)]
        for i in range(0, 125, 25):  # as another node tells what it has
            redis.publish("presenced:node:a", json.dumps({"t": "state", "n": "other", "e": "%016x" % at, "s": 0, "f": True,
                                                          "u": users[i:i + 25], "c": None}))
        await soon(lambda: c[0].get("/admin/stats", method="GET")["rooms"], 2500)
        ann = await room(Snake, c[0], "re-ann", "re-here")
        await ann.close()


@with_redis("5 user-message-rate follows the user: two nodes let through no more than one would")
async def user_rate(_):
    async def accepted(client):
        """Of 16 sent at once."""
        for i in range(16):
            await client.send(ask("presence.query", {"user_ids": ["x"]}, str(i)))
        got = [(await client.next())["type"] for _ in range(16)]
        return got.count("presence.update")
    async with await Cluster.start(2, "--user-message-rate", "8") as c:
        one = await Dotted.open(c[0], "rate-one")
        alone = await accepted(one)
        both = [await Dotted.open(n, "rate-two", "d%d" % i) for i, n in enumerate((c[0], c[1]))]
        await soon(lambda: [n.get("/rate-two")["device_count"] for n in (c[0], c[1])], [2, 2])
        got = await asyncio.gather(*[accepted(b) for b in both])
        assert 8 <= alone <= 12 and all(got) and 8 <= sum(got) <= 14, "one node let through %d, two %r" % (alone, got)
        await close(one, *both)


# --- beside the other services of seed 002 ---

def presence_key(c, user):
    text = c.redis.command("GET", "presence:" + user)
    return json.loads(text) if text else None


@with_redis("5 the keys of seed 002: presence:{user_id} with what stands there, fresh within its TTL; offline said until it ends")
async def keys(c):
    shape = {"user_id": "key-ann", "username": "Ann", "status": "online", "connection_id": TEXT, "last_seen": TIME}
    ann = await Rooms.open(c[0], "key-ann", "Ann")
    await soon(lambda: presence_key(c, "key-ann"), shape)
    for _ in range(4):  # over presence-ttl, which is 2 s here
        ttl = c.redis.command("PTTL", "presence:key-ann")
        assert 0 < ttl <= 2000, "TTL %r ms" % ttl
        await asyncio.sleep(0.7)
    equal(presence_key(c, "key-ann"), shape)
    await ann.send({"type": "status", "status": "away"})
    await soon(lambda: presence_key(c, "key-ann"), {**shape, "status": "away"})
    bob = await Rooms.open(c[1], "key-ann", "Ann")
    await ann.close()
    await soon(lambda: presence_key(c, "key-ann"), {**shape, "status": "online"})
    await bob.close()
    await soon(lambda: presence_key(c, "key-ann"), {**shape, "status": "offline", "connection_id": ANY})
    await soon(lambda: presence_key(c, "key-ann"), None)


@with_redis("5 the key of seed 002: typing:{room_id}:{user_id} with the username, TTL typing-ttl")
async def typing_key(c):
    ann = await Rooms.open(c[0], "tk-ann", "Ann")
    await ann.ask({"type": "subscribe", "channel_id": "tk"}, has(type="subscribed"))
    with c.redis.monitor() as seen:
        await ann.send({"type": "typing", "channel_id": "tk"})
        await ann.sync()
        await soon(lambda: [rest for name, rest in list(seen.commands) if rest.startswith("typing:tk:tk-ann ")] != [], True, "written")
    rest = [rest for _, rest in seen.commands if rest.startswith("typing:tk:tk-ann ")][0].split()
    equal(rest[1], "Ann")
    assert rest[2].upper() in ("PX", "EX") and 0 < int(rest[3]) * (1 if rest[2].upper() == "PX" else 1000) <= 600, rest
    await soon(lambda: c.redis.keys("typing:tk:*"), [])
    await ann.close()


@with_redis("5 presence:updates carries seed 002's presence object, once an event however many nodes there are")
async def updates(c):
    with c.redis.listen("presence:updates") as heard:
        ann = await Rooms.open(c[0], "up-ann", "Ann")
        await soon(lambda: c[1].get("/up-ann")["is_online"], True)  # who comes to both at once is said by both
        bob = await Rooms.open(c[1], "up-ann", "Ann")
        await asyncio.sleep(0.2)
        await ann.send({"type": "status", "status": "busy"})
        await asyncio.sleep(0.3)
        await close(ann, bob)
        await asyncio.to_thread(heard.want, lambda _, text: json.loads(text)["user_id"] == "up-ann" and json.loads(text)["status"] == "offline")
        await asyncio.sleep(0.3)
    got = [json.loads(text) for _, text in heard.heard if json.loads(text)["user_id"] == "up-ann"]
    equal(got, [{"type": "presence", "user_id": "up-ann", "username": "Ann", "status": s, "timestamp": TIME} for s in ("online", "busy", "offline")])


@with_redis("5 another program's presence:updates is believed by every node, and says nothing of whom a node has itself")
async def believed(c):
    watch = [await Rooms.open(n, "bl-watch") for n in (c[0], c[1])]
    ann = await Rooms.open(c[0], "bl-ann", "Ann")
    for w in watch:
        await w.want(has(type="presence", user_id="bl-ann", status="online"))

    def say(user, status):
        c.redis.publish("presence:updates", json.dumps({"type": "presence", "user_id": user, "username": "Ext", "status": status,
                                                        "timestamp": "2026-01-14T12:00:00Z"}))
    for status in ("online", "away", "offline"):
        say("bl-ext", status)
        for w in watch:
            await w.want({"type": "presence", "user_id": "bl-ext", "username": "Ext", "status": status, "timestamp": TIME})
        for n in (c[0], c[1]):
            equal(n.get("/presence/bl-ext")["status"], status, "at " + n.name)
    say("bl-ann", "offline")
    await asyncio.sleep(DEBOUNCE * 2)
    for n, w in zip((c[0], c[1]), watch):
        await w.quiet(has(type="presence", user_id="bl-ann"), has(type="presence", user_id="bl-ext"))
        equal(n.get("/presence/bl-ann")["status"], "online")
    await close(ann, *watch)


@with_redis("5 message:broadcast of another program: to a room or to users, on every node, once each")
async def message_broadcast(c):
    people = {(i, k): await room(k, c[i], "mb-%s%d" % (k.__name__, i), "mb") for i in (0, 1) for k in (Snake, Dotted, Rooms)}
    await heard_of()
    data = {"message_id": "msg-456", "content": "Hello, world!", "user_id": "x", "channel_id": "mb"}
    message = {"type": "message", "data": data}
    c.redis.publish("message:broadcast", json.dumps({"room_id": "mb", "message": message}))
    for (_, k), client in people.items():
        await client.want(WORDS[k](data))
    c.redis.publish("message:broadcast", json.dumps({"user_ids": ["mb-Rooms0", "mb-Rooms1"], "message": message}))
    for i in (0, 1):
        await people[i, Rooms].want(message)
    await asyncio.sleep(0.2)
    for (_, k), client in people.items():
        await client.quiet(WORDS[k](data))
    await close(*people.values())


@with_redis("5 events for back ends, on the channels of seed 003")
async def events(c):
    with c.redis.listen("ws.client.ready", "ws.client.disconnected", "presence.user.online") as heard:
        ann = await Roster.open(c[0], "ev-ann", "ev-phone")
        for channel in ("ws.client.ready", "presence.user.online"):
            await asyncio.to_thread(heard.want, lambda ch, text: ch == channel and "ev-ann" in text)
        await ann.close()
        await asyncio.to_thread(heard.want, lambda ch, text: ch == "ws.client.disconnected" and "ev-ann" in text)
        await asyncio.sleep(1.2)
    for channel in ("ws.client.ready", "ws.client.disconnected"):
        equal(len([t for ch, t in heard.heard if ch == channel and "ev-ann" in t]), 1, channel)
    for _, text in heard.heard:
        json.loads(text)


@with_redis("5 redis-keys=off: no key of seed 002; presence is seen all the same; idle users cost nothing")
async def keys_off(_):
    async with await Cluster.start(2, "--redis-keys", "off", "--offline-debounce", "300ms", "--presence-ttl", "2s") as c:
        bob = await Rooms.open(c[1], "ko-bob")
        crowd = [await Rooms.open(c[0], "ko-%d" % i) for i in range(40)]
        await bob.want(has(type="presence", user_id="ko-39", status="online"))
        await asyncio.sleep(0.5)
        with c.redis.monitor() as seen:
            await asyncio.sleep(4)
        equal(c.redis.keys("presence:*"), [])
        per_node = len(seen.commands) / 2 / 2  # nodes, beats in the meantime
        print("# %d commands of 2 nodes with 41 idle users in 4 s: %r" % (len(seen.commands), dict(seen.count())))
        assert per_node <= 8, "%.1f commands a beat and node" % per_node
        await crowd[0].close()
        await bob.want(has(type="presence", user_id="ko-0", status="offline"))
        await close(bob, *crowd[1:])


@with_redis("a status change costs at most 2 commands beside SET and PUBLISH of seed 002")
async def economy(c):
    ann, bob = await Snake.open(c[0], "eco-ann"), await Snake.open(c[1], "eco-bob")
    await asyncio.sleep(0.3)
    with c.redis.monitor() as seen:
        start = time.monotonic()
        for i in range(40):
            await ann.send({"type": "presence_update", "payload": {"online_status": ("busy", "away")[i % 2]}})
            await bob.want(of("eco-ann", ("busy", "away")[i % 2]))
        took = time.monotonic() - start
    own = [n for n, rest in seen.commands if not rest.startswith(("presence:", "typing:"))]
    print("# 40 changes, one by one: %.2f ms each to the other node's client; commands: %r; of these not seed 002's: %d" % (
        took / 40 * 1e3, dict(seen.count()), len(own)))
    assert len(own) <= 2 * 40 + 4 * (took / 2 + 2), "%d commands of our own" % len(own)
    await close(ann, bob)


class All:
    """What the cases run against: five_dialects.py's, which want it for themselves, on one cluster; the others on another."""

    def __init__(self):
        self.five = Cluster(2, *five_dialects.OPTIONS)
        self.both = Cluster(2, *five_dialects.OPTIONS, "--presence-ttl", "2s", "--message-burst", "1000")

    def stop(self):
        why = [self.five.close(), self.both.close()]
        return "\n".join(w for w in why if w) or None


def lanes():
    """Most cases wait: five_dialects.py's run one after the other, beside them so many of the others at a time."""
    first, second = asyncio.Semaphore(1), asyncio.Semaphore(4)

    def lane(function, is_five):
        async def run_it(every):
            async with first if is_five else second:
                await asyncio.wait_for(function(every.spread if is_five else every.both), 40)
        return run_it
    CASES[:] = [(name, lane(f, f in FIVE)) for name, f in CASES]


every = All()
every.spread = Spread(every.five)
lanes()
run(every, together=True, seconds=120)
