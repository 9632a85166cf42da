"""curl, the real one, as a function; and JWTs as an identity provider would sign them."""
import base64, hashlib, hmac, json, subprocess
import pki


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    json = property(lambda self: json.loads(self.body))

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body[:300])


def curl(url, *options, data=None, method=None):
    """One request. `data`: sent as application/json (text as it stands)."""
    trust = ["--cacert", pki.usual()[0][0]] if url.startswith("https:") else []
    argv = ["curl", "-sS", "-i", "--max-time", "20", "--path-as-is", *trust, *options]
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


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def jwt(sub, username=None, secret=b"a development secret", **claims):
    claims = {"sub": sub, **({"preferred_username": username} if username else {}), **claims}
    text = _part(b'{"alg":"HS256","typ":"JWT"}') + b"." + _part(json.dumps(claims).encode())
    return (text + b"." + _part(hmac.new(secret, text, hashlib.sha256).digest())).decode()
