"""A few lines of TAP, and templates that messages are compared with.

A file declares its cases with @case("name") and ends with run(server options). A case is a coroutine that is given the
server; it fails by raising. Cases are numbered in the order of the file and end with a plan.
"""
import asyncio, re, sys, time, traceback
import secure

CASES = []
_count = [0, 0]


class Any:
    """Equal to whatever `holds` is true of; prints as its name."""
    def __init__(self, name, holds):
        self.name, self.holds = name, holds

    def __eq__(self, other):
        return bool(self.holds(other))

    def __repr__(self):
        return "<%s>" % self.name


def is_text(v):
    return isinstance(v, str) and v != ""


ANY = Any("anything", lambda v: True)
TEXT = Any("some text", is_text)
TIME = Any("RFC 3339 with milliseconds",
           lambda v: isinstance(v, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", v))
NUMBER = Any("a number", lambda v: isinstance(v, (int, float)) and not isinstance(v, bool))
NOTHING = Any("null or an empty object", lambda v: v is None or v == {})


def same(wanted, got):
    """Are these equal, keys exactly, wherever the template does not say Any?"""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return wanted.keys() == got.keys() and all(same(wanted[k], got[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(got, list):
        return len(wanted) == len(got) and all(map(same, wanted, got))
    return wanted == got and isinstance(wanted, bool) == isinstance(got, bool) or isinstance(wanted, Any) and wanted == got


def has(**fields):
    """A message with at least these fields; `payload__x` looks into the payload."""
    def holds(got):
        for name, want in fields.items():
            at = got
            for part in name.split("__"):
                if not isinstance(at, dict) or part not in at:
                    return False
                at = at[part]
            if not same(want, at):
                return False
        return True
    return Any("a message with %r" % fields, holds)


def equal(got, wanted, what="value"):
    assert same(wanted, got), "%s:\n    got    %r\n    wanted %r" % (what, got, wanted)


def ok(good, name, why=""):
    _count[0] += 1
    _count[1] += not good
    print("%s %d - %s" % ("ok" if good else "not ok", _count[0], name))
    if not good:
        for line in str(why).splitlines():
            print("# " + line)
    sys.stdout.flush()
    return good


def end():
    print("1..%d" % _count[0])
    sys.exit(1 if _count[1] else 0)


def scenes(*several):
    """Each is a function that says ok() for itself; one that raises has failed. A word behind the file's name: only the scene of that name."""
    for scene in several:
        if len(sys.argv) > 1 and sys.argv[1] != scene.__name__:
            continue
        try:
            scene()
        except Exception:
            ok(False, scene.__name__, traceback.format_exc())


def left_out(name, why):
    if why and secure.SECURE:
        print("# left out, %s: %s" % (why, name))
    return why and secure.SECURE


def case(name, plain=None):
    """`plain`: why it is left out of the suite's other mode (lib/secure.py)."""
    def keep(function):
        if not left_out(name, plain):
            CASES.append((name, function))
        return function
    return keep


def rows(name, table, plain=None):
    """One case for each row of a table; the row's first item is its name."""
    def keep(function):
        for row in [] if left_out(name, plain) else table:
            CASES.append((name + ": " + row[0], lambda server, row=row: function(server, *row[1:])))
        return function
    return keep


async def _one(function, server, seconds):
    try:
        await asyncio.wait_for(function(server), seconds)
    except asyncio.TimeoutError:
        return "".join(traceback.format_exc().splitlines(True)[-6:]) + "no end within %d s" % seconds
    except AssertionError as e:
        where = traceback.extract_tb(e.__traceback__)
        ours = [f for f in where if "/lib/" not in f.filename] or where
        return "line %d: %s" % (ours[-1].lineno, e or ours[-1].line)
    except Exception:
        return traceback.format_exc()
    return None


async def _all(server, together, seconds):
    CASES[:] = [(name, f) for name, f in CASES if len(sys.argv) < 2 or sys.argv[1] in name]
    if together:
        gate = asyncio.Semaphore(len(CASES) if together is True else together)

        async def one(function):
            async with gate:
                return await _one(function, server, seconds)
        wrong = await asyncio.gather(*[one(f) for _, f in CASES])
        for (name, _), why in zip(CASES, wrong):
            ok(why is None, name, why)
        return
    for name, function in CASES:
        why = await _one(function, server, seconds)
        ok(why is None, name, why)


async def soon(get, wanted, what="", seconds=5):
    """get() is like this, now or soon."""
    limit = time.monotonic() + seconds
    while True:
        got = await asyncio.to_thread(get)
        if same(wanted, got):
            return got
        if time.monotonic() > limit:
            equal(got, wanted, what)
        await asyncio.sleep(0.03)


def run(server, together=False, seconds=30):
    """Runs all cases against one server, stops it, and exits. `together`: all at once (for those that wait), or so many."""
    try:
        asyncio.run(_all(server, together, seconds))
    finally:
        why = server.stop() if server else None
    if server:
        ok(why is None, "SIGTERM: exit code 0, and nothing in the log that should not be there", why)
    end()
