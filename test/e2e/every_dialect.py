#!/usr/bin/python3
"""What CONTRACT section 3 says of all dialects: bad messages, close codes, limits; and section 2: which dialect it is."""
import asyncio, json, os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client, Dotted, Rooms, Roster, Snake, Upper, refused
from server import Raw, Server, masked, upgrade, websocket
from tap import ANY, TEXT, Any, case, equal, has, rows, run
from web import curl, jwt

DIALECTS = {"snake": Snake, "dotted": Dotted, "rooms": Rooms, "roster": Roster, "upper": Upper}
ERROR = {"snake": lambda code: has(type="error", payload={"code": code, "message": TEXT}),
         "dotted": lambda code: has(type="error", payload={"code": code, "message": TEXT}),
         "rooms": lambda code: {"type": "error", "error": TEXT, "code": code},
         "roster": lambda code: has(type="error", code=code),
         "upper": lambda code: has(type="ERROR", payload={"code": code, "message": TEXT})}
NAMES = [(name, name) for name in DIALECTS]


def entry(name, user="u"):
    return "/ws?dialect=%s&user_id=%s" % (name, user)


@rows("20 bad messages in a row close 1008, 19 do not", NAMES)
async def twenty(server, name):
    async with await DIALECTS[name].open(server, "twenty-" + name) as me:
        for _ in range(2):
            for _ in range(19):
                await me.ask("nonsense", ERROR[name](400))
            await me.sync()
        for _ in range(20):
            await me.send('{"type":"no such type"}')
        for _ in range(20):
            await me.want(ERROR[name](400))
        await me.closed(1008)


@rows("over the message rate: error 429, 20 in a row close 1008", NAMES)
async def rate(_, name):
    with Server("--message-rate", "1", "--message-burst", "5") as server:
        me = await DIALECTS[name].open(server, "rate-" + name)
        question, answer = me.alive
        for _ in range(30):
            try:
                await me.send(question)
            except Exception:
                break
        await me.closed(1008)
        refusals = [m for m in me.skipped if m == ERROR[name](429)]
        assert 15 <= len(refusals) <= 21, len(refusals)
        assert [m for m in me.skipped if m == answer], "nothing was answered before"


@rows("the server closes", [(name + ": " + what, name, frame, code) for name in DIALECTS for what, frame, code in [
    ("binary 1003", masked(2, b"{}"), 1003), ("invalid UTF-8 1007", masked(1, b'{"type":"\xff"}'), 1007),
    ("over-size 1009", masked(1, b"", length=65537 if name != "dotted" else 10485761), 1009),
    ("a protocol error 1002", b"\x81\x02{}", 1002)]])
async def closes(server, name, frame, code):
    with websocket(server, entry(name)) as raw:
        raw.send(frame)
        equal(raw.frames_until_close()[1], code)


@rows("a message of the largest size is read", [(n, n, 64 * 1024 if n != "dotted" else 10 * 1024 * 1024) for n in DIALECTS])
async def largest(server, name, size):
    async with await DIALECTS[name].open(server, "large-" + name) as me:
        question, answer = me.alive
        text = json.dumps({**question, "pad": ""})
        await me.ask(text[:-2] + "x" * (size - len(text)) + text[-2:], answer)


@rows("a message in fragments", [(name, name) for name in DIALECTS])
async def fragments(server, name):
    question, answer = DIALECTS[name].alive
    text = json.dumps(question).encode()
    with websocket(server, entry(name)) as raw:
        raw.send(masked(1, text[:1], fin=False) + masked(9, b"between"))
        for byte in text[1:]:
            raw.send(masked(0, bytes([byte]), fin=False))
        raw.send(masked(0))
        seen = []
        while not any(first & 15 == 1 and answer == json.loads(payload) for first, payload in seen):
            seen.append(raw.frame())
        assert (0x8a, b"between") in seen, seen


@rows("user replaced at max-connections-per-user, the longest-silent one: 4003", NAMES)
async def replaced(_, name):
    kind = DIALECTS[name]
    with Server("--max-connections-per-user", "2") as server:
        other = await kind.open(server, "other")
        one, two = await kind.open(server, "u", "1"), await kind.open(server, "u", "2")
        await asyncio.sleep(0.02)  # silence is measured in milliseconds
        await one.sync()  # so that two is the longest silent
        three = await kind.open(server, "u", "3")
        await two.closed(4003)
        for c in (one, three, other):
            await c.sync()
            await c.close()


@rows("SIGTERM: 1001", NAMES)
async def shutdown(_, name):
    server = Server()
    me = await DIALECTS[name].open(server, "u")
    server.terminate()
    await me.closed(1001)
    equal(server.ended(), None)


@rows("heartbeat time-out: 4000, after a ping", NAMES)
async def heartbeat(_, name):
    with Server("--heartbeat-interval", "500ms") as server:
        async with await DIALECTS[name].open(server, "passive") as passive:
            with websocket(server, entry(name, "silent")) as raw:
                seen, code = await asyncio.to_thread(raw.frames_until_close, 5)
                equal(code, 4000)
                assert [f for f, _ in seen if f == 0x89], "no ping"
            await passive.sync()


# Section 2: the first that applies.
GREETING = {"snake": "connection_ack", "dotted": "connected", "roster": "presence.user.online", "upper": "CONNECT",
            "rooms": "presence"}
TOKEN = jwt("tok", "Tok")


@rows("which dialect", [
    ("path / is upper", "/?userId=u", {}, None, 0, "upper"), ("/ with user_id too", "/?user_id=u", {}, None, 0, "upper"),
    ("userId: upper", "/ws?userId=u", {}, None, 0, "upper"),
    ("X-User-ID: snake", "/ws", {"X-User-ID": "u"}, None, 0, "snake"), ("user_id: dotted", "/ws?user_id=u", {}, None, 0, "dotted"),
    ("token: rooms", "/ws?token=" + TOKEN, {}, None, 0, "rooms"),
    ("Bearer: rooms", "/ws", {"Authorization": "Bearer " + TOKEN}, None, 0, "rooms"),
    ("userId before X-User-ID", "/ws?userId=u", {"X-User-ID": "u"}, None, 0, "upper"),
    ("X-User-ID before user_id", "/ws?user_id=u", {"X-User-ID": "u"}, None, 0, "snake"),
    ("user_id before token", "/ws?user_id=tok&token=" + TOKEN, {}, None, 0, "dotted"),
    ("the parameter before all these", "/?dialect=roster&userId=u", {}, None, 0, "roster"),
    ("the subprotocol before the parameter", "/ws?dialect=roster&userId=u", {}, ["presenced.rooms"], 0, "rooms"),
    ("the listener before the subprotocol", "/ws?dialect=roster&userId=u", {}, ["presenced.rooms"], 1, "snake"),
    ("user id as X-User-ID in another dialect", "/ws?dialect=upper", {"X-User-ID": "u"}, None, 0, "upper")])
async def which(server, path, headers, protocols, listener, name):
    me = await Client.connect(server.url(path, listener), headers, subprotocols=protocols)
    got = await me.next()
    equal(got["type"], GREETING[name], repr(got))
    if protocols and not listener:
        equal(me.socket.subprotocol, protocols[0])
    await me.close()


@rows("refused", [
    ("two ids that differ", "/ws?user_id=a", {"X-User-ID": "b"}, 400), ("userId and user_id differ", "/?userId=a&user_id=b", {}, 400),
    ("an id and a token that differ", "/ws?user_id=a&token=" + TOKEN, {}, 400),
    ("two tokens that differ", "/ws?token=" + TOKEN, {"Authorization": "Bearer " + jwt("x")}, 401),
    ("no identity", "/ws", {}, 401), ("no identity, a dialect", "/ws?dialect=snake", {}, 401),
    ("an unknown dialect", "/ws?dialect=klingon&user_id=u", {}, 400), ("echo is for listeners", "/ws?dialect=echo&user_id=u", {}, 400),
    ("an id of 129 bytes", "/ws?user_id=" + "x" * 129, {}, 400), ("a control character", "/ws?user_id=a%07", {}, 400),
    ("a device id of 129 bytes", "/ws?user_id=u&device_id=" + "x" * 129, {}, 400), ("another path", "/elsewhere?user_id=u", {}, (400, 404)),
])
async def refusals(server, path, headers, status):
    await refused(server.url(path), status if isinstance(status, int) else Any(repr(status), lambda v: v in status), headers)


@rows("device id", [("X-Device-ID", "/ws?user_id=u", {"X-Device-ID": "d"}), ("device_id", "/ws?user_id=u&device_id=d", {}),
                    ("client_id", "/ws?user_id=u&client_id=d", {})])
async def device(server, path, headers):
    async with await Client.connect(server.url(path), headers) as me:
        equal((await me.next())["payload"]["device_id"], "d")


@case("the same id given twice is fine; a percent-encoded id is decoded once")
async def same_twice(server):
    async with await Client.connect(server.url("/ws?user_id=a%20%C3%A9&userId=a%20%C3%A9&dialect=dotted")) as me:
        equal((await me.next())["payload"]["user_id"], "a é")


@case("presence-rate: one a second and user, the last state always comes")
async def presence_rate(_):
    with Server("--offline-debounce", "300ms") as server:
        async with await Snake.open(server, "quick") as quick, await Snake.open(server, "watch") as watch:
            for i in range(20):
                await quick.send({"type": "presence_update", "payload": {"online_status": "busy", "custom_status": "n%d" % i}})
            await watch.want(has(payload__user_id="quick", payload__custom_status="n19"), 3)
            assert len([m for m in watch.skipped if m == has(payload__user_id="quick")]) <= 3, watch.skipped
            equal(curl(server.http("/quick")).json["custom_status"], "n19")


@case("rate-typing: a limit of one command")
async def rate_command(_):
    with Server("--rate-typing", "1") as server:
        async with await Snake.open(server, "u") as me:
            for _ in range(5):
                await me.send({"type": "typing", "payload": {"conversation_id": "c", "is_typing": True}})
            await me.want(ERROR["snake"](429))
            await me.sync()


@case("max-subscriptions: one more is 429, the connection stays")
async def subscriptions(_):
    with Server("--max-subscriptions", "3") as server:
        async with await Rooms.open(server, "u") as me:
            for i in range(3):
                await me.ask({"type": "subscribe", "channel_id": "c%d" % i}, has(type="subscribed"))
            await me.ask({"type": "subscribe", "channel_id": "c9"}, ERROR["rooms"](429))
            await me.ask({"type": "subscribe", "channel_id": "c0"}, has(type="subscribed"))
            await me.ask({"type": "unsubscribe", "channel_id": "c1"}, has(type="unsubscribed"))
            await me.ask({"type": "subscribe", "channel_id": "c9"}, has(type="subscribed"))


@case("audience=rooms: presence only among those who share a room")
async def audience(_):
    with Server("--audience", "rooms", "--offline-debounce", "100ms", "--presence-rate", "0") as server:
        async with await Snake.open(server, "a") as a, await Snake.open(server, "b") as b, await Snake.open(server, "c") as c:
            join = {"type": "subscribe", "payload": {"conversation_id": "r"}}
            for x in (a, b):
                await x.ask(join, has(type="subscribed"))
            await c.clear()
            await a.send({"type": "presence_update", "payload": {"online_status": "busy"}})
            await b.want(has(type="presence_update", payload__user_id="a", payload__online_status="busy"))
            await c.quiet(has(type="presence_update", payload__user_id="a"))


run(Server("--offline-debounce", "200ms", "--presence-rate", "0", listen=("", "dialect=snake")))
