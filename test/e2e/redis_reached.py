#!/usr/bin/python3
"""CONTRACT 1, 5: how Redis is reached: passwords, databases, users, TLS, the environment."""
import asyncio, os, sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "lib")]
from client import Snake
from cluster import Cluster
from redisd import Redis
from tap import case, equal, run, soon
from web import curl


async def reached(redis, *options):
    """A node on it and one beside it are one."""
    async with await Cluster.start(2, "--offline-debounce", "300ms", redis=redis, redis_options=[str(o) for o in options]) as c:
        ann = await Snake.open(c[0], "re-ann")
        await soon(lambda: c[1].get("/re-ann")["is_online"], True)
        assert not [l for n in c for l in n.server.lines if l and "s3cret" in l], "the password stands in the log"
        await ann.close()


@case("5 redis-url with a password, and a database number")
async def by_password(_):
    with Redis(password="s3cret") as redis:
        await reached(redis, "--redis-url", redis.address(db=3))
        with redis.client(db=3) as three, redis.client() as zero:
            assert three.dbsize() > 0 and zero.dbsize() == 0, "keys are in the wrong database"


@case("5 redis-url with an ACL user")
async def by_acl(_):
    with Redis(acl=["user presence on >s3cret ~* &* +@all"]) as redis:
        await reached(redis, "--redis-url", redis.address("presence", "s3cret"))


@case("5 rediss: TLS, the certificate and the name are checked against ca-file")
async def by_tls(_):
    with Redis(tls=True, password="s3cret") as redis:
        await reached(redis, "--redis-url", redis.address(host="localhost"), "--ca-file", redis.ca)
        await reached(redis, "--redis-url", redis.url, "--ca-file", redis.ca)


@case("5 rediss: an unknown CA is refused; the node serves, and /ready says that it has no Redis")
async def by_bad_tls(_):
    from pki import pair
    other, _ = pair("not-the-ca")
    with Redis(tls=True) as redis:
        async with await Cluster.start(1, redis=redis, redis_options=["--redis-url", redis.url, "--ca-file", other], wait=False) as c:
            await asyncio.sleep(1.5)
            equal(curl(c[0].http("/ready")).status, 503)
            async with await Snake.open(c[0], "tls-ann") as ann:
                await ann.sync()


@case("redis-url through the environment: REDIS_URL")
async def by_environment(_):
    from server import Server
    with Redis() as redis, Server(listen=("admin",), env={"REDIS_URL": redis.url + "/0"}) as server:
        await soon(lambda: curl(server.http("/ready")).status, 200)
        assert "redis" in curl(server.http("/ready")).json["checks"]
        await soon(lambda: bool(redis.client().pubsub_channels("presenced:*")), True, "subscribed")


run(None, together=True, seconds=60)
