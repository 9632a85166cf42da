#!/usr/bin/python3
"""The services that test_fetch asks: one behaviour for each path, one port for each certificate (made here, by openssl). Prints
NAME=VALUE lines, then an empty one; ends when its standard input does. Its one argument is a directory to work in."""
import os, socket, ssl, struct, subprocess, sys, threading, time

os.chdir(sys.argv[1])
KEYS = b'{"keys":[]}'
USER = "/users/a%2Fb%3F%23%25%20%C3%A4.~"


def openssl(*argv):
    subprocess.run(("openssl",) + argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def write(name, text):
    with open(name, "w") as f:
        f.write(text)


def key(name, kind="ec:P-256"):
    how = {"ec": "ec_paramgen_curve:", "rsa": "rsa_keygen_bits:"}[kind.split(":")[0]] + kind.split(":")[1]
    openssl("genpkey", "-algorithm", kind.split(":")[0].upper(), "-pkeyopt", how, "-out", name + ".key")


def authority(name, subject, signer=None, kind="ec:P-256"):
    key(name, kind)
    write(name + ".ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")
    openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + subject, "-out", name + ".csr")
    by = ("-CA", signer + ".pem", "-CAkey", signer + ".key", "-CAcreateserial") if signer else ("-signkey", name + ".key")
    openssl("x509", "-req", "-in", name + ".csr", "-days", "2", "-extfile", name + ".ext", "-out", name + ".pem", *by)


def leaf(name, san="DNS:localhost", cn="x", signer="ca", kind="ec:P-256", extra="", digest="sha256", dates=None):
    """A certificate and its key: NAME.pem (with the intermediate's, if it is signed by one) and NAME.key."""
    key(name, kind)
    openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + cn, "-out", name + ".csr")
    write(name + ".ext", "basicConstraints=CA:FALSE\n" + ("subjectAltName=%s\n" % san if san else "") + extra)
    if dates:
        write("ca.conf", "[ca]\ndefault_ca=d\n[d]\nnew_certs_dir=.\ndatabase=index.txt\nserial=serial.txt\ndefault_md=sha256\npolicy=p\n"
              "unique_subject=no\n[p]\ncommonName=supplied\n")
        write("index.txt", "")
        write("serial.txt", "01\n")
        openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", name + ".csr",
                "-extfile", name + ".ext", "-startdate", dates[0], "-enddate", dates[1], "-out", name + ".pem")
    else:
        openssl("x509", "-req", "-in", name + ".csr", "-CA", signer + ".pem", "-CAkey", signer + ".key", "-CAcreateserial",
                "-days", "2", "-" + digest, "-extfile", name + ".ext", "-out", name + ".pem")
    if signer == "middle":
        with open("middle.pem") as f:
            write(name + ".pem", open(name + ".pem").read() + f.read())


def response(body, head="", status="200 OK"):
    return ("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, head, len(body))).encode() + body


def send_for_ever(s, piece, pause=0.0):
    while True:
        s.sendall(piece)
        time.sleep(pause)


def drip(s, text):
    for i in range(len(text)):
        s.sendall(text[i:i + 1])
        time.sleep(1)


def answer(s, path, request):
    """True: end the stream as its protocol has it (close_notify)."""
    if path == "/ok":
        good = b"\r\nAccept: application/json\r\n" in request and b"\r\nUser-Agent: presenced\r\n" in request \
            and b"\r\nConnection: close\r\n" in request and b"\r\nHost: " in request
        s.sendall(response(KEYS if good else b"a header is missing"))
    elif path == "/chunked":
        for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6;x=y\r\n", KEYS[:6], b"\r\n5\r\n", KEYS[6:], b"\r\n0\r\n\r\n"):
            s.sendall(piece)
            time.sleep(0.01)
    elif path in ("/end", "/cut"):
        s.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + KEYS)
        return path == "/end"
    elif path == "/full":
        s.sendall(response(b"x" * 65536))
    elif path == "/full+1":
        s.sendall(response(b"x" * 65537))
    elif path == "/500":
        s.sendall(response(b"no", status="500 Broken"))
    elif path == "/redirect":
        s.sendall(response(b"", "Location: /ok\r\n", "302 Found"))
    elif path == "/drip":
        drip(s, response(KEYS))
    elif path == "/drip-body":
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n")
        drip(s, KEYS)
    elif path == "/huge":
        s.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        send_for_ever(s, b"x" * 65536)
    elif path == "/huge-announced":
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        send_for_ever(s, b"x" * 65536)
    elif path == "/huge-chunks":
        s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        send_for_ever(s, b"1\r\nx\r\n" * 1000)
    elif path == "/huge-head":
        s.sendall(b"HTTP/1.1 200 OK\r\n")
        send_for_ever(s, b"X: y\r\n" * 1000)
    elif path == "/continue":
        send_for_ever(s, b"HTTP/1.1 100 Continue\r\n\r\n")
    elif path == "/garbage":
        s.sendall(bytes(range(256)) * 16)
    elif path == "/empty":
        s.sendall(response(b""))
    elif path == "/half":
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + KEYS)
        return True
    elif path == "/half-head":
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-")
        return True
    elif path == "/reset":
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + KEYS)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif path == "/silent":
        time.sleep(60)
    elif path.startswith("/users/"):
        s.sendall(response(b"x" * 100000, status="200 OK" if path == USER or path == USER + "?x=1" else "404 No"))
    elif path == "/endless/x":
        s.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        send_for_ever(s, b"x" * 65536)
    return path == "/nothing"


def serve(s, context):
    try:
        if context:
            s = context.wrap_socket(s, server_side=True)
        request = b""
        while b"\r\n\r\n" not in request:
            piece = s.recv(4096)
            if not piece:
                return
            request += piece
            if request[:1] == b"\x16": # TLS
                s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
        if answer(s, request.split()[1].decode(), request) and context:
            s.unwrap()
    except OSError:
        pass
    finally:
        s.close()


def listen(context=None, host="127.0.0.1", port=0):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.create_server((host, port), family=family, backlog=256)

    def accept():
        while True:
            threading.Thread(target=serve, args=(s.accept()[0], context), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return s.getsockname()[1]


def listen_tls(name, minimum=ssl.TLSVersion.TLSv1_2, ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = minimum
    context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
    context.load_cert_chain(name + ".pem", name + ".key")
    return listen(context)


def tell(name, value):
    print("%s=%s" % (name, value))


held = []


def full():
    """A port whose queue is full: what connects gets no answer."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    for _ in range(8):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        held.append(c)
    held.append(s)
    return s.getsockname()[1]


def refused():
    s = socket.socket()
    s.bind(("127.0.0.1", 0)) # and does not listen
    held.append(s)
    return s.getsockname()[1]


authority("ca", "test CA")
authority("middle", "test middle", signer="ca")
authority("stranger", "test CA") # of the same name, with another key
authority("weak", "weak CA", kind="rsa:1024")
write("bundle.pem", "Some text before.\n" + open("ca.pem").read() + "\n\n" + open("weak.pem").read() + open("ca.key").read())
write("cut.pem", open("ca.pem").read()[:-40])
der = open("ca.pem").read().split("\n")
write("broken.pem", "\n".join(der[:2] + ["AAAA"] + der[2:]))
write("empty.pem", "")
nul = "localhost\0.evil.test".encode()
openssl("version")
leaf("good")
leaf("rsa", kind="rsa:2048", extra="keyUsage=critical,digitalSignature\n")
leaf("p384", kind="ec:P-384", digest="sha384")
leaf("chain", signer="middle")
leaf("wildcard", san="DNS:*.example.test")
leaf("other", san="DNS:other.test", cn="localhost")
leaf("common", san=None, cn="localhost")
leaf("address", san="IP:127.0.0.1")
leaf("literal", san="DNS:127.0.0.1")
leaf("expired", dates=("20200101000000Z", "20200201000000Z"))
leaf("future", dates=("20980101000000Z", "20980201000000Z"))
leaf("small", kind="rsa:1024")
leaf("sha1", digest="sha1")
leaf("critical", extra="1.2.3.4=critical,ASN1:UTF8String:x\n")
leaf("nul", san="DER:30:%02x:82:%02x:%s" % (len(nul) + 2, len(nul), ":".join("%02x" % c for c in nul)), cn="localhost")
leaf("stranger-signed", signer="stranger")
leaf("signed-by-leaf", signer="good")
write("signed-by-leaf.pem", open("signed-by-leaf.pem").read() + open("good.pem").read())
openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "self.key", "-out", "self.pem", "-days", "2", "-subj", "/CN=localhost",
        "-addext", "subjectAltName=DNS:localhost")
tell("plain", listen())
tell("full", full())
tell("late", listen(host="127.0.0.2", port=held[-1].getsockname()[1])) # the same port, which answers here
try:
    tell("six", listen(host="::1"))
except OSError:
    tell("six", 0) # a machine without IPv6
tell("refused", refused())
for name in ("good", "rsa", "p384", "chain", "wildcard", "other", "common", "address", "literal", "expired", "future", "small", "sha1",
             "critical", "nul", "stranger-signed", "signed-by-leaf", "self"):
    tell(name, listen_tls(name))
tell("tls13", listen_tls("good", minimum=ssl.TLSVersion.TLSv1_3))
tell("cbc", listen_tls("rsa", ciphers="ECDHE-RSA-AES128-SHA256:AES128-GCM-SHA256:@SECLEVEL=0"))
print(flush=True)
sys.stdin.read()
os._exit(0)
