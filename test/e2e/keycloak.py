#!/usr/bin/python3
"""auth=jwt against an identity provider shaped like Keycloak, over HTTP and TLS: every token by openssl, every fault of the
endpoint, key rotation, user-check-url, and not a byte of any token in a log, a metric or a core."""
import asyncio, hashlib, hmac, os, re, sys, tempfile, time
import websockets
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from client import Client
from issuer import Certificates, Issuer, Key, Users, part
from server import Server
from tap import case, equal, has, run
from web import curl

HERE = tempfile.mkdtemp(prefix="presenced-issuer-")
RSA, EC, ENC, LATER = Key(HERE, "rsa-1"), Key(HERE, "ec-1", "ES256"), Key(HERE, "enc-1", use="enc"), Key(HERE, "rsa-2")
CERTIFICATES = Certificates(HERE)


def bearer(token):
    return {"Authorization": "Bearer " + token}


async def status_of(url):
    """What an upgrade is refused with; 101: it is not."""
    try:
        async with await Client.connect(url):
            return 101
    except websockets.InvalidStatusCode as e:
        return e.status_code


def ready(server):
    return curl(server.http("/ready"))


async def until(holds, what, seconds=15):
    limit = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < limit, "waited %d s for %s" % (seconds, what)
        await asyncio.sleep(0.1)


async def is_ready(server):
    await until(lambda: ready(server).status == 200, "/ready")


async def comes_in(server, token, user):
    async with await Client.connect(server.url("/ws?token=" + token)) as me:
        await me.send({"type": "subscribe", "channel_id": "c"})
        await me.want(has(type="subscribed", channel_id="c"))
        got = await asyncio.to_thread(curl, server.http("/" + user), "-H", "Authorization: Bearer " + token)
        equal(got.json["is_online"], True, "is_online")


def metric(server, line):
    found = re.search(r"^%s (\S+)$" % re.escape(line), curl(server.http("/metrics")).body.decode(), re.M)
    return float(found[1]) if found else 0.0


@case("tokens of the realm come in, RS256 and ES256; with the encryption key beside the signing ones")
async def good(_):
    issuer = Issuer([ENC, RSA, EC])
    with Server(*issuer.options()) as server:
        await is_ready(server)
        for key in (RSA, EC):
            await comes_in(server, key.token(issuer.claims("ann")), "ann")
        async with await Client.connect(server.url("/ws"), bearer(RSA.token(issuer.claims("bob")))) as bob:
            await bob.send({"type": "ping"})
            await bob.want(has(type="pong"))
        equal(metric(server, 'presenced_keys'), 2.0, "keys in use")
    issuer.close()


@case("what is not a good token of this realm for this client is 401 before the upgrade")
async def bad(_):
    issuer, now = Issuer([RSA, EC]), int(time.time())
    claims = issuer.claims("ann")
    none = part({"alg": "none"}) + "." + part(claims) + "."
    as_secret = part({"alg": "HS256", "kid": "rsa-1"}) + "." + part(claims)
    as_secret += "." + part(hmac.new(RSA.public_pem, as_secret.encode(), hashlib.sha256).digest())
    good_token = RSA.token(claims)
    rows = {
        "expired": RSA.token({**claims, "exp": now - 31}),
        "no exp": RSA.token({k: v for k, v in claims.items() if k != "exp"}),
        "another realm": RSA.token({**claims, "iss": issuer.url + "/realms/other"}),
        "issuer with a slash": RSA.token({**claims, "iss": issuer.iss + "/"}),
        "another client": RSA.token({**claims, "azp": "shop"}),
        "not yet": RSA.token({**claims, "nbf": now + 3600}),
        "no subject": RSA.token({k: v for k, v in claims.items() if k != "sub"}),
        "unknown kid": LATER.token(claims),
        "kid of another key": RSA.token(claims, kid="ec-1"),
        "RS384": RSA.token(claims, alg="RS384"), "PS256": RSA.token(claims, alg="PS256"),
        "crit": RSA.token(claims, crit=["exp"]), "none": none, "the public key as secret": as_secret,
        "a changed signature": good_token[:-5] + ("AAAAA" if good_token[-5:] != "AAAAA" else "BBBBB"),
        "cut": good_token.rsplit(".", 1)[0], "words": "not.a.token",
    }
    with Server(*issuer.options()) as server:
        await is_ready(server)
        await comes_in(server, good_token, "ann")
        for what, token in rows.items():
            status = await status_of(server.url("/ws?token=" + token))
            equal(status, 401, what)
            equal(curl(server.http("/ann"), "-H", "Authorization: Bearer " + token).status, 401, "REST, " + what)
        equal(await status_of(server.url("/ws")), 401, "no token")
        equal(await status_of(server.url("/ws?user_id=bob&token=" + good_token)), 400, "another id beside it")
        assert issuer.asked <= 2, "asked %d times for one unknown kid" % issuer.asked
    issuer.close()


@case("the first handshake waits for keys that are slow; the loop serves others meanwhile")
async def slow(_):
    issuer = Issuer([RSA])
    issuer.delay = 1.5
    with Server(*issuer.options()) as server:
        equal(ready(server).status, 503)
        equal(ready(server).json["checks"]["jwks"], "unavailable")
        began = time.monotonic()
        coming = asyncio.create_task(comes_in(server, RSA.token(issuer.claims("ann")), "ann"))
        await asyncio.sleep(0.3)
        for _ in range(10):
            before = time.monotonic()
            equal((await asyncio.to_thread(curl, server.http("/health"))).status, 200)
            assert time.monotonic() - before < 1, "the loop stood still"
        await coming
        assert time.monotonic() - began > 0.8, "nobody waited"
        equal(ready(server).status, 200)
    issuer.close()


@case("an endpoint that never answers: the handshake gets 503 after 5 s, REST too")
async def never(_):
    issuer = Issuer([RSA])
    issuer.mode = "silent"
    with Server(*issuer.options()) as server:
        began = time.monotonic()
        token = RSA.token(issuer.claims("ann"))
        one, two = await asyncio.gather(status_of(server.url("/ws?token=" + token)),
                                        asyncio.to_thread(curl, server.http("/ann"), "-H", "Authorization: Bearer " + token))
        equal((one, two.status), (503, 503))
        assert 4 < time.monotonic() - began < 9, "after %.1f s" % (time.monotonic() - began)
    issuer.close()


@case("rotation: a new key is fetched for its first token, a key that is gone verifies no more, sessions stay")
async def rotation(_):
    issuer = Issuer([RSA])
    with Server(*issuer.options()) as server:
        await is_ready(server)
        async with await Client.connect(server.url("/ws?token=" + RSA.token(issuer.claims("ann")))) as ann:
            issuer.keys = [LATER]
            await comes_in(server, LATER.token(issuer.claims("bob")), "bob")
            equal(issuer.asked, 2, "fetches")
            equal(await status_of(server.url("/ws?token=" + RSA.token(issuer.claims("cat")))), 401, "the old key")
            await ann.send({"type": "ping"})
            await ann.want(has(type="pong"))
            for i in range(20):
                await status_of(server.url("/ws?token=" + LATER.token(issuer.claims("eve"), kid="made-up-%d" % i)))
            equal(issuer.asked, 2, "fetches after 20 made-up names")
    issuer.close()


for mode in ("error", "redirect", "garbage", "empty", "html", "huge", "endless", "cut", "drip"):
    @case("an endpoint that turns to %s: what was fetched stays in use, memory too" % mode)
    async def fault(_, mode=mode):
        issuer = Issuer([RSA])
        with Server(*issuer.options()) as server:
            await is_ready(server)
            issuer.mode = mode
            before = rss_kib(server)
            status = await status_of(server.url("/ws?token=" + LATER.token(issuer.claims("eve"))))
            assert status in (401, 503), status
            equal(issuer.asked, 2, "fetches")
            await comes_in(server, RSA.token(issuer.claims("ann")), "ann")
            assert rss_kib(server) < before + 1024, "memory grew to %d KiB" % rss_kib(server)
            equal(ready(server).status, 200)
            failed = sum(metric(server, 'presenced_key_fetches_total{outcome="%s"}' % o)
                         for o in ("unreachable", "status", "garbage"))
            equal(failed, 1.0, "failed fetches")
        issuer.close()


def rss_kib(server):
    with open("/proc/%d/status" % server.pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


@case("over TLS: the endpoint's certificate must be of ca-file, for its name, and not over")
async def tls(_):
    localhost = CERTIFICATES.issue("localhost")
    other = CERTIFICATES.issue("other.example")
    issuer = Issuer([RSA], tls=localhost)
    with Server(*issuer.options(), "--ca-file", CERTIFICATES.ca) as server:
        await is_ready(server)
        await comes_in(server, RSA.token(issuer.claims("ann")), "ann")
    issuer.close()
    stranger = Certificates(tempfile.mkdtemp(dir=HERE))
    for what, pair, ca in (("another CA", localhost, stranger.ca), ("another name", other, CERTIFICATES.ca)):
        issuer = Issuer([RSA], tls=pair)
        with Server(*issuer.options(), "--ca-file", ca) as server:
            server.wait_log("Keys could not be fetched", 8)
            equal(ready(server).status, 503, what)
        issuer.close()


@case("over TLS without ca-file: the machine's certificates, which SSL_CERT_FILE names")
async def machines_own(_):
    stranger = Certificates(tempfile.mkdtemp(dir=HERE))
    issuer = Issuer([RSA], tls=CERTIFICATES.issue("localhost"))
    with Server(*issuer.options(), env={"SSL_CERT_FILE": CERTIFICATES.ca}) as server:
        await is_ready(server)
        await comes_in(server, RSA.token(issuer.claims("ann")), "ann")
    for options, env in (((), {"SSL_CERT_FILE": stranger.ca}), (("--ca-file", stranger.ca), {"SSL_CERT_FILE": CERTIFICATES.ca})):
        with Server(*issuer.options(), *options, env=env) as server:
            server.wait_log("Keys could not be fetched", 8)
            equal(ready(server).status, 503, "another CA")
    issuer.close()


@case("user-check-url: known, unknown, no answer; asked once a minute")
async def users(_):
    service = Users({"ann": 200, "bob": 404, "cat": 500, "a%2Fb%20c": 204, "dan": None})
    with Server("--auth", "trust", "--user-check-url", service.url + "/users") as server:
        for user, status in (("bob", 403), ("cat", 503), ("dan", 503)):
            equal(await status_of(server.url("/ws?user_id=" + user)), status, user)
        for user in ("ann", "ann", "a%2Fb%20c"):
            async with await Client.connect(server.url("/ws?user_id=" + user)) as me:
                await me.next()
        equal((service.ids.count("ann"), service.ids.count("a%2Fb%20c")), (1, 1), "questions")
        service.delay = 0.5
        service.status["eve"] = 200
        several = await asyncio.gather(*[Client.connect(server.url("/ws?user_id=eve&device_id=%d" % i)) for i in range(8)])
        equal(service.ids.count("eve"), 1, "questions of eight that came at once")
        for one in several:
            await one.close()
    service.close()


@case("no token and no key in any log line or metric, whatever happens to them")
async def canaries(_):
    issuer = Issuer([RSA])
    secret = os.path.join(HERE, "secret")
    with open(secret, "w") as f:
        f.write("CANARY-of-the-secret-0123456789abcdef\n")
    with Server(*issuer.options(), "--jwt-secret-file", secret, "--log-level", "debug") as server:
        await is_ready(server)
        good_token = RSA.token(issuer.claims("ann", canary="CANARY"))
        for token in (good_token, good_token[:-4] + "AAAA", "CANARY", RSA.token({"sub": "CANARY-sub"})):
            await status_of(server.url("/ws?user_id=x&token=" + token))
            curl(server.http("/ann?token=" + token), "-H", "Authorization: Bearer " + token)
            async with await Client.connect(server.url("/ws?dialect=dotted")) as me:
                await me.next()
                await me.send({"id": "1", "type": "authenticate", "payload": {"token": token}})
                await me.next()
        seen = server.log() + curl(server.http("/metrics")).body.decode()
        pieces = ["CANARY", *good_token.split(".")]
        for piece in pieces:
            assert piece not in seen and piece[:24] not in seen, "%s... was told" % piece[:24]
    issuer.close()


run(None, seconds=60)
