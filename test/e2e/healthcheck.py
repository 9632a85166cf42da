#!/usr/bin/python3
"""`presenced healthcheck` over TLS: which listener it asks, whom it believes, and what it says of servers that misbehave. (What it
does without TLS: options.sh.)"""
import os, socket, ssl, subprocess, sys, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import pki
from issuer import Certificates
from server import BINARY, Server, environment
from tap import case, equal, rows, run


def healthcheck(*args, **env):
    """Exit code, standard error without the part that is always there."""
    done = subprocess.run([BINARY, "healthcheck", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(**env), timeout=20)
    err = done.stderr.decode()
    assert done.stdout == b"" and err.count("\n") == (done.returncode != 0), (done.stdout, err)
    return done.returncode, err.replace("presenced: healthcheck: ", "").strip()


class Fake:
    """A server of one connection, given its socket."""

    def __init__(self, then, cert=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = "https://localhost:%d" % self.port
        self.cert, self.then = cert, then
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        c, _ = self.listener.accept()
        c.settimeout(10)
        try:
            if self.cert:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.cert)
                c = context.wrap_socket(c, server_side=True)
            self.then(c)
        except OSError:
            pass
        c.close()


def presents(*certificates):
    """What a server says up to its Certificate message (RFC 5246 7.4.2)."""
    def long(data):
        return len(data).to_bytes(3, "big") + data
    chosen = b"\x03\x03" + bytes(32) + b"\0\xc0\x2f\0"
    said = b"\x02" + long(chosen) + b"\x0b" + long(long(b"".join(map(long, certificates))))
    return lambda c: (c.sendall(b"\x16\x03\x03" + len(said).to_bytes(2, "big") + said), c.recv(1000), c.recv(1000))


AUTHORITY = Certificates(pki.directory())
GOOD = AUTHORITY.issue("localhost")
EC = AUTHORITY.issue("localhost", "ec")
os.mkdir(os.path.join(pki.directory(), "others"))
OTHERS = Certificates(os.path.join(pki.directory(), "others"))
CHAIN = os.path.join(pki.directory(), "chain.pem")
with open(CHAIN, "w") as f:
    f.write(open(GOOD[0]).read() + open(AUTHORITY.ca).read())
DER = pki.openssl("x509", "-in", GOOD[0], "-outform", "DER")
EXPIRED = os.path.join(pki.directory(), "expired.pem")
pki.openssl("x509", "-req", "-in", GOOD[0][:-4] + ".csr", "-CA", AUTHORITY.ca, "-CAkey", AUTHORITY.ca_key, "-CAcreateserial", "-days", "-1",
            "-extfile", GOOD[0][:-4] + ".ext", "-out", EXPIRED)


@rows("whoever signed it, whatever it names: without --ca-file nobody is verified", [
    ("one's own, RSA", pki.pair("own-rsa", "rsa", ("presence.example",))),
    ("one's own, P-256", pki.pair("own-ec", "ec", ("presence.example",))),
    ("one's own, P-384", pki.pair("own-p384", "p384", ("presence.example",))),
    ("a chain", (CHAIN, GOOD[1])), ("expired", (EXPIRED, GOOD[1])),
])
async def anybody(_, pair):
    with Server(*pki.options(pair), listen=("tls",)) as server:
        equal(healthcheck("https://127.0.0.1:%d" % server.port), (0, ""))
        equal(healthcheck("https://localhost:%d/live" % server.port), (0, ""))
        equal(healthcheck(PRESENCED_LISTEN="0.0.0.0:%d,tls" % server.port), (0, ""))


@rows("with --ca-file it is", [
    ("right, RSA", GOOD, "localhost", AUTHORITY.ca, 0, ""), ("right, P-256", EC, "localhost", AUTHORITY.ca, 0, ""),
    ("another name", GOOD, "127.0.0.1", AUTHORITY.ca, 1, "the certificate is for another host"),
    ("another CA", GOOD, "localhost", OTHERS.ca, 1, "no certificate of ca-file vouches for the certificate"),
    ("expired", (EXPIRED, GOOD[1]), "localhost", AUTHORITY.ca, 1, "the certificate is not valid now"),
])
async def verified(_, pair, host, ca, code, why):
    with Server(*pki.options(pair), listen=("tls",)) as server:
        place = "%s:%d" % (host, server.port)
        equal(healthcheck("https://" + place, "--ca-file", ca), (code, "%s: %s" % (place, why) if why else ""))
        equal(healthcheck("--ca-file=" + ca, "https://" + place)[0], code)


@case("which listener of the environment: the first without TLS, else the first; under auth=jwt too")
async def which(_):
    path = os.path.join(pki.directory(), "socket")
    with open(os.path.join(pki.directory(), "hs256"), "w") as f:
        f.write("0123456789abcdef0123456789abcdef\n")
    with Server("--listen", "unix:%s,tls" % path, "--jwt-secret-file", f.name, *pki.options(GOOD), listen=("tls", "admin")) as server:
        tls, plain = server.ports
        closed = "127.0.0.1:1"
        for listen in ("127.0.0.1:%d,tls" % tls, "127.0.0.1:%d,tls,dialect=upper %s,tls" % (tls, closed),
                       "%s,tls 127.0.0.1:%d,admin" % (closed, plain), "unix:%s,tls" % path):
            equal(healthcheck(PRESENCED_LISTEN=listen), (0, ""), listen)
        equal(healthcheck(PRESENCED_LISTEN="%s,tls 127.0.0.1:%d,tls" % (closed, tls)), (1, closed + ": Connection refused"))
        equal(healthcheck("http://127.0.0.1:%d" % tls), (1, "127.0.0.1:%d: answered 400" % tls))
        equal(healthcheck("https://127.0.0.1:%d/admin/stats" % tls), (1, "127.0.0.1:%d: answered 403" % tls))
        equal(healthcheck("https://127.0.0.1:%d" % plain), (1, "127.0.0.1:%d: the server does not speak TLS 1.2" % plain))


@rows("a server that misbehaves", [
    ("answers 503", Fake(lambda c: c.sendall(b"HTTP/1.1 503 x\r\n\r\n"), GOOD), "answered 503"),
    ("in two records", Fake(lambda c: (c.sendall(b"HTTP/1.1 5"), time.sleep(0.1), c.sendall(b"00 x\r\n\r\n")), GOOD), "answered 500"),
    ("no HTTP", Fake(lambda c: c.sendall(b"SSH-2.0-whatever"), GOOD), "that is no HTTP server"),
    ("nothing, then close_notify", Fake(lambda c: c.unwrap(), GOOD), "that is no HTTP server"),
    ("ends in the handshake", Fake(lambda c: c.recv(1000)), "the connection ended without close_notify"),
    ("no ServerHello", Fake(lambda c: c.sendall(b"\x16\x03\x03\x00\x04\x0b\x00\x00\x00")), "not a well-formed TLS 1.2 connection"),
    ("no certificate", Fake(presents()), "not a well-formed TLS 1.2 connection"),
    ("an empty certificate", Fake(presents(b"")), "the certificate is malformed"),
    ("a certificate of random bytes", Fake(presents(os.urandom(900))), "the certificate is malformed"),
    ("a certificate that is cut", Fake(presents(DER[:-300])), "the certificate is malformed"),
    ("two, the first cut", Fake(presents(DER[:40], DER)), "the certificate is malformed"),
    ("an alert", Fake(lambda c: c.sendall(b"\x15\x03\x03\x00\x02\x02\x28")), "the server refused the handshake"),
    ("TLS 1.1", Fake(lambda c: c.sendall(b"\x15\x03\x02\x00\x02\x02\x46")), "the server does not speak TLS 1.2"),
])
async def misbehaves(_, fake, why):
    equal(healthcheck(fake.url), (1, "localhost:%d: %s" % (fake.port, why)))


@rows("it waits 5 seconds", [("in the handshake", None), ("for the answer", GOOD)])
async def waits(_, cert):
    start = time.monotonic()
    equal(healthcheck(Fake(lambda c: time.sleep(9), cert).url), (1, "no answer within 5 seconds"))
    assert 4.5 < time.monotonic() - start < 6.5, time.monotonic() - start


run(None)
