"""An identity provider in the shape of Keycloak: keys and signatures by openssl, its certs endpoint over HTTP or TLS, and all the
ways in which such an endpoint goes wrong."""
import base64, http.server, json, os, ssl, subprocess, threading, time

REALM = "demo"


def openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, "openssl %s: %s" % (" ".join(args), done.stderr.decode())
    return done.stdout


def part(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """A throw-away signing key; `kind`: RS256 or ES256."""

    def __init__(self, directory, kid, kind="RS256", bits=2048, use="sig"):
        self.kid, self.kind, self.use = kid, kind, use
        self.path = os.path.join(directory, kid + ".pem")
        if kind == "RS256":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:%d" % bits, "-out", self.path)
        else:
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.path)

    @property
    def jwk(self):
        about = {"kid": self.kid, "use": self.use, "alg": self.kind if self.use == "sig" else "RSA-OAEP"}
        if self.kind == "RS256":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
            return {"kty": "RSA", **about, "n": part(bytes.fromhex(modulus)), "e": "AQAB",
                    "x5c": ["MIICmzCCAYMCBgF"], "x5t": "not looked at"}
        point = openssl("ec", "-in", self.path, "-pubout", "-outform", "DER", "-conv_form", "uncompressed")[-64:]
        return {"kty": "EC", **about, "crv": "P-256", "x": part(point[:32]), "y": part(point[32:])}

    @property
    def public_pem(self):
        return openssl("pkey", "-in", self.path, "-pubout")

    def sign(self, text):
        der = openssl("dgst", "-sha256", "-sign", self.path, stdin=text)
        if self.kind == "RS256":
            return der
        at, out = 2, b""                      # SEQUENCE of two INTEGERs, each below 128 bytes
        for _ in range(2):
            length = der[at + 1]
            out += der[at + 2:at + 2 + length].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + length
        return out

    def token(self, claims, **header):
        text = part({"alg": self.kind, "typ": "JWT", "kid": self.kid, **header}) + "." + part(claims)
        return text + "." + part(self.sign(text.encode()))


class Issuer:
    """`.keys`: what the endpoint publishes; `.mode`: how it answers; `.asked`: how often it was."""

    def __init__(self, keys, tls=None):
        self.keys, self.mode, self.asked, self.delay = list(keys), "ok", 0, 0
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                issuer.asked += 1
                try:
                    issuer.answer(self)
                except (OSError, ValueError):
                    pass
                self.close_connection = True

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = "%s://localhost:%d" % ("https" if tls else "http", self.http.server_address[1])
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    iss = property(lambda self: self.url + "/realms/" + REALM)

    def options(self, client="presence"):
        return ["--keycloak-url", self.url, "--keycloak-realm", REALM, "--keycloak-client-id", client]

    def claims(self, sub, ttl=300, **more):
        now = int(time.time())
        return {"iss": self.iss, "sub": sub, "aud": "account", "azp": "presence", "iat": now, "exp": now + ttl, "typ": "Bearer",
                "preferred_username": sub.title(), **more}

    def answer(self, request):
        body = json.dumps({"keys": [k if isinstance(k, dict) else k.jwk for k in self.keys]}).encode()
        wrong_path = request.path != "/realms/%s/protocol/openid-connect/certs" % REALM
        status, headers = 404 if wrong_path else 200, {}
        time.sleep(self.delay)
        if self.mode == "error":
            status = 500
        elif self.mode == "redirect":
            status, headers = 302, {"Location": self.url + "/elsewhere"}
        elif self.mode == "garbage":
            body = b"\x00\xff{]" * 1000
        elif self.mode == "empty":
            body = b'{"keys":[]}'
        elif self.mode == "html":
            body = b"<html>503</html>"
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        if self.mode == "huge":
            request.send_header("Content-Length", str(1 << 30))
            request.end_headers()
            for _ in range(1 << 14):
                request.wfile.write(b" " * 65536)
        elif self.mode == "endless":
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            while True:
                request.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        elif self.mode == "drip":
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            for i in range(len(body)):
                request.wfile.write(body[i:i + 1])
                time.sleep(1)
        elif self.mode == "silent":
            time.sleep(30)
        elif self.mode == "cut":
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body[:20])
        else:
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Users(Issuer):
    """The operator's own service: GET /users/{id}. `.status`: by id, else 404; None: never."""

    def __init__(self, status, tls=None):
        self.status, self.ids = status, []
        super().__init__([], tls)

    def answer(self, request):
        user = request.path.split("/users/", 1)[-1]
        self.ids.append(user)
        time.sleep(self.delay)
        status = self.status.get(user, 404)
        if status is None:
            time.sleep(30)
            return
        request.send_response(status)
        if status != 204:
            request.send_header("Content-Length", "2")
        request.end_headers()
        if status != 204:
            request.wfile.write(b"{}")


class Certificates:
    """A CA of its own, and what it signs."""

    def __init__(self, directory):
        self.directory = directory
        self.ca = os.path.join(directory, "ca.pem")
        self.ca_key = os.path.join(directory, "ca.key")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.ca_key, "-out", self.ca, "-days", "2",
                "-subj", "/CN=presenced test CA", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, kind="rsa", days="2", san=None):
        """(certificate, key) for a host, as paths."""
        base = os.path.join(self.directory, "%s-%s" % (name.replace("*", "any"), kind))
        new = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl("req", *new, "-nodes", "-keyout", base + ".key", "-out", base + ".csr", "-subj", "/CN=" + name)
        with open(base + ".ext", "w") as f:
            f.write("subjectAltName=" + (san or "DNS:" + name) + "\nextendedKeyUsage=serverAuth\n")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", days,
                "-extfile", base + ".ext", "-out", base + ".pem")
        return base + ".pem", base + ".key"
