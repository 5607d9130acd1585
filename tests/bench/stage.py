"""Where the rows of the media bench play: a server, bad networks before it, and people."""

import json
import pathlib
import subprocess

from client import Client
from server import make_certificate, start_server

FILM = pathlib.Path(__file__).resolve().parents[2] / "assets" / "samples" / "person.webm"
PICTURE = f"file:{FILM}"


class Network:
    """An `impair` process before the server; settings hold in both directions unless said."""

    def __init__(self, program, port, seed, *flags):
        self.process = subprocess.Popen(
            [program, "--to", f"127.0.0.1:{port}", "--seed", str(seed), "--exit-with-stdin", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def order(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def stats(self):
        return json.loads(self.order("stats"))

    def end(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


class Stage:
    """Everything of one row; it all ends with the `with` that opened it."""

    def __init__(self, programs, folder, seed, lasting=False):
        self.programs, self.folder, self.seed = programs, folder, seed
        self.certificate = make_certificate(folder) if lasting else None
        self.people, self.networks = [], []
        self.start_server()

    def start_server(self, port=0):
        self.server, self.address = start_server(
            self.programs / "conclave-server", port, self.certificate)
        self.port = int(self.address.split("#")[0].rsplit(":", 1)[1])

    def kill_server(self):
        self.server.kill()
        self.server.wait()

    def network(self, *flags):
        network = Network(self.programs / "impair", self.port, self.seed, *flags)
        self.networks.append(network)
        return network

    def host(self, name, *flags, through=None, **more):
        address = self.address.replace(f":{self.port}", f":{through.port}") if through else self.address
        return self._come(["host", "--server", address, "--name", name, "--admit", "all", *flags], more)

    def join(self, name, link, *flags, through=None, **more):
        """By a link that somebody had from the server itself or through any network."""
        ours = [self.port, *(network.port for network in self.networks)]
        for port in ours:
            link = link.replace(f":{port}/", f":{through.port if through else self.port}/", 1)
        return self._come(["join", link, "--name", name, *flags], more)

    def _come(self, arguments, more):
        client = Client(self.programs / "conclave", *arguments, **more)
        self.people.append(client)
        return client

    def __enter__(self):
        return self

    def __exit__(self, failed, *_):
        # Guests first: a meeting ends with its host.
        for person in reversed(self.people):
            if failed:
                person.process.kill()
            else:
                person.leave()
        for network in self.networks:
            network.end()
        self.server.stdin.close()
        self.server.wait(timeout=20)
