#!/usr/bin/python3
"""RELIABILITY section I: descriptors run out, peers that never read, half-closed streams, signals, sockets of
other families. Waiting costs no processor time, in whatever state a connection is."""
import os, re, signal, socket, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from server import BINARY, Raw, Server, environment, masked, upgrade, websocket
from tap import end, ok, scenes

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
LIVE = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n"
IDLE_SHARE_MAX = 0.3  # of a processor: a spinning loop takes all of one


def cpu_s(server):
    fields = open("/proc/%d/stat" % server.pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rests(server, name, seconds=1):
    time.sleep(0.3)
    before = cpu_s(server)
    time.sleep(seconds)
    share = (cpu_s(server) - before) / seconds
    ok(share <= IDLE_SHARE_MAX, "no processor time: " + name, "%.2f of a processor" % share)


def stuff(raw, data):
    """Sends as much as it takes."""
    raw.socket.settimeout(0.5)
    try:
        raw.socket.sendall(data)
    except OSError:
        pass
    return raw


def close(*several):
    for raws in several:
        for raw in raws:
            raw.close()


def states():
    server = Server("--write-wait=60s", "--max-connections=20", listen=("", "dialect=echo"))
    rests(server, "nobody there")
    several = [Raw(server.port, b"BAD\r\n\r\n") for _ in range(3)]
    rests(server, "lingering after a refusal, the peer silent")
    close(several)
    several = [stuff(websocket(server, "/ws?user_id=u"), b"\x81\x02hi") for _ in range(3)]
    rests(server, "closing, the peer silent")
    close(several)
    several = [Raw(server.port, REQUEST * 900, rcvbuf=2048) for _ in range(3)]
    for raw in several:
        raw.socket.shutdown(socket.SHUT_WR)
    rests(server, "half-closed, answers not read")
    close(several)
    several = [stuff(websocket(server, "/", listener=1, rcvbuf=2048), masked(2, b"x" * 2000) * 4000) for _ in range(3)]
    rests(server, "input paused because answers are not read")
    several[0].socket.shutdown(socket.SHUT_WR)
    rests(server, "and half-closed")
    close(several)
    several = [Raw(server.port) for _ in range(200)]
    rests(server, "every slot taken, more waiting")
    close(several)
    with Raw(server.port, LIVE) as raw:
        ok(raw.answer()[0] == 200, "and then served again")
    why = server.stop()
    ok(why is None, "a clean end", why or "")


def input_order():
    server = Server(listen=("dialect=echo",))
    raw, count = websocket(server, "/", rcvbuf=2048), 30000
    if os.fork() == 0:
        raw.socket.settimeout(30)
        raw.socket.sendall(b"".join(masked(1, b"%05d" % i) for i in range(count)))
        os._exit(0)
    good = all(raw.frame(10) == (0x81, b"%05d" % i) for i in range(count))
    os.wait()
    ok(good, "30000 tiny messages come back in order, read slowly")
    raw.close()
    raw = Raw(server.port, LIVE * 2000)
    raw.socket.shutdown(socket.SHUT_WR)
    for _ in range(2000):
        raw.answer()
    ok(raw.socket.recv(1) == b"", "2000 pipelined requests and the end of the stream: all answered, then closed")
    raw.close()
    why = server.stop()
    ok(why is None, "a clean end", why or "")


def no_descriptors():
    server = Server("--max-connections=500")
    status = open("/proc/%d/status" % server.pid).read()
    uid, gid = (int(re.search(name + r":\s+(\d+)", status)[1]) for name in ("Uid", "Gid"))
    as_it = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    friend = websocket(server, "/ws?user_id=friend")
    if subprocess.run(["prlimit", "--pid", str(server.pid), "--nofile=40:40"], stderr=subprocess.DEVNULL, **as_it).returncode != 0:
        ok(True, "descriptors run out # SKIP prlimit may not")
        server.stop()
        return
    several = [Raw(server.port) for _ in range(200)]
    rests(server, "no descriptor left, many waiting")
    friend.send(masked(9, b"here?"))
    while friend.frame()[0] != 0x8a:
        pass
    ok(True, "those who are there are served")
    close(several)
    with Raw(server.port, LIVE) as raw:
        ok(raw.answer(10)[0] == 200, "and newcomers again once there are descriptors")
    friend.close()
    several = [Raw(server.port) for _ in range(60)]
    late = Raw(server.port, LIVE)
    time.sleep(0.3)
    server.terminate()
    ok(late.answer(10)[0] in (200, 503), "who waits outside for want of a descriptor is answered before the end")
    close(several, [late])
    why = server.ended()
    ok(why is None, "a clean end", why or "")


def signals():
    server = Server()
    raw = websocket(server, "/ws?user_id=u")
    server.terminate()
    server.wait_log("Draining")
    start = time.monotonic()
    server.terminate()
    ok(server.process.wait(5) == 0 and time.monotonic() - start < 1, "a second SIGTERM ends it at once")
    raw.close()
    server = Server(listen=("admin",))
    raw = websocket(server, "/ws?user_id=u")
    with Raw(server.port, b"POST /admin/drain HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") as admin:
        ok(admin.answer()[0] == 202, "/admin/drain")
    server.terminate()
    time.sleep(0.3)
    ok(server.process.poll() is None, "one SIGTERM behind it does not cut the drain short")
    seen, code = raw.frames_until_close()
    ok(code == 1001, "1001", code)
    raw.send(masked(8, b"\x03\xe9"))
    why = server.ended()
    ok(why is None, "and then it ends by itself", why or "")


def families():
    folder = tempfile.TemporaryDirectory()
    os.chmod(folder.name, 0o777)
    path = os.path.join(folder.name, "socket")
    argv = [BINARY, "--listen=unix:" + path, "--max-connections-per-ip=1"]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=environment(), cwd="/")
    heads = []
    for _ in range(2):
        s = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                s.connect(path)
                break
            except OSError:
                time.sleep(0.05)
        s.settimeout(5)
        s.sendall(upgrade("/ws?user_id=u"))
        heads.append((s.recv(65536)[:12], s))
    ok(all(h == b"HTTP/1.1 101" for h, _ in heads), "two peers on a unix socket", heads)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = subprocess.Popen(argv, stderr=subprocess.PIPE, env=environment(), cwd="/")
    first = again.stderr.readline()
    ok(b"Listening" in first, "a socket left over from a killed run is taken over", first)
    again.terminate()
    ok(again.wait(15) == 0 and not os.path.exists(path), "and removed at the end")
    again.stderr.close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = subprocess.run([*argv, "--listen=127.0.0.1:%d" % taken.getsockname()[1]], stderr=subprocess.PIPE, env=environment(), cwd="/", timeout=10)
    ok(failed.returncode != 0 and not os.path.exists(path), "a start that fails leaves no socket behind", failed)
    server = Server("--listen", "[::1]:0", listen=(), listeners=1)
    port = server.ports[0]
    s = socket.create_connection(("::1", port), 5)
    s.sendall(LIVE)
    ok(s.recv(12) == b"HTTP/1.1 200", "IPv6")
    s.close()
    why = server.stop()
    ok(why is None, "a clean end", why or "")


def status_of(server, name):
    return re.search(r"^%s:\s+(.*)$" % name, open("/proc/%d/status" % server.pid).read(), re.M)[1]


def sleeps(server):
    """How often it went to sleep while a client sent a ping every 10 ms for a second, and how many pings were answered."""
    with websocket(server, "/", listener=0) as raw:
        before, answered = int(status_of(server, "voluntary_ctxt_switches")), 0
        for _ in range(100):
            raw.send(masked(9, b"?"))
            answered += raw.frame()[0] == 0x8a
            time.sleep(0.01)
        return int(status_of(server, "voluntary_ctxt_switches")) - before, answered


def processors():
    cpu = max(os.sched_getaffinity(0))
    server = Server("--cpu-affinity", cpu, "--workers=1", listen=("dialect=echo",))
    bound = [re.search(r"^Cpus_allowed_list:\s+(.*)$", open("/proc/%d/task/%s/status" % (server.pid, t)).read(), re.M)[1]
             for t in os.listdir("/proc/%d/task" % server.pid)]
    ok(set(bound) == {str(cpu)}, "cpu-affinity: every thread is on that CPU", bound)
    count, answered = sleeps(server)
    ok(answered == 100 and count >= 90, "without busy-poll it sleeps between two pings", (count, answered))
    why = server.stop()
    ok(why is None, "a clean end", why or "")
    server = Server("--busy-poll=100000", listen=("dialect=echo",))
    count, answered = sleeps(server)
    ok(answered == 100 and count <= 10, "busy-poll: it does not", (count, answered))
    rests(server, "busy-poll, and nothing comes")
    why = server.stop()
    ok(why is None, "a clean end", why or "")
    server = Server("--busy-poll=1000000", "--ping-period=100ms", listen=("dialect=echo",))
    with websocket(server, "/", listener=0) as raw:
        start = time.monotonic()
        ok(raw.frame()[0] == 0x89 and time.monotonic() - start < 0.7, "busy-poll: a timer is not late", time.monotonic() - start)
    why = server.stop()
    ok(why is None, "a clean end", why or "")


scenes(states, input_order, no_descriptors, signals, families, processors)
end()
