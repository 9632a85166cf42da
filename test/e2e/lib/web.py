"""curl, the real one, as a function; and JWTs as an identity provider would sign them."""
import json, re, subprocess
import secure


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    json = property(lambda self: json.loads(self.body))

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:300])


def curl(url, *options, data=None, method=None, bare=False):
    """One request. `data`: sent as application/json (text as it stands). `bare`: without a token, even where the suite's mode has one."""
    argv = ["curl", "-sS", "-i", "--max-time", "20", "--path-as-is", *options]
    if secure.SECURE and url.startswith("https:"):
        argv += ["--cacert", secure.ca()] + [word for pair in secure.service(url, options) if not bare for word in ("-H", ": ".join(pair))]
    stdin = None
    if data is not None:
        stdin = (data if isinstance(data, (str, bytes)) else json.dumps(data))
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        argv += ["--data-binary", "@-"]
        if not any(o.lower().startswith("content-type:") for o in options):
            argv += ["-H", "Content-Type: application/json"]
    if method == "HEAD":
        argv += ["-I"]
    elif method:
        argv += ["-X", method]
    done = subprocess.run(argv + [url], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 0, "curl %s: %d %s" % (url, done.returncode, done.stderr.decode())
    out = done.stdout
    while True:  # an interim 100 stands before the answer
        head, _, body = out.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status != 100:
            break
        out = body
    headers = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Answer(status, headers, body)


SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\n]|\\[\"\\n])*\",?)+\})? (\S+)")


def exposition(text):
    """What a strict scraper takes of /metrics: {sample with its labels: value}. One HELP and one TYPE of a name, before its samples, which
    stand together, each once."""
    types, found, last, ended = {}, {}, None, set()
    assert text.endswith("\n"), "no newline at the end"
    for line in text.splitlines():
        if line.startswith("# "):
            what, name, rest = line[2:].split(" ", 2)
            assert what in ("HELP", "TYPE") and (what, name) not in types and name not in ended, line
            types[what, name] = rest
            assert what == "HELP" or rest in ("counter", "gauge", "histogram"), line
            family = name
        else:
            m = SAMPLE.fullmatch(line)
            assert m, line
            name = m[1]
            family = next((name[:-len(end)] for end in ("_bucket", "_sum", "_count") if name.endswith(end) and
                           types.get(("TYPE", name[:-len(end)])) == "histogram"), name)
            assert ("TYPE", family) in types and ("HELP", family) in types, "nothing said of " + line
            key = name + (m[2] or "")
            assert key not in found, "twice: " + line
            found[key] = float(m[3])
        if family != last:
            assert family not in ended, "not together: " + line
            ended |= {last}
            last = family
    return found


def jwt(sub, username=None, **claims):
    """A token that the server of the suite's mode believes; under trust none is verified."""
    if secure.SECURE:
        return secure.token(sub, username, **claims)
    return secure.signed({"sub": sub, **({"preferred_username": username} if username else {}), **claims}, b"a development secret")
