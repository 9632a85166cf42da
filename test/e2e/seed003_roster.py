#!/usr/bin/python3
"""Seed 003: the roster, its debounce example timeline, several connections, the rate limit that never loses the last."""
import asyncio, os, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Roster, Snake, refused
from server import Server
from tap import CASES, case, equal, has, rows, run
from web import curl


def online(*users):
    return {"type": "presence.user.online", "users": list(users)}


def alone(function):
    """A case that begins when those of the case before are offline."""
    async def begin(server, *row):
        for _ in range(200):
            if curl(server.http("/presence")).json["count"] == 0:
                return await function(server, *row)
            await asyncio.sleep(0.05)
        raise AssertionError("users are still online")
    return begin


@case("on connect: the users online, sorted, oneself included")
async def on_connect(server):
    async with await Roster.open(server, "user@example.com", "abc123") as me:
        equal(me.first, online("user@example.com"))
        async with await Roster.open(server, "ann", "t1") as ann, await Roster.open(server, "zoe", "t1") as zoe:
            equal(zoe.first, online("ann", "user@example.com", "zoe"))
            for c in (me, ann):
                await c.want(online("ann", "user@example.com", "zoe"))
        await me.want(online("user@example.com"))


@case("ping")
async def ping(server):
    async with await Roster.open(server, "pinger") as me:
        got = await me.ask('{"type":"ping"}', has(type="pong"))
        assert set(got) <= {"type", "timestamp"}, got


@rows("error", [("unknown type", '{"type":"sub"}'), ("no JSON", "hello"), ("empty", "")])
async def error(server, message):
    async with await Roster.open(server, "bad") as me:
        await me.ask(message, has(type="error"))
        await me.sync()


@case("multi-connection: the last of three connections counts; then offline after the debounce")
async def several(server):
    async with await Roster.open(server, "m-watch") as watch:
        tabs = [await Roster.open(server, "m-user", "client-%d" % i) for i in range(3)]
        await watch.want(online("m-user", "m-watch"))
        await watch.clear()
        await tabs[0].close(), await tabs[1].drop()
        start = time.monotonic()
        await asyncio.sleep(0.8)  # twice the debounce: the third connection must hold the user
        await watch.quiet(has(type="presence.user.online"))
        start = time.monotonic()
        await tabs[2].close()
        await watch.want(online("m-watch"))
        assert time.monotonic() - start >= 0.39, "before the debounce was over"


@case("reload inside the debounce: no message at all")
async def reload(server):
    async with await Roster.open(server, "r-watch") as watch:
        user = await Roster.open(server, "r-user", "tab")
        await watch.want(online("r-user", "r-watch"))
        await watch.clear()
        for _ in range(5):
            await user.drop()
            user = await Roster.open(server, "r-user", "tab")
        await asyncio.sleep(0.8)
        await watch.quiet(has(type="presence.user.online"))
        await user.close()


@case("at most one a second, and the last state always comes")
async def rate(server):
    async with await Roster.open(server, "q-watch") as watch:
        came, names = [], ["q-%02d" % i for i in range(12)]
        users = [await Snake.open(server, n) for n in names]
        end = time.monotonic() + 5
        while time.monotonic() < end:
            message = await watch.next(end - time.monotonic())
            came.append(time.monotonic())
            if set(names) <= set(message["users"]):
                break
        equal(message, online(*names, "q-watch"), "the last state")
        for a, b in zip(came, came[1:]):
            assert b - a > 0.85, "two within %.2f s" % (b - a)
        assert len(came) < len(names), "not gathered: %d messages" % len(came)
        for u in users:
            await u.close()
        await watch.want(online("q-watch"))


@case("who joined between two messages is told when the set returns to what it was")
async def between(server):
    async with await Roster.open(server, "b-one") as one:
        ann = await Snake.open(server, "b-ann")
        await one.want(online("b-ann", "b-one"))  # told: both; for a second nothing else is
        await ann.send({"type": "presence_update", "payload": {"online_status": "invisible"}})
        await ann.sync()
        async with await Roster.open(server, "b-one", "tab-2") as two:
            equal(two.first, online("b-one"))
            await ann.send({"type": "presence_update", "payload": {"online_status": "online"}})
            await two.want(online("b-ann", "b-one"))
        await ann.close()


@case("invisible users are not in the roster; a snake user is")
async def other_dialects(server):
    async with await Roster.open(server, "o-watch") as watch, await Snake.open(server, "o-snake") as snake:
        await watch.want(online("o-snake", "o-watch"))
        await snake.send({"type": "presence_update", "payload": {"online_status": "invisible"}})
        await watch.want(online("o-watch"))
        await snake.send({"type": "presence_update", "payload": {"online_status": "online"}})
        await watch.want(online("o-snake", "o-watch"))


@case("by listener or subprotocol as well")
async def chosen(server):
    url = server.url("/ws?user_id=u1&client_id=c1", 1)
    async with await Roster.connect(url) as me:
        equal((await me.want(has(type="presence.user.online")))["users"].count("u1"), 1)
    url = server.url("/ws?user_id=u2&client_id=c1")
    async with await Roster.connect(url, subprotocols=["other", "presenced.roster"]) as me:
        equal(me.socket.subprotocol, "presenced.roster", "subprotocol echoed")
        await me.want(has(type="presence.user.online"))
    await refused(server.url("/ws", 1), 401)


CASES[:] = [(name, alone(function)) for name, function in CASES]
run(Server(listen=("", "dialect=roster"), env={"PRESENCE_OFFLINE_DEBOUNCE": "400ms"}))
