#!/usr/bin/python3
"""The suite's other mode. PRESENCED_E2E=hs256 or rs256: every server that a test starts has TLS on all its listeners and auth=jwt,
its keys in a secret's or a JWKS file; every client verifies the certificate against the test's CA, and gives a token for the user
that it says it is. Unset: plain, under trust.

For others than python: `secure.py DIRECTORY` makes what is needed; with PRESENCED_E2E_DIR=DIRECTORY, which saves making it again,
`secure.py options` prints the server's options, and `secure.py token SUB [NAME]` a token."""
import functools, hashlib, hmac, json, os, re, subprocess, sys, threading, time, urllib.parse
sys.dont_write_bytecode = True
import pki
from issuer import Certificates, Key, part

MODE = os.environ.get("PRESENCED_E2E", "")
SECURE = MODE != ""
assert MODE in ("", "hs256", "rs256"), "PRESENCED_E2E is hs256 or rs256"
ISSUER, AUDIENCE, KID = "https://issuer.example/suite", "presence", "suite-1"
# A name that is an address stands there as a dNSName too: BearSSL, and so `presenced client`, knows no others.
NAMES = "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.1"
FREE = ("/health", "/live", "/ready", "/metrics")  # asked without a token, as probes do
NOW = int(time.time())
_lock = threading.Lock()


def make(directory):
    os.chmod(directory, 0o755)
    authority = Certificates(directory)
    for kind in ("ec", "rsa"):
        authority.issue("localhost", kind, san=NAMES)
    with open(os.path.join(directory, "jwks.json"), "w") as f:
        json.dump({"keys": [Key(directory, KID).jwk]}, f)
    with open(os.path.join(directory, "secret"), "w") as f:
        f.write("the shared secret of this suite's issuer\n")


@functools.lru_cache(None)
def _directory():
    path = os.environ.get("PRESENCED_E2E_DIR")
    if not path:
        path = os.path.join(pki.directory(), "secure")
        os.mkdir(path)
        make(path)
    return path


def directory():
    with _lock:
        return _directory()


def of(name):
    return os.path.join(directory(), name)


def ca():
    return of("ca.pem")


def options():
    """What makes a server one of this mode; its listeners want `,tls` besides."""
    if not SECURE:
        return []
    keys = ["--jwt-secret-file", of("secret")] if MODE == "hs256" else \
        ["--jwks-file", of("jwks.json"), "--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE]
    return keys + pki.options(*[(of("localhost-%s.pem" % kind), of("localhost-%s.key" % kind)) for kind in ("ec", "rsa")])


@functools.lru_cache(None)
def context():
    return pki.context(ca())


def signed(claims, secret):
    """HS256, as web.jwt() makes it under trust too."""
    text = part({"alg": "HS256", "typ": "JWT"}) + "." + part(claims)
    return text + "." + part(hmac.new(secret, text.encode(), hashlib.sha256).digest())


@functools.lru_cache(None)
def _token(claims):
    if MODE == "hs256":
        with open(of("secret"), "rb") as f:
            return signed(json.loads(claims), f.read().rstrip(b"\n"))
    text = part({"alg": "RS256", "typ": "JWT", "kid": KID}) + "." + part(claims.encode())
    done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", of(KID + ".pem")], input=text.encode(), stdout=subprocess.PIPE,
                          check=True)
    return text + "." + part(done.stdout)


def token(sub, username=None, **claims):
    name = {"preferred_username": username} if username else {}
    return _token(json.dumps({"iss": ISSUER, "aud": AUDIENCE, "iat": NOW, "exp": NOW + 3600, "sub": sub, **name, **claims}))


def claimed(url, headers=()):
    """(user id, name) that a request says it is from, or None: nobody, or it brings a token. `headers`: pairs."""
    given = {name.strip().lower(): value.strip() for name, value in headers}
    for field in url.partition("?")[2].split("&"):
        name, _, value = field.partition("=")
        given.setdefault("?" + name, urllib.parse.unquote(value, errors="replace"))
    user = next((given[name] for name in ("?user_id", "?userId", "x-user-id") if given.get(name)), None)
    if not SECURE or user is None or "?token" in given or "authorization" in given:
        return None
    if len(user.encode()) > 128 or re.search("[\0-\x1f]", user):
        user = "u"  # no token can name that one; another's is good, and the id is looked at first
    return user, given.get("?username")


def authorization(url, headers=()):
    """The header that such a request wants in this mode: a list of one pair or none."""
    who = claimed(url, headers)
    return [("Authorization", "Bearer " + token(*who))] if who else []


def client(url, args=()):
    """What `presenced client` is told besides."""
    if not SECURE or not url.startswith("wss:"):
        return ()
    headers = [arg.split("=", 1)[1].split(":", 1) for arg in args if arg.startswith("--header=")]
    headers += [value.split(":", 1) for arg, value in zip(args, args[1:]) if arg == "--header"]
    pairs = [] if any(arg.startswith("--token") for arg in args) else authorization(url, headers)
    return ("--ca-file", ca(), *(word for _, value in pairs for word in ("--token", value.split()[1])))


def service(url, options=()):
    """The same for a program's HTTP request: it may write."""
    path = re.match(r"(?:\w+://[^/]*)?([^?]*)", url)[1]
    if not SECURE or path in FREE or any(o.lower().startswith("authorization:") for o in options):
        return []
    return [("Authorization", "Bearer " + token("service", scope="openid presence:write"))]


if __name__ == "__main__":
    if sys.argv[1] == "options":
        print("\n".join(options()))
    elif sys.argv[1] == "token":
        print(token(*sys.argv[2:]))
    else:
        make(sys.argv[1])
