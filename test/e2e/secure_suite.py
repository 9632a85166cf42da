#!/usr/bin/python3
"""The dialect suite once more, over TLS with tokens: each file runs with PRESENCED_E2E=hs256 and with rs256 (lib/secure.py), a few
at a time, for most of them wait. `secure_suite.py rooms`: only the files with that in their names."""
import concurrent.futures, os, re, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import pki, secure
from issuer import Certificates
from tap import end, ok

HERE = os.path.dirname(os.path.abspath(__file__))
# The longest first.
FILES = ["no_malloc.py", "seed003_roster.py", "five_dialects.py", "hostile.py", "client_command.py", "every_dialect.py", "wscat.sh",
         "seed000_snake.py", "rest.py", "seed001_dotted.py", "seed002_rooms.py", "seed004_upper.py", "ws_node.mjs"]
CASE = re.compile(r"^(?=(?:not )?ok )", re.M)


def run(mode, name, directory):
    return subprocess.run([os.path.join(HERE, name)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, PRESENCED_E2E=mode, PRESENCED_E2E_DIR=directory)).stdout.decode("utf-8", "replace")


def merge(mode, name, out):
    cases = CASE.split(out)[1:]
    for case in cases:
        first, _, rest = case.partition("\n")
        what = re.match(r"(not )?ok \d+ - (.*)", first)
        ok(not what[1], "%s %s: %s" % (mode, name, what[2]), "\n".join(l.lstrip("# ") for l in rest.splitlines() if l.startswith("#")))
    plan = re.search(r"^1\.\.(\d+)", out, re.M)
    if not plan or int(plan[1]) != len(cases):
        ok(False, "%s %s: as many cases as it planned" % (mode, name), out[-1500:])


def made(name):
    path = os.path.join(pki.directory(), name)
    os.mkdir(path)
    secure.make(path)
    return path


good, bad = made("good"), made("bad")
os.mkdir(os.path.join(bad, "other"))
os.replace(Certificates(os.path.join(bad, "other")).ca, os.path.join(bad, "ca.pem"))
wanted = [name for name in FILES if len(sys.argv) < 2 or sys.argv[1] in name]
# That the suite's clients look at certificates at all: with another CA none gets anywhere.
none = [name for name in ("seed002_rooms.py", "ws_node.mjs", "wscat.sh") if name in wanted]
runs = [(mode, name, good) for name in wanted for mode in ("hs256", "rs256")] + [("hs256", name, bad) for name in none]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for (mode, name, directory), out in zip(runs, pool.map(lambda one: run(*one), runs)):
        if directory == good:
            merge(mode, name, out)
            continue
        passed = [case for case in CASE.split(out)[1:] if case.startswith("ok ") and "SIGTERM" not in case]
        ok(CASE.search(out) and not passed, "%s: with another CA no client gets anywhere" % name, out[-3000:] if not passed else "".join(passed))
end()
