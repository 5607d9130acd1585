"""A `conclave-server` of a bench's own."""

import subprocess


def start_server(program):
    """The process, and what `--server` takes to reach it. It ends with its standard input."""
    server = subprocess.Popen(
        [program, "--listen", "127.0.0.1:0", "--exit-with-stdin"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    said = dict(server.stdout.readline().split(maxsplit=1) for _ in range(2))
    return server, f"{said['url'].strip().rstrip('/')}#{said['fingerprint'].strip()}"
