#!/usr/bin/python3
"""TLS as other programs see it: openssl, curl, sslscan, python. RELIABILITY section G, D9, H17; the sessions' own cases are in
test/unit/test_tls.c."""
import atexit, json, os, re, shutil, signal, socket, ssl, subprocess, sys, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import pki
from server import BINARY, Server, environment, masked, upgrade
from tap import end, ok
from web import curl


def text(cert):
    return open(cert, encoding="ascii").read()


RSA = pki.pair("rsa", "rsa", ("both.example", "rsa.example"))
EC = pki.pair("ec", "ec", ("both.example", "ec.example", "*.wild.example", "127.0.0.1"))
P384 = pki.pair("p384", "p384", ("p384.example",))
server = Server("--tls-cert", RSA[0], "--tls-key", RSA[1], "--tls-cert", EC[0], "--tls-key", EC[1], "--tls-cert", P384[0], "--tls-key",
                P384[1], listen=("tls", "", "tls,dialect=echo"))
atexit.register(server.process.kill)  # should a case raise: nothing is left behind
PORT, PLAIN, ECHO = server.ports
GET = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n"


def s_client(*args, say=b"", port=PORT):
    done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % port, *args], input=say, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=20)
    return done.stdout.decode("utf-8", "replace")


def connect(**more):
    """A TLS connection of python's, over a socket of its own: (tls, socket)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", more.pop("port", PORT)), 5)
    return context.wrap_socket(plain, server_hostname=more.pop("name", None), suppress_ragged_eofs=False, **more)


def tcp(first=b"", port=PORT):
    raw = socket.create_connection(("127.0.0.1", port), 5)
    if first:
        raw.sendall(first)
    return raw


def drain(raw, seconds=5):
    """All up to the end, and how long it took; None for the bytes if no end came."""
    start, got = time.monotonic(), b""
    raw.settimeout(seconds)
    try:
        while True:
            data = raw.recv(65536)
            if not data:
                return got, time.monotonic() - start
            got += data
    except ConnectionError:
        return got, time.monotonic() - start
    except socket.timeout:
        return None, seconds


def metric(name):
    for line in curl(server.http("/metrics", 1)).body.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])
    return None


def failures(reason):
    return metric('presenced_tls_failures_total{reason="%s"}' % reason)


# --- versions, suites, names ---
shown = s_client("-tls1_2", "-servername", "ec.example", "-CAfile", EC[0], "-verify_hostname", "ec.example", say=GET)
ok("Verify return code: 0 (ok)" in shown and "Protocol  : TLSv1.2" in shown, "openssl: TLS 1.2, the certificate verifies", shown[-1500:])
ok("Secure Renegotiation IS supported" in shown, "openssl: RFC 5746 is understood", shown[-1500:])
for what, args, want in [("TLS 1.3 alone", ["-tls1_3"], "alert"), ("TLS 1.1", ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "alert protocol version"),
                         ("RSA key exchange", ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "alert handshake failure"),
                         ("CBC", ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"], "alert handshake failure"),
                         ("CCM", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM"], "alert handshake failure"),
                         ("DHE", ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], "alert handshake failure"),
                         ("SHA-1 signatures alone", ["-tls1_2", "-sigalgs", "RSA+SHA1:ECDSA+SHA1", "-cipher", "ALL:@SECLEVEL=0"],
                          "alert handshake failure"),
                         ("no curve of ours", ["-tls1_2", "-curves", "X448"], "alert handshake failure")]:
    shown = s_client(*args)
    ok(want in shown and "Cipher is (NONE)" in shown, "refused: " + what, shown[-800:])
for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
              "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"):
    with subprocess.Popen(["openssl", "s_client", "-quiet", "-ign_eof", "-tls1_2", "-cipher", suite, "-connect", "127.0.0.1:%d" % PORT],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as p:
        out, _ = p.communicate(b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 10)
    ok(b"200 OK" in out, "a request by " + suite, out)
for curve in ("X25519", "P-256", "P-384", "P-521"):
    shown = s_client("-tls1_2", "-curves", curve, "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
    ok("Cipher is ECDHE-RSA-AES128-GCM-SHA256" in shown, "key exchange on " + curve, shown[-800:])
shown = s_client("-tls1_2", "-curves", "X25519")
ok("Cipher is ECDHE-RSA" in shown, "a client without P-256 gets no signature on it: RSA", shown[-800:])


def certificate_for(name, *args):
    shown = s_client("-tls1_2", *(["-servername", name] if name else ["-noservername"]), *args)
    for cert in (RSA, EC, P384):
        if text(cert[0]).strip() in shown:
            return os.path.basename(cert[0])[:-4]
    return shown


for name, want, args in [("rsa.example", "rsa", []), ("ec.example", "ec", []), ("both.example", "ec", []),
                         ("both.example", "rsa", ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]),
                         ("both.example", "rsa", ["-sigalgs", "RSA+SHA256"]), ("x.wild.example", "ec", []),
                         ("p384.example", "p384", []), ("nobody.example", "ec", []), (None, "ec", [])]:
    got = certificate_for(name, *args)
    ok(got == want, "SNI %s%s: the %s certificate" % (name, " " + args[1] if args else "", want), got)
shown = s_client("-alpn", "h2,http/1.1")
ok("ALPN protocol: http/1.1" in shown, "ALPN: http/1.1 of two", shown[-800:])
shown = s_client("-alpn", "h2")
ok("no application protocol" in shown, "ALPN: only others: no_application_protocol (RFC 7301 3.2)", shown[-800:])
if shutil.which("sslscan"):
    scan = subprocess.run(["sslscan", "--no-colour", "127.0.0.1:%d" % PORT], stdout=subprocess.PIPE, timeout=120).stdout.decode()
    accepted = set(re.findall(r"(?:Accepted|Preferred)\s+(\S+)\s+\d+ bits\s+(\S+)", scan))
    ok(accepted and all(v == "TLSv1.2" and re.match(r"ECDHE-(RSA|ECDSA)-(AES(128|256)-GCM|CHACHA20)", c) for v, c in accepted) and
       len(accepted) == 6, "B6: sslscan finds these six suites and no others", scan)
    ok("Session renegotiation not supported" in scan, "sslscan: no renegotiation", scan)
    ok("TLSv1.2 not vulnerable to heartbleed" in scan and "Server supports TLS Fallback SCSV" in scan and
       not re.search(r"TLSv1\.[013] +enabled|SSLv. +enabled", scan), "sslscan: TLS 1.2 alone, no heartbeat, RFC 7507", scan)
else:
    ok(True, "sslscan # SKIP it is not installed")

# --- clients ---
answer = curl("https://both.example:%d/health" % PORT, "--cacert", EC[0], "--resolve", "both.example:%d:127.0.0.1" % PORT)
ok(answer.status == 200 and answer.json["status"] == "healthy", "curl: https, verified by name", answer)
answer = subprocess.run(["curl", "-sk", "--tls-max", "1.2", "--http1.1", "https://127.0.0.1:%d/live" % PORT,
                         "https://127.0.0.1:%d/live" % PORT, "-w", "%{num_connects} "], stdout=subprocess.PIPE).stdout.decode()
ok(re.findall(r"\b[01] ", answer) == ["1 ", "0 "], "curl: two requests on one connection", answer)
with connect() as tls:
    tls.sendall(upgrade("/ws?user_id=ann&dialect=rooms"))
    got = tls.recv(65536)
    ok(got.startswith(b"HTTP/1.1 101"), "a WebSocket over it", got)
    for size in (1000, 20000, 60000):
        tls.sendall(masked(1, json.dumps({"type": "ping", "pad": "x" * size})))
        got = b""
        while b'"pong"' not in got:
            got += tls.recv(65536)
    ok(True, "messages of several records")
with connect(port=ECHO) as tls:
    tls.sendall(upgrade("/"))
    tls.recv(65536)
    data, got, frames, same = os.urandom(60000), b"", 40, True
    plain = tls
    tls.settimeout(10)
    for _ in range(frames):
        tls.sendall(masked(2, data))
        while len(got) < len(data) + 4:
            got += tls.recv(65536)
        same, got = same and got[4:len(data) + 4] == data, got[len(data) + 4:]
    ok(same and got == b"", "2.4 MB there and back")

# --- resumption ---
before = metric("presenced_tls_resumed_total")
path = os.path.join(pki.directory(), "session")
s_client("-tls1_2", "-sess_out", path, say=GET)
shown = s_client("-tls1_2", "-sess_in", path, say=GET)
ok("Reused, TLSv1.2" in shown and metric("presenced_tls_resumed_total") == before + 1, "a session is resumed, and counted", shown[-800:])
shown = s_client("-tls1_2", "-sess_in", path, "-alpn", "h2", say=GET)
ok(curl(server.http("/live", 1)).status == 200, "BearSSL 0.6's flaw: resuming with other protocols harms nobody", shown[-800:])

# --- the impolite ---
p = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-connect", "127.0.0.1:%d" % PORT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT)
time.sleep(0.5)
p.stdin.write(b"R\n")
p.stdin.flush()
time.sleep(0.5)
out = p.communicate(b"Q\n", 10)[0].decode()
ok("RENEGOTIATING" in out and "no renegotiation" in out, "B5: renegotiation is refused", out[-600:])

for what, first, want in [("random bytes", os.urandom(400).replace(b"\x16", b"\x17"), None), ("plain HTTP", GET, b"HTTP/1.1 400 "),
                          ("a record of 16 KiB + 1", b"\x16\x03\x01\x40\x01", b"\x15\x03\x01\x00\x02\x02\x16"),
                          ("0xffff", b"\x16\x03\x03\xff\xff", b"\x15\x03\x01\x00\x02\x02\x16"),
                          ("a heartbeat", b"\x18\x03\x02\x00\x03\x01\x40\x00", b"\x15\x03")]:
    with tcp(first) as raw:
        got, took = drain(raw)
    ok(got is not None and took < 1 and (want is None or got.startswith(want)), "B5: %s: closed at once" % what, (got, took))
with tcp(b"\x16\x03\x01\x00\x00" * 2000) as raw:
    got, took = drain(raw, 8)
    ok(got is not None and 4.5 < took < 6.5, "B5: nothing but empty records: closed at the deadline", (got, took))
before = failures("timeout")
with tcp() as silent, tcp() as dripping:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(33) + b"\x01\xc0" + bytes(460)
    start, ended = time.monotonic(), None
    for i in range(90):
        try:
            dripping.sendall(hello[i:i + 1])
            dripping.settimeout(0.1)
            if dripping.recv(100) == b"":
                ended = time.monotonic() - start
                break
        except socket.timeout:
            continue
        except ConnectionError:
            ended = time.monotonic() - start
            break
    ok(ended is not None and 4.5 < ended < 6, "H17: a handshake of a byte per 0.1 s is closed 5 s after accept", ended)
    got, took = drain(silent, 3)
    ok(got == b"" and took < 1.5, "D9: silence too", (got, took))
ok(failures("timeout") == before + 2, "and counted", failures("timeout"))
tls = connect()
tls.sendall(GET)
tls.recv(65536)
plain = socket.socket(fileno=tls.detach())
plain.shutdown(socket.SHUT_WR)
got, took = drain(plain)
ok(got is not None and took < 1, "B5: FIN without close_notify: closed", (got, took))
plain.close()
with connect() as tls:
    tls.sendall(GET)
    tls.recv(65536)
    other = socket.socket(fileno=os.dup(tls.fileno()))
    other.sendall(b"\x17\x03\x03\x00\x30" + bytes(48))
    try:
        got = tls.recv(100)
    except ssl.SSLError as e:
        got = e.reason
    ok(got == "SSLV3_ALERT_BAD_RECORD_MAC", "a forged record: bad_record_mac", got)
    other.close()
tls = connect()
tls.sendall(GET)
tls.recv(65536)
tls.settimeout(5)
plain = tls.unwrap()
ok(drain(plain)[0] == b"", "close_notify is answered with the same")
plain.close()
with connect() as tls:
    tls.sendall(b"GET /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    got = b""
    try:
        while True:
            data = tls.recv(65536)
            if not data:
                break
            got += data
    except ssl.SSLError as e:
        got = e
    ok(isinstance(got, bytes) and b"200 OK" in got, "the server ends with close_notify", got)
held = connect()
held.sendall(upgrade("/ws?user_id=held&dialect=rooms"))
held.recv(65536)
quiet = connect()
quiet.sendall(upgrade("/ws?user_id=quiet&dialect=rooms"))
quiet.recv(65536)
raw = socket.socket(fileno=os.dup(held.fileno()))
raw.sendall(b"\x17\x03\x03\x20\x00" + bytes(100))
got, took = drain(raw, 13)
ok(got is not None and 9 < took < 12, "H17: half a record is closed after 10 s", took)
raw.close()
ok(failures("stalled") == 1 and failures("bad_record") >= 5, "by reason in /metrics")
log = [l for l in server.lines if l and "reason=tls" in l]
ok(0 < len(log) < 40, "and in the log, at most one a second for each", "\n".join(log))

# --- SIGHUP ---
with connect(name="ec.example") as live:
    live.sendall(GET)
    live.recv(65536)
    mark = len(server.lines)
    good = {path: text(path) for pair in (RSA, EC) for path in pair}
    open(EC[1], "w").write(text(RSA[1]))
    os.kill(server.pid, signal.SIGHUP)
    line = server.wait_log("not loaded", since=mark)
    ok("does not belong to the certificate" in line and "ec.key" in line, "SIGHUP: a pair that does not fit is one line, the old stays", line)
    os.chmod(EC[1], 0o600)
    os.kill(server.pid, signal.SIGHUP)
    line = server.wait_log("not loaded.*" + ("Permission denied" if os.geteuid() == 0 else "belong"), since=mark)
    ok(line, "SIGHUP: so is a file that it may not read any more", line)
    os.chmod(EC[1], 0o644)
    open(EC[1], "w").write(good[EC[1]][:80])
    mark = len(server.lines)
    os.kill(server.pid, signal.SIGHUP)
    ok("not good PEM" in server.wait_log("not loaded", since=mark), "B7: so is half a file")
    ok(certificate_for("ec.example") == "ec", "handshakes go on with the old")
    new = pki.pair("new", "ec", ("ec.example",))
    for i in (0, 1):
        open(EC[i], "w").write(text(new[i]))
    mark = len(server.lines)
    os.kill(server.pid, signal.SIGHUP)
    server.wait_log("TLS certificates loaded", since=mark)
    ok(text(new[0]).strip() in s_client("-tls1_2", "-servername", "ec.example"), "SIGHUP: new handshakes get the new certificate")
    live.sendall(GET)
    ok(b"200 OK" in live.recv(65536), "and who was there stays")
quiet.sendall(masked(1, '{"type":"ping"}'))
ok(b"pong" in quiet.recv(65536), "even who has been quiet for long")
quiet.close()

# --- starts that cannot be ---
expired = os.path.join(pki.directory(), "expired.crt")
pki.openssl("req", "-new", "-key", EC[1], "-out", "expired.csr", "-subj", "/CN=old.example")
pki.openssl("x509", "-req", "-in", "expired.csr", "-signkey", EC[1], "-out", expired, "-days", "-1")
combined = os.path.join(pki.directory(), "combined.pem")
open(combined, "w").write(text(RSA[1]) + "some words\n" + text(RSA[0]).rstrip("\n"))
garbage = os.path.join(pki.directory(), "garbage.pem")
open(garbage, "w").write("nothing\n")
locked = os.path.join(pki.directory(), "locked.key")
pki.openssl("ec", "-in", EC[1], "-aes128", "-passout", "pass:x", "-out", locked)
pki.openssl("pkcs8", "-topk8", "-in", EC[1], "-passout", "pass:x", "-out", locked + "8")
small, odd = pki.pair("small", "rsa1024"), pki.pair("odd", "p521")
for what, options, want in [
        ("no pair at all", [], "tls-cert"),
        ("a certificate without a key", ["--tls-cert", EC[0]], "tls-key"),
        ("no such file", ["--tls-cert", "/nowhere.crt", "--tls-key", EC[1]], '--tls-cert: "/nowhere.crt": No such file'),
        ("no such key", ["--tls-cert", EC[0], "--tls-key", "/nowhere.key"], '--tls-key: "/nowhere.key": No such file'),
        ("a directory", ["--tls-cert", "/tmp", "--tls-key", EC[1]], '--tls-cert: "/tmp": '),
        ("no PEM", ["--tls-cert", garbage, "--tls-key", EC[1]], 'garbage.pem": holds no certificate'),
        ("a certificate for a key", ["--tls-cert", EC[0], "--tls-key", EC[0]], '": holds no private key'),
        ("another's key", ["--tls-cert", EC[0], "--tls-key", RSA[1]], '--tls-key: "%s": does not belong' % RSA[1]),
        ("another's key of the same kind", ["--tls-cert", EC[0], "--tls-key", odd[1]], "P-256 and P-384"),
        ("an encrypted key", ["--tls-cert", EC[0], "--tls-key", locked], "encrypted"),
        ("an encrypted PKCS #8 key", ["--tls-cert", EC[0], "--tls-key", locked + "8"], "encrypted"),
        ("RSA-1024", ["--tls-cert", small[0], "--tls-key", small[1]], "less than 2048 bits")]:
    for command in ("serve", "check"):
        done = subprocess.run([BINARY, command, "--listen", "127.0.0.1:0,tls", *options], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env=environment(), timeout=10)
        said = done.stderr.decode()
        ok(done.returncode == 2 and want in said and said.count("\n") == 1, "%s: %s: one line, exit 2" % (command, what), (done.returncode, said))
done = subprocess.run([BINARY, "check", "--listen", "127.0.0.1:0,tls", "--tls-cert", expired, "--tls-key", EC[1]], stdout=subprocess.PIPE,
                      stderr=subprocess.PIPE, env=environment(), timeout=10)
ok(done.returncode == 0 and b"has expired" in done.stderr, "check: an expired certificate only warns", done.stderr)
with Server("--tls-cert", expired, "--tls-key", EC[1], "--tls-cert", combined, "--tls-key", combined, listen=("tls",)) as other:
    ok("has expired" in other.log() and curl(other.http("/live"), "-k").status == 200 and
       "Cipher is ECDHE-RSA" in s_client("-servername", "rsa.example", port=other.port),
       "serve: the same; and both in one file, key first, no newline at its end", other.log())
ok(server.stop() is None, "SIGTERM: exit code 0, and nothing in the log that should not be there", server.log()[-2000:])
end()
