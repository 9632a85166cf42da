#!/usr/bin/python3
"""Full, out of descriptors, told to go: connection caps, EMFILE, slow readers, a log nobody reads, SIGTERM once and twice."""
import asyncio, json, os, re, resource, signal, socket, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Rooms, Snake
from server import BINARY, environment, Raw, Server, masked, upgrade, websocket
from tap import case, equal, has, rows, run
from web import curl

GET = b"GET /live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def threaded(function):
    async def check(_, *row):
        await asyncio.to_thread(function, *row)
    return check


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def live(raw):
    """The connection answers."""
    raw.got = b""
    raw.send(masked(1, b'{"type":"ping"}'))
    raw.until(lambda got: b'"pong"' in got)


@case("max-connections: 503 with Retry-After, the connections there live, and one that leaves makes room")
@threaded
def full():
    with Server("--max-connections", "8", "--offline-debounce", "0") as server:
        there = [websocket(server, "/ws?dialect=rooms&user_id=u%d" % i) for i in range(8)]
        for _ in range(3):
            with Raw(server.port, upgrade("/ws?user_id=more") + GET) as raw:
                status, head = raw.head()
                assert status == 503 and "retry-after: " in head.lower(), head
                assert b"HTTP/1.1" not in raw.rest()
        for raw in there:
            live(raw)
        there[0].close()
        for _ in range(100):
            with Raw(server.port, upgrade("/ws?user_id=more")) as raw:
                if raw.head()[0] == 101:
                    break
            time.sleep(0.02)
        else:
            raise AssertionError("no room again")
        for raw in there[1:]:
            live(raw)
            raw.close()


@case("D1 all slots held by strangers who say nothing: who was there lives, and who comes gets in within seconds, not ten")
@threaded
def strangers():
    with Server("--max-connections", "8") as server:
        there = websocket(server, "/ws?dialect=rooms&user_id=there")
        silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        began = time.monotonic()
        with Raw(server.port, upgrade("/ws?user_id=late")) as raw:
            equal(raw.head()[0], 101, "the status for who came late")
        took = time.monotonic() - began
        assert took < 5, "it took %.1f s" % took
        live(there)
        there.close()
        for s in silent:
            s.close()


@case("max-connections-per-ip: 429, the connections there live")
@threaded
def per_ip():
    with Server("--max-connections-per-ip", "2") as server:
        there = [websocket(server, "/ws?dialect=rooms&user_id=u%d" % i) for i in range(2)]
        with Raw(server.port, upgrade("/ws?user_id=more")) as raw:
            equal(raw.head()[0], 429)
        for raw in there:
            live(raw)


@case("H25 X-Forwarded-For, hundreds of hops of it too, does not change whose connections are counted")
@threaded
def forwarded():
    hops = ", ".join("10.0.%d.%d" % (i // 250, i % 250) for i in range(600))
    with Server("--max-connections-per-ip", "1") as server:
        there = websocket(server, "/ws?user_id=a&dialect=rooms")
        for value in ("10.9.9.9", hops):
            request = upgrade("/ws?user_id=b").replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: " + value.encode() + b"\r\n\r\n")
            with Raw(server.port, request) as raw:
                equal(raw.head()[0], 429, "the status")
        live(there)
        there.close()


@case("H25 X-Forwarded-For of a trusted proxy says whose connections are counted, over a unix socket too, and a client cannot choose it")
@threaded
def trusted_proxy():
    chains = (("198.51.100.1", 429), ("198.51.100.2, 198.51.100.1, 10.0.0.1", 429), ("::ffff:198.51.100.1", 429),
              ("198.51.100.1, 198.51.100.2", 101), ("2001:db8::1", 101))
    with tempfile.TemporaryDirectory() as directory:
        listen = "127.0.0.1:0,admin unix:%s/s" % directory
        with Server("--listen", listen, "--max-connections-per-ip", "1", "--trusted-proxies", "127.0.0.1, 10.0.0.0/8, unix") as server:
            there = websocket(server, "/ws?user_id=a&dialect=rooms", "X-Forwarded-For: 198.51.100.1:567")
            text = curl(server.http("/admin/connections")).body
            assert b'"address":"198.51.100.1:567"' in text, text
            for chain, status in chains:
                with Raw(server.port, upgrade("/ws?user_id=b", "X-Forwarded-For: " + chain)) as raw:
                    equal(raw.head()[0], status, chain)
                chain = chain.replace("100.2", "100.3").replace("2001", "2002")  # those whose slot may not be free yet
                with socket.socket(socket.AF_UNIX) as local:
                    local.settimeout(5)
                    local.connect(directory + "/s")
                    local.sendall(upgrade("/ws?user_id=c", "X-Forwarded-For: " + chain))
                    answer = local.recv(4096)
                    assert answer.startswith(b"HTTP/1.1 %d " % status), (chain, answer)
            live(there)
            there.close()


@case("F17 a byte of urgent data is no part of the stream: the frame around it is read as if it were not there")
@threaded
def urgent():
    with Server() as server:
        there = websocket(server, "/ws?user_id=a&dialect=rooms")
        frame = masked(1, b'{"type":"ping"}')
        there.got = b""
        there.send(frame[:7])
        there.socket.send(b"!", socket.MSG_OOB)
        there.send(frame[7:])
        there.until(lambda got: b'"pong"' in got)
        there.close()


@case("connection-rate: 503 with Retry-After above it")
@threaded
def connection_rate():
    with Server("--connection-rate", "5") as server:
        got = []
        for i in range(30):
            with Raw(server.port, upgrade("/ws?user_id=u%d" % i)) as raw:
                status, head = raw.head()
                got.append(status)
                assert status == 101 or status in (429, 503) and "retry-after" in head.lower(), head
        assert got[0] == 101 and got.count(101) < 20 and len(set(got)) == 2, got


@case("O1 out of descriptors: the loop is idle, who is there is served, and it recovers within a second, however many have left")
@threaded
def emfile():
    with Server("--offline-debounce", "0", *(["--user", "root"] if os.geteuid() == 0 else [])) as server:
        there = [websocket(server, "/ws?dialect=rooms&user_id=u%d" % i) for i in range(10)]
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (25, 25))
        crowd = []
        for _ in range(800):
            s = socket.socket()
            s.connect(("127.0.0.1", server.port))
            crowd.append(s)
        before, start = cpu_seconds(server.pid), time.monotonic()
        while time.monotonic() < start + 1.5:  # a measurement of idleness: it takes time
            live(there[0])
            time.sleep(0.1)
        spent = (cpu_seconds(server.pid) - before) / (time.monotonic() - start)
        assert spent < 0.1, "%.0f %% of a processor" % (spent * 100)
        for s in crowd:
            s.close()
        start = time.monotonic()
        with Raw(server.port, GET) as raw:
            equal(raw.head(3)[0], 200)
        assert time.monotonic() - start < 1.5, "recovered after %.1f s" % (time.monotonic() - start)
        for raw in there:
            live(raw)
            raw.close()


@case("a written max-connections that descriptors cannot meet is refused; the default is lowered with a warning")
@threaded
def descriptors():
    try:
        server = Server("--max-connections", "5000", prefix=["prlimit", "--nofile=300:300"])
    except AssertionError as e:
        assert "max-connections" in str(e), e
    else:
        server.stop()
        raise AssertionError("started")
    with Server(prefix=["prlimit", "--nofile=300:300"]) as server:
        assert "max-connections" in server.log(), server.log()
        equal(curl(server.http("/live")).status, 200)


@rows("D3 a slow reader", [("drop: closed 1013 when its queue is over the cap", "drop"), ("close: the same at once", "close")])
async def slow_reader(_, policy):
    with Server("--slow-consumer", policy, "--client-buffer-bytes", "64k", "--presence-rate", "0", "--message-rate", "0",
                "--offline-debounce", "0") as server:
        async with await Rooms.open(server, "watch") as watch, await Snake.open(server, "good") as good:
            slow = await asyncio.to_thread(websocket, server, "/ws?dialect=dotted&user_id=slow", rcvbuf=4096)
            for i in range(60):
                await asyncio.to_thread(curl, server.http("/api/v1/broadcast"),
                                        data={"all": True, "data": {"n": i, "pad": "x" * 30000}})
                await good.want(has(type="message", payload__n=i))
                if any(m == has(type="presence", user_id="slow", status="offline") for m in watch.skipped):
                    break
                await watch.sync()
            await watch.want(has(type="presence", user_id="slow", status="offline"), 15)
            await good.sync()
            text = curl(server.http("/metrics")).body.decode()
            assert "slow" in text, "no counter says so"
            slow.close()


@case("D3 a slow watcher of presence is conflated, not closed: it gets the last state")
async def conflated(_):
    with Server("--client-buffer-bytes", "64k", "--presence-rate", "0", "--message-rate", "0") as server:
        async with await Snake.open(server, "busy-bee") as bee:
            slow = await asyncio.to_thread(websocket, server, "/ws?dialect=rooms&user_id=slow", rcvbuf=4096)
            for i in range(4000):
                await bee.send({"type": "presence_update", "payload": {"online_status": ("busy", "away")[i % 2]}})
                if i % 200 == 199:
                    await bee.sync()
                    bee.skipped.clear()
            await bee.send({"type": "presence_update", "payload": {"online_status": "dnd"}})
            await bee.sync()
            dropped = re.search(r"(?m)^presenced_conflated_total (\d+)$", curl(server.http("/metrics")).body.decode())
            assert int(dropped[1]) > 0, "it was not slow: nothing was conflated"
            await asyncio.to_thread(slow.until, lambda got: b'"status":"dnd"' in got, 10)
            await asyncio.to_thread(live, slow)
            slow.close()


@case("a ping falls due while one large message is on its way: the connection stays and gets it whole")
@threaded
def ping_behind_large():
    with Server("--max-message-size", "16m", "--heartbeat-interval", "1s", "--message-rate", "0", listen=("dialect=echo",)) as server:
        size = 8 << 20
        raw = websocket(server, "/", rcvbuf=65536)
        raw.send(masked(2, b"x" * size))
        start = time.monotonic()
        while len(raw.got) < size:  # reads for 1.4 s: longer than the interval, shorter than twice that
            assert raw.more(5), "closed after %d bytes of it" % len(raw.got)
            if len(raw.got) > size * (time.monotonic() - start) / 1.4:
                time.sleep(0.01)
        raw.send(masked(9, b"still?"))
        seen = []
        while (0x8a, b"still?") not in seen:
            seen.append(raw.frame())
            assert seen[-1][0] & 15 != 8, seen[-1]
        assert (0x82, b"x" * size) in seen, "not whole"
        raw.close()


@case("D10 a log pipe that nobody reads: lines are dropped and counted, the loop never waits")
@threaded
def log_pipe():
    read, write = os.pipe()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = Server("--log-level", "debug", "--listen", "127.0.0.1:%d" % port, listen=(), stderr=write)
    os.close(write)
    for _ in range(100):
        try:
            Raw(port).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    server.ports = [port]
    slowest = 0
    for i in range(600):
        start = time.monotonic()
        websocket(server, "/ws?dialect=rooms&user_id=" + "x" * 100 + str(i)).close()
        slowest = max(slowest, time.monotonic() - start)
    text = curl(server.http("/metrics")).body.decode()
    counted = [l for l in text.splitlines() if "log" in l and "drop" in l and not l.startswith("#")]
    server.terminate()
    code = server.process.wait(10)
    os.close(read)
    assert slowest < 1, "%.1f s" % slowest
    assert counted and float(counted[0].split()[-1]) > 0, counted
    equal(code, 0)


@case("the reader of the log goes away: no SIGPIPE")
@threaded
def log_gone():
    read, write = os.pipe()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    server = Server("--listen", "127.0.0.1:%d" % port, listen=(), stderr=write)
    os.close(write)
    assert b"Listening" in os.read(read, 4096)
    os.close(read)
    server.ports = [port]
    websocket(server, "/ws?dialect=rooms&user_id=u").close()
    equal(curl(server.http("/live")).status, 200)
    server.terminate()
    equal(server.process.wait(10), 0)


@case("SIGTERM: 1001 to all, an answer that was asked for comes, no new connections, exit 0")
async def drain(_):
    server = Server()
    clients = [await Snake.open(server, "u%d" % i) for i in range(20)]
    last = await Rooms.open(server, "last")
    await last.send({"type": "ping"})
    server.terminate()
    await last.want(has(type="pong"))
    for c in clients + [last]:
        await c.closed(1001)
    equal(await asyncio.to_thread(server.ended), None)


@case("SIGTERM: a request that has come by the end is answered, though nobody has accepted its connection yet")
@threaded
def drain_answers():
    for _ in range(3):
        server = Server()
        os.kill(server.pid, signal.SIGSTOP)
        server.terminate()
        with Raw(server.port, GET) as raw:
            os.kill(server.pid, signal.SIGCONT)
            equal(raw.head()[0], 200)
        equal(server.ended(6), None)


@case("SIGTERM: /ready is 503 and an upgrade 503 while a client has not answered its Close")
@threaded
def draining():
    server = Server()
    raw = websocket(server, "/ws?dialect=rooms&user_id=u")
    server.terminate()
    equal(raw.frames_until_close()[1], 1001)
    got = curl(server.http("/ready"))
    equal((got.status, got.json["status"]), (503, "unavailable"))
    equal(curl(server.http("/live")).status, 200)
    with Raw(server.port, upgrade("/ws?user_id=late")) as late:
        equal(late.head()[0], 503)
    start = time.monotonic()
    equal(server.ended(6), None)  # the reply is awaited 2 s, no longer
    assert time.monotonic() - start < 4


@case("POST /admin/drain does the same for clients, and /ready says so")
@threaded
def drain_by_admin():
    with Server(listen=("", "admin")) as server:
        raw = websocket(server, "/ws?dialect=rooms&user_id=u")
        assert curl(server.http("/admin/drain", 1), method="POST").status in (200, 202, 204)
        equal(raw.frames_until_close()[1], 1001)
        raw.close()


@case("a second SIGTERM ends it at once")
@threaded
def twice():
    server = Server("--drain-timeout", "30s")
    raw = websocket(server, "/ws?dialect=rooms&user_id=u")
    server.terminate()
    equal(raw.frames_until_close()[1], 1001)
    start = time.monotonic()
    server.terminate()
    server.process.wait(5)
    assert time.monotonic() - start < 0.5, "%.1f s" % (time.monotonic() - start)


@case("SIGSTOP for a second and SIGCONT: nobody lost, the debounce of who came back kept")
async def stopped(_):
    with Server("--offline-debounce", "300ms") as server:
        async with await Snake.open(server, "watch") as watch, await Snake.open(server, "stay") as stay:
            os.kill(server.pid, signal.SIGSTOP)
            await asyncio.sleep(1)
            await watch.send({"type": "ping"})
            os.kill(server.pid, signal.SIGCONT)
            await watch.want(has(type="pong"))
            await stay.sync()
            await watch.quiet(has(payload__online_status="offline"))


@case("a busy port: one clear line, not a start")
@threaded
def busy():
    with Server() as server:
        done = subprocess.run([BINARY, "--listen", "127.0.0.1:%d" % server.port], stderr=subprocess.PIPE, timeout=5,
                              env=environment())
        text = done.stderr.decode()
        assert done.returncode not in (0, None) and str(server.port) in text and len(text.splitlines()) == 1, (done.returncode, text)


run(None, together=True, seconds=45)
