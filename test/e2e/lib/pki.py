"""Certificates and keys for tests, made by openssl in a directory that goes when the test ends."""
import atexit, functools, os, shutil, ssl, subprocess, tempfile


@functools.lru_cache(None)
def directory():
    path = tempfile.mkdtemp(prefix="presenced-pki-")
    os.chmod(path, 0o755)  # the server may have become somebody else when it reads them again
    atexit.register(shutil.rmtree, path, True)
    return path


def openssl(*args, data=None):
    done = subprocess.run(["openssl", *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=directory())
    assert done.returncode == 0, "openssl %s: %s" % (" ".join(args), done.stderr.decode())
    return done.stdout


KINDS = {"rsa": ["rsa:2048"], "rsa1024": ["rsa:1024"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "p521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"]}


def pair(name, kind="ec", names=("localhost", "127.0.0.1"), days=10):
    """Paths of a self-signed certificate and its key."""
    cert, key = (os.path.join(directory(), name + end) for end in (".crt", ".key"))
    alternatives = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names)
    openssl("req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-keyout", key, "-out", cert, "-days", str(days),
            "-subj", "/CN=" + names[0], "-addext", "subjectAltName=" + alternatives)
    os.chmod(key, 0o644)
    return cert, key


def options(*pairs):
    return [word for cert, key in pairs for word in ("--tls-cert", cert, "--tls-key", key)]


def context(*certs):
    """A client's, which trusts these certificates and no others."""
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for cert in certs:
        trust.load_verify_locations(cert)
    return trust
