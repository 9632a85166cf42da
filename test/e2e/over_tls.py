#!/usr/bin/python3
"""The whole dialect suite once more, over TLS: each file is run with E2E_TLS=1, which makes every listener `,tls` and every
client wss or https (lib/server.py). `over_tls.py rooms`: only the files with that in their names."""
import os, re, subprocess, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import pki
from tap import end, ok

HERE = os.path.dirname(os.path.abspath(__file__))
CERT, KEY = pki.pair("node")
FILES = ["five_dialects.py", "every_dialect.py", "seed000_snake.py", "seed001_dotted.py", "seed002_rooms.py", "seed003_roster.py",
         "seed004_upper.py", "rest.py", "hostile.py", "no_malloc.py", "ws_node.mjs"]
NOT_HERE = {"F17 an urgent byte is ignored": "bytes out of band are none of TLS's"}

for name in FILES:
    if len(sys.argv) > 1 and sys.argv[1] not in name:
        continue
    path = os.path.join(HERE, name)
    done = subprocess.run([path] if name.endswith(".mjs") else [sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, env=dict(os.environ, E2E_TLS="1", E2E_TLS_CERT=CERT, E2E_TLS_KEY=KEY,
                                                            NODE_EXTRA_CA_CERTS=CERT))
    cases = re.split(r"^(?=(?:not )?ok )", done.stdout, flags=re.M)[1:]
    for case in cases:
        first, _, rest = case.partition("\n")
        what = re.match(r"(not )?ok \d+ - (.*)", first)
        if what[2] in NOT_HERE:
            ok(True, "%s: %s # SKIP %s" % (name, what[2], NOT_HERE[what[2]]))
            continue
        ok(not what[1], "%s: %s" % (name, what[2]), "\n".join(l.lstrip("# ") for l in rest.splitlines() if l.startswith("#")))
    plan = re.search(r"^1\.\.(\d+)", done.stdout, re.M)
    if not plan or int(plan[1]) != len(cases):
        ok(False, "%s: as many cases as it planned" % name, done.stdout[-1500:])
end()
