#!/usr/bin/python3
"""CONTRACT section 6: seed 003's sample lines in their order, `conn` on a connection's lines, json, levels, no secrets."""
import asyncio, json, os, re, socket, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client, Roster, Snake, refused
from server import BINARY, Raw, Server
from tap import case, equal, has, rows, run
from web import curl, jwt

USER = "user@example.com"
SAMPLE = [  # the document's lines; what follows `service=presence` in their order
    ('level=INFO msg="User came online" service=presence', "user_id=user@example.com client_id=abc123"),
    ('level=INFO msg="Client disconnected" service=presence',
     "user_id=user@example.com client_id=abc123 remaining_connections=1"),
    ('level=INFO msg="User has no more connections, scheduling offline event" service=presence',
     "user_id=user@example.com debounce_delay=5s"),
    ('level=INFO msg="User reconnected during debounce period, staying online" service=presence',
     "user_id=user@example.com connections=1"),
]
CANARIES = ["canary-token-5b1", "canary-payload-7c2", "canary-status-9d3", "canary-body-1e4"]


async def story(server):
    """Two tabs come, both go, one returns inside the debounce."""
    one = await Roster.open(server, USER, "abc123")
    two = await Roster.open(server, USER, "abc123")
    await one.close()
    server.wait_log("remaining_connections")
    await two.close()
    server.wait_log("scheduling offline event")
    three = await Roster.open(server, USER, "abc123")
    server.wait_log("staying online")
    await three.close()


def fields(line):
    return dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line))


@case("the four sample lines of seed 003, in sequence, word for word")
async def sample(_):
    with Server() as server:
        await story(server)
        at = 0
        for begin, rest in SAMPLE:
            found = [i for i, l in enumerate(server.lines) if l and i >= at and l.startswith(begin) and rest in l]
            assert found, "no %r with %r from line %d on in\n%s" % (begin, rest, at, server.log())
            at = found[0] + 1


@case("a `conn` id on every line of a connection, the same for all of them, another for another")
async def conn(_):
    with Server() as server:
        await story(server)
        ids = {}
        for line in server.lines:
            got = fields(line or "")
            if "client_id" in got:
                assert got.get("conn"), "no conn: " + line
                ids.setdefault(got["conn"], []).append(line)
        assert len(ids) >= 2, ids
        async with await Snake.open(server, "named") as me:
            line = server.wait_log("named")
            assert me.first["payload"]["connection_id"] in line, line


@case("log-format json: an object a line, the same fields")
async def as_json(_):
    with Server("--log-format", "json") as server:
        await story(server)
        seen = []
        for line in filter(None, list(server.lines)):
            seen.append(json.loads(line))
            assert {"level", "msg", "service"} <= set(seen[-1]), line
        wanted = [re.search('msg="([^"]*)"', begin)[1] for begin, _ in SAMPLE]
        order = iter([m["msg"] for m in seen])
        assert all(w in order for w in wanted), [m["msg"] for m in seen]
        assert any(m.get("user_id") == USER for m in seen)


@rows("LOG_LEVEL", [(l, l, info) for l, info in [("INFO", True), ("info", True), ("Debug", True), ("WARNING", False),
                                                 ("warn", False), ("Error", False)]])
async def level(_, name, info):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    # A quiet log does not say when it listens: the health check does.
    with Server("--listen", "127.0.0.1:%d" % port, listen=(), env={"LOG_LEVEL": name}) as server:
        server.ports = [port]
        for _ in range(200):
            if subprocess.run([BINARY, "healthcheck", server.http("/ready")], stderr=subprocess.DEVNULL).returncode == 0:
                break
            await asyncio.sleep(0.02)
        (await Snake.connect(server.url("/ws?user_id=u"))).socket.transport.abort()
        if info:
            server.wait_log("level=INFO msg=.User came online")
        equal("level=INFO" in server.log(), info)


@rows("a warning of the start is a line of the log", [("logfmt", "logfmt", "info"), ("json", "json", "warn"), ("not above warn", "logfmt", "error")])
async def at_start(_, form, least):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with Server("--log-format", form, "--log-level", least, "--listen", "127.0.0.1:%d" % port, listen=(),
                env={"PRESENCED_NOTHING": "1", "SERVICE_NAME": "mine"}) as server:
        for _ in range(200):
            if subprocess.run([BINARY, "healthcheck", "http://127.0.0.1:%d/ready" % port], stderr=subprocess.DEVNULL).returncode == 0:
                break
            await asyncio.sleep(0.02)
        if least == "error":
            equal([l for l in server.lines if l and "PRESENCED_NOTHING" in l], [])
            return
        line = server.wait_log("PRESENCED_NOTHING")
        got = json.loads(line) if form == "json" else fields(line)
        equal((got["level"], got["service"], "time" in got), ("WARN", "mine", True))
        assert "in the environment is no option; ignored" in got["msg"], line


@rows("service-name", [("SERVICE_NAME", (), {"SERVICE_NAME": "chat-presence"}), ("the flag", ("--service-name", "chat-presence"), {})])
async def service(_, options, env):
    with Server(*options, env=env) as server:
        assert "service=chat-presence" in server.lines[-1], server.log()
        equal(curl(server.http("/health")).json["service"], "chat-presence")


@rows("no token and no payload in any log", [("logfmt", "logfmt"), ("json", "json")])
async def canaries(_, form):
    with Server("--log-level", "debug", "--log-format", form) as server:
        token = jwt("canny", "Canny", jti="canary-token-5b1")
        signature = token.rpartition(".")[2]
        async with await Client.connect(server.url("/ws?token=" + token)) as me:
            for text in ('{"type":"status","status":"busy","custom_status":"canary-status-9d3"}',
                         '{"type":"canary-payload-7c2"}', "canary-payload-7c2", '{"canary-payload-7c2":', '{"type":"ping"}'):
                await me.send(text)
            await me.want(has(type="pong"))
        async with await Client.connect(server.url("/ws"), {"Authorization": "Bearer " + token}) as me:
            await me.send(b"canary-payload-7c2")
            await me.closed(1003)
        await refused(server.url("/ws?user_id=other&token=" + token), 400)
        await refused(server.url("/ws?token=canary-token-5b1"), 401)
        curl(server.http("/api/v1/broadcast"), data={"all": True, "data": "canary-body-1e4"})
        curl(server.http("/api/v1/presence/x"), data='{"canary-body-1e4', method="PUT")
        curl(server.http("/presence"), "-H", "Authorization: Bearer canary-token-5b1")
        with Raw(server.port, b"GET /canary-token-5b1 \r\nX: canary-token-5b1\r\n\r\n") as raw:
            raw.rest()
        curl(server.http("/live"))
        server.terminate()
        server.ended()
        for word in CANARIES + [signature, token[:40]]:
            assert word not in server.log(), [l for l in server.lines if l and word in l]


@case("what users choose is escaped: no line of its own, no control bytes")
async def escaped(_):
    with Server() as server:
        user = 'a" level=ERROR msg="owned\\'
        async with await Snake.open(server, "plain"):
            pass
        async with await Client.connect(server.url("/ws?user_id=" + "".join("%%%02x" % b for b in user.encode()))):
            line = server.wait_log("owned")
        assert 'msg="owned' not in line.replace('\\"', ""), line
        assert line.startswith("level=INFO"), line


run(None)
