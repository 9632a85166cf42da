"""test/bench/tls.py: the TLS figures of test/bench/run: handshakes beside `openssl s_server`, memory of idle connections, bulk,
and what a flood of hellos does to those who are there. Clients stay on core 1, servers on core 0, as everywhere here."""
import os, re, shutil, socket, ssl, statistics, subprocess, tempfile, time

WEBSOCKET = b"GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
SUITES = {"ec": "ECDHE-ECDSA-AES128-GCM-SHA256", "rsa": "ECDHE-RSA-AES128-GCM-SHA256"}
KEYS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
IDLE, BULK_MIB = 2000, 64


def cpu_s(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Certificates:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="presenced-bench-")
        for kind, key in KEYS.items():
            subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-keyout", self.key(kind), "-out", self.cert(kind),
                            "-days", "3", "-subj", "/CN=localhost"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.chmod(self.key(kind), 0o644)

    def cert(self, kind):
        return os.path.join(self.dir, kind + ".crt")

    def key(self, kind):
        return os.path.join(self.dir, kind + ".key")

    def options(self, kind):
        return ["--tls-cert", self.cert(kind), "--tls-key", self.key(kind)]

    def remove(self):
        shutil.rmtree(self.dir)


def s_time(port, kind, mode, seconds):
    """Connections made in `seconds`, one after the other."""
    done = subprocess.run(["openssl", "s_time", "-connect", "127.0.0.1:%d" % port, "-" + mode, "-time", str(max(1, round(seconds))),
                           "-tls1_2", "-cipher", SUITES[kind]], capture_output=True, text=True, timeout=60,
                          preexec_fn=lambda: os.sched_setaffinity(0, {1}))
    found = re.findall(r"(\d+) connections in \d+ real seconds", done.stdout)
    return int(found[-1]) if found else 0


def handshakes(server_class, argv, port, kind, mode, seconds):
    """Handshakes per CPU second of the server."""
    server = server_class(argv, port)
    try:
        before = cpu_s(server.child.pid)
        count = s_time(port, kind, mode, seconds)
        return count / max(0.01, cpu_s(server.child.pid) - before)
    finally:
        server.stop()


def connect(port, i, tls):
    s = socket.socket()
    s.bind(("127.0.1.%d" % (1 + i % 50), 0))
    s.connect(("127.0.0.1", port))
    return tls.wrap_socket(s) if tls else s


def trusting():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def join(port, i, tls, path=b"/ws?dialect=dotted&user_id=u%d"):
    s = connect(port, i, tls)
    s.sendall(WEBSOCKET % (path % i if b"%" in path else path))
    got = b""
    while b"\r\n\r\n" not in got:
        got += s.recv(4096)
    return s


def idle_bytes(server, port, tls):
    held = [join(port, i, tls) for i in range(20)]
    before = server.memory()["VmRSS"]
    held += [join(port, 100 + i, tls) for i in range(IDLE)]
    time.sleep(0.5)
    each = (server.memory()["VmRSS"] - before) / IDLE
    for s in held:
        s.close()
    return each


def bulk_ms(server, port, tls):
    """Server CPU milliseconds per MiB that is echoed."""
    s = join(port, 0, tls, b"/")
    data = os.urandom(1 << 15)
    frame = b"\x82\xfe\x80\x00\0\0\0\0"[:2] + (1 << 15).to_bytes(2, "big") + b"\0\0\0\0" + data
    before, left = cpu_s(server.child.pid), 0
    for _ in range(BULK_MIB * 32):
        s.sendall(frame)
        left += len(data) + 4
        while left > 0:
            left -= len(s.recv(65536))
    s.close()
    return (cpu_s(server.child.pid) - before) * 1e3 / BULK_MIB


def show(bench, server_class, free_port, rounds, flood_rates):
    """Prints all of it; how many rows failed."""
    files = Certificates()
    try:
        return show_handshakes(bench, server_class, free_port, files, rounds) + show_memory(bench, server_class, free_port, files) + \
            show_flood(bench, server_class, free_port, files, rounds, flood_rates)
    finally:
        files.remove()


def show_handshakes(bench, server_class, free_port, files, rounds):
    print("\nTLS 1.2 handshakes per second of the server's CPU (openssl s_time as the client), medians of %d; ratio: presenced / s_server.\n"
          % rounds)
    print("%-28s %10s %10s  %s" % ("", "s_server", "presenced", "ratio"))
    for name, kind, mode in (("ECDSA P-256, X25519", "ec", "new"), ("RSA-2048, X25519", "rsa", "new"), ("resumed", "ec", "reuse")):
        got = []
        for _ in range(rounds):
            port = free_port()
            other = handshakes(server_class, ["openssl", "s_server", "-accept", str(port), "-cert", files.cert(kind), "-key",
                                              files.key(kind), "-quiet", "-tls1_2"], port, kind, mode, bench.options.seconds)
            port = free_port()
            own = handshakes(server_class, bench.presenced(",tls", files.options(kind), port), port, kind, mode, bench.options.seconds)
            got.append((other, own))
        print("%-28s %10d %10d  %.2f" % (name, statistics.median(g[0] for g in got), statistics.median(g[1] for g in got),
                                       statistics.median(g[1] / max(1, g[0]) for g in got)), flush=True)
    return 0


def show_memory(bench, server_class, free_port, files):
    print("\nBeside plain TCP: resident bytes of each of %d idle `dotted` connections; server CPU ms per MiB echoed in messages of 32 KiB.\n"
          % IDLE)
    print("%-28s %10s %10s" % ("", "bytes", "ms/MiB"))
    for name, suffix, tls, options in (("plain", "", None, []), ("TLS, AES-128-GCM", ",tls", trusting(), files.options("ec"))):
        figures = []
        for dialect, measure in (("", idle_bytes), (",dialect=echo", bulk_ms)):
            port = free_port()
            server = server_class(bench.presenced(suffix + dialect, options, port), port)
            try:
                figures.append(measure(server, port, tls))
            finally:
                server.stop()
        print("%-28s %10d %10.2f" % (name, *figures), flush=True)
    return 0


def show_flood(bench, server_class, free_port, files, rounds, rates):
    print("\n20 events/s to 1,000 in one room: at rest, and beside hellos of TLS to the same server that cost a signature each and are then")
    print("left alone. Latency p50 / p99 / max in ms, medians of %d; ratio: median of the rounds' own p99 flooded / p99 quiet.\n" % rounds)
    print("%-18s %10s %-24s %-24s %-8s" % ("hellos/s", "came", "quiet ms", "flooded ms", "p99 ratio"))
    for kind in ("ec", "rsa"):
        for rate in rates:
            got = []
            for _ in range(rounds):
                port, tls_port = free_port(), free_port()
                argv = bench.presenced("", files.options(kind), port) + ["--listen", "127.0.0.1:%d,tls" % tls_port]
                got.append(bench.against(argv, port, "dotted", "flood --clients 1000 --rate 20 --handshakes %d --hello-port %d" % (
                    rate, tls_port)))
            middle = {k: statistics.median(g[k] for g in got) for k in got[0] if isinstance(got[0][k], int)}
            print("%-18s %10d %-24s %-24s %.2f" % (
                "%s, %d" % (kind, rate), middle["handshakes_per_second"],
                " / ".join("%.2f" % (middle["quiet_" + k] / 1e6) for k in ("p50_ns", "p99_ns", "max_ns")),
                " / ".join("%.2f" % (middle[k] / 1e6) for k in ("p50_ns", "p99_ns", "max_ns")),
                statistics.median(g["p99_ns"] / g["quiet_p99_ns"] for g in got)), flush=True)
    return 0
