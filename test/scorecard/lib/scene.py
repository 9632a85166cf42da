"""Nodes on core 0 with users and watchers of test/e2e/lib (Stage), and rows made of what happens to them."""
import asyncio, contextlib, os, resource, statistics, sys, traceback
import server
from lib import place
from lib.row import Row
from light import Light
from stage import Stage

LONG = os.environ.get("SCORECARD_LONG", "") not in ("", "0")  # the times of RELIABILITY section N, whatever they take


def note(text):
    print("# " + text, file=sys.stderr, flush=True)


def on_core_0():
    """As place.on_core_0(), but it outlives the thread that started it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return ["taskset", "-c", "0", "prlimit", "--nofile=%d:%d" % (hard, hard)]


def nodes(count, *options, within=lambda name: [], open_client=Light.open_at, **more):
    """A Stage whose users cost little. `within`: what runs a node besides, by its name."""
    prefix = on_core_0()
    return Stage(count, *options, open_client=open_client, prefix=lambda name: prefix + list(within(name)), **more)


def alone(*options, **more):
    """The same of one node without a Redis."""
    return nodes(1, *options, redis_options=[], **more)


@contextlib.contextmanager
def binary(name):
    """Servers that are started meanwhile are this program of build/."""
    was, server.BINARY = server.BINARY, os.path.join(place.BUILD, name)
    try:
        assert os.path.exists(server.BINARY), "build/%s is not built: make scorecard builds it" % name
        yield
    finally:
        server.BINARY = was


def played(id, what, bound, function, *args):
    """The rows of a scene, a function or a coroutine function. One that raises is one failed row, which says why."""
    try:
        out = function(*args)
        if asyncio.iscoroutine(out):
            out = asyncio.run(out)
        return out if isinstance(out, list) else [out]
    except (AssertionError, OSError, asyncio.TimeoutError, ValueError) as e:
        traceback.print_exc()
        return [Row(id, what, bound, "%s: %s" % (type(e).__name__, e), False)]


async def p99_ms(node, seconds=2, clients=50, rate=400):
    """Of events in one room of a node: what its own clients have of it, whatever the others do."""
    child = await asyncio.create_subprocess_exec(  # not place.generate(): select() is not for thousands of descriptors
        place.program("load"), "rate", "--clients", str(clients), "--rate", str(rate), "--seconds", str(seconds), "--port",
        str(node.ports[0]), "--pid", str(node.pid), "--dialect", "dotted", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    out, err = await child.communicate()
    assert child.returncode == 0, "load: " + err.decode()[-300:]
    return place.pairs(out.decode().split("\n")[0])["p99_ns"] / 1e6


def middle(values):
    return statistics.median(values)


def mib(count):
    return "%.1f MiB" % (count / 1048576)
