#!/usr/bin/python3
"""`presenced token`: what it prints, verified by Python's and node's own HMAC; what it refuses, and in which words."""
import base64, hashlib, hmac, json, os, re, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from server import BINARY, environment
from tap import NUMBER, case, equal, rows, run

DIRECTORY = tempfile.TemporaryDirectory()
LONG = b"0123456789abcdef0123456789abcdef"
NODE = """
const crypto = require("crypto"), [file, token] = process.argv.slice(1);
const [header, payload, signature] = token.split(".");
const mac = crypto.createHmac("sha256", require("fs").readFileSync(file)).update(header + "." + payload).digest();
if (!crypto.timingSafeEqual(mac, Buffer.from(signature, "base64url"))) throw new Error("not signed with it");
if (mac.toString("base64url") !== signature) throw new Error("not the one way to write it");
console.log(Buffer.from(payload, "base64url").toString());
"""


def file(data):
    path = os.path.join(DIRECTORY.name, hashlib.sha256(data).hexdigest())
    with open(path, "wb") as f:
        f.write(data)
    return path


def token(*args):
    done = subprocess.run([BINARY, "token", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment(), timeout=20)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def bytes_of(part):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", part), part
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def good(secret, *args, notes=""):
    """The claims of a token that Python verified."""
    code, out, err = token("--secret-file", file(secret), "--sub", "ann", *args)
    equal((code, err), (0, notes))
    assert re.fullmatch(r"[\w.-]+\n", out), out
    header, payload, signature = out.strip().split(".")
    key = re.sub(rb"\r?\n\Z", b"", secret)
    equal(bytes_of(signature), hmac.new(key, (header + "." + payload).encode(), hashlib.sha256).digest(), "signature")
    equal(json.loads(bytes_of(header)), {"alg": "HS256", "typ": "JWT"})
    return json.loads(bytes_of(payload))


@case("sub, iat and exp, an hour from now")
async def plain(_):
    claims = good(LONG)
    equal(claims, {"sub": "ann", "iat": NUMBER, "exp": claims["iat"] + 3600})
    assert abs(claims["iat"] - time.time()) < 5, claims


@rows("a value is JSON or a string", [
    ("a word", "preferred_username=alice", {"preferred_username": "alice"}),
    ("a list", 'rooms=["a*", "b"]', {"rooms": ["a*", "b"]}),
    ("an object", 'realm_access= {"roles":["x"]} ', {"realm_access": {"roles": ["x"]}}),
    ("a number", "n=-1.5e3", {"n": -1500.0}),
    ("true", "t=true", {"t": True}),
    ("null", "t=null", {"t": None}),
    ("a JSON string", 's="42"', {"s": "42"}),
    ("nothing", "s=", {"s": ""}),
    ("an equals sign", "s=a=b", {"s": "a=b"}),
    ("blanks, quotes, a backslash", 's=say "hi" \\', {"s": 'say "hi" \\'}),
    ("beyond ASCII", "naïve=ß€😀", {"naïve": "ß€😀"}),
    ("an issuer", "iss=https://id.example/realms/r", {"iss": "https://id.example/realms/r"}),
    ("two audiences", 'aud=["a","b"]', {"aud": ["a", "b"]}),
    ("nbf", "nbf=5", {"nbf": 5}),
])
async def values(_, text, wanted):
    claims = good(LONG, "--claim", text)
    equal({k: v for k, v in claims.items() if k not in ("sub", "iat", "exp")}, wanted)


@case("what looks like JSON and is none is a string, with a note")
async def broken(_):
    note = "presenced: token: note: --claim rooms is no JSON (unexpected end), and is taken as a string\n"
    equal(good(LONG, "--claim=rooms=[1", notes=note)["rooms"], "[1")


@case("--ttl; claims exp and iat win, and it is said")
async def ttl(_):
    claims = good(LONG, "--ttl", "1m30s")
    equal(claims["exp"] - claims["iat"], 90)
    notes = "".join("presenced: token: note: %s is what --claim says: %s\n" % (k, v) for k, v in (("iat", 7), ("exp", 9)))
    claims = good(LONG, "--claim", "exp=9", "--claim", "x=1", "--claim=iat=7", "--ttl=5s", notes=notes)
    equal(claims, {"sub": "ann", "iat": 7, "exp": 9, "x": 1})


@rows("the secret is all bytes of the file but one newline at its end", [
    ("a newline", LONG + b"\n"), ("two newlines", LONG + b"\n\n"), ("a carriage return", LONG + b"\r"),
    ("both", LONG + b"\r\n"), ("both, and 512 bytes", LONG * 16 + b"\r\n"),
    ("any bytes", bytes(range(256))), ("longer than a block", LONG * 3), ("512 bytes", LONG * 16),
])
async def secrets(_, secret):
    good(secret)


@case("a short secret is used, with a note")
async def short(_):
    good(b"k\n", notes="presenced: token: note: the secret has 1 bytes; HS256 wants 32\n")


@case("node verifies it")
async def node(_):
    for secret in (LONG, bytes(255 - i for i in range(200))):
        _, out, _ = token("--secret-file", file(secret), "--sub", "ünï", "--claim", "rooms=[\"a*\"]")
        done = subprocess.run(["node", "-e", NODE, file(secret), out.strip()], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=20)
        equal(done.returncode, 0, done.stderr.decode())
        equal(json.loads(done.stdout), {"sub": "ünï", "iat": NUMBER, "exp": NUMBER, "rooms": ["a*"]})


SECRET = ("--secret-file", file(LONG))


@rows("refused", [
    ("nothing given", (), "--sub ID is required"),
    ("no secret", ("--sub", "a"), "--secret-file FILE is required"),
    ("no value", ("--sub",), "--sub wants a value"),
    ("no such file", ("--sub", "a", "--secret-file", "/no/such"), "--secret-file: /no/such: No such file or directory"),
    ("an empty secret", ("--sub", "a", "--secret-file", file(b"")), "it is empty"),
    ("a newline alone", ("--sub", "a", "--secret-file", file(b"\n")), "it is empty"),
    ("513 bytes", ("--sub", "a", "--secret-file", file(b"x" * 513)), "it is too long"),
    ("an unknown option", ("--sbu", "a"), 'there is no option "--sbu"'),
    ("one dash", ("-sub", "a"), 'there is no option "-sub"'),
    ("two dashes", ("--", "a"), 'there is no option "--"'),
    ("a word", ("--sub", "a", "b"), '"b" is one word too many'),
    ("an empty id", ("--sub", ""), "--sub: an id is 1 to 128 bytes"),
    ("a long id", ("--sub", "x" * 129), "--sub: an id is 1 to 128 bytes"),
    ("a control character in the id", ("--sub", "a\nb"), "--sub: an id is 1 to 128 bytes"),
    ("an id that is not UTF-8", ("--sub", b"\xff"), "--sub: an id is 1 to 128 bytes"),
    ("no time to live", ("--ttl", "0"), '--ttl: "0" is no duration'),
    ("a negative one", ("--ttl", "-5s"), '--ttl: "-5s" is no duration'),
    ("a claim without a value", ("--claim", "x"), '--claim wants NAME=VALUE, not "x"'),
    ("a claim without a name", ("--claim", "=x"), '--claim wants NAME=VALUE, not "=x"'),
    ("a claim's value that is not UTF-8", ("--claim", b"x=\xff"), "--claim x: the value is not UTF-8"),
    ("sub as a claim", ("--claim", "sub=bob"), "--claim sub: who it is for is said with --sub"),
    ("an expiry that is no number", ("--claim", "exp=soon"), "--claim exp: wants a number"),
    ("an expiry in quotes", ("--claim", 'exp="5"'), "--claim exp: wants a number"),
    ("a claim twice", ("--claim", "a=1", "--claim", "a=2"), "--claim a is there twice"),
    ("33 claims", sum((("--claim", "c%d=" % i) for i in range(33)), ()), "--claim: 32 at most"),
    ("over 8192 bytes", (*SECRET, "--sub", "a", "--claim", "a=" + "x" * 6100), "that is too much for a token"),
])
async def refused(_, args, words):
    code, out, err = token(*args)
    equal((code, out), (2, ""))
    assert err.startswith("presenced: token: ") and words in err and err.count("\n") == 1, err


@case("standard output that takes nothing: exit code 1")
async def full(_):
    with open("/dev/full", "wb") as out:
        done = subprocess.run([BINARY, "token", *SECRET, "--sub", "a"], stdout=out, stderr=subprocess.PIPE, timeout=20)
    equal(done.returncode, 1)


run(None)
