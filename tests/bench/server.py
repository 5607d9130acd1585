"""A `conclave-server` of a bench's own."""

import subprocess


def start_server(program, port=0, certificate=None):
    """The process, and what `--server` takes to reach it. It ends with its standard input.

    `certificate` is the files of the chain and the key; without, a new one is made."""
    files = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
    server = subprocess.Popen(
        [program, "--listen", f"127.0.0.1:{port}", "--exit-with-stdin", *files],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    said = dict(server.stdout.readline().split(maxsplit=1) for _ in range(2))
    return server, f"{said['url'].strip().rstrip('/')}#{said['fingerprint'].strip()}"


def make_certificate(folder):
    """A certificate for loopback that outlives a server: the files of the chain and the key."""
    chain, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "10", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", chain],
        check=True, capture_output=True,
    )
    return chain, key
