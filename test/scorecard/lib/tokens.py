"""RS256 tokens (2048 bits) of the users user-0000000 and on, a line each, as test/bench/run makes them; kept while they are valid."""
import importlib.machinery, importlib.util, os, subprocess, sys, time
from lib import place

KEPT_SECONDS = 2400  # they are valid for an hour


def _script():
    bench = os.path.join(place.ROOT, "test/bench")
    loader = importlib.machinery.SourceFileLoader("bench_run", os.path.join(bench, "run"))
    sys.path.append(bench)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_run", loader))
        loader.exec_module(module)
    finally:
        sys.path.remove(bench)
        sys.dont_write_bytecode = writes
    return module.TOKENS_MJS


def rs256(count):
    """Paths of the file of tokens and of the public key."""
    directory = os.path.join(place.BUILD, "scorecard/tokens-%d" % count)
    tokens, key = os.path.join(directory, "tokens"), os.path.join(directory, "public.pem")
    if not os.path.exists(tokens) or time.time() - os.path.getmtime(tokens) > KEPT_SECONDS:
        os.makedirs(directory, exist_ok=True)
        script = os.path.join(directory, "tokens.mjs")
        with open(script, "w") as f:
            f.write(_script())
        subprocess.run(["node", script, directory, str(count)], check=True)
    os.chmod(directory, 0o755)
    return tokens, key
