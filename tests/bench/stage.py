"""Where the rows of the media bench play: a server, bad networks before it, and people."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from server import make_certificate, start_server

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "assets" / "samples"
PICTURE = f"file:{SAMPLES / 'person.webm'}"
PATIENCE = 40.0


class Client:
    """A `conclave --json` process, and all that it has said and when."""

    def __init__(self, program, *arguments, environment=None):
        self.process = subprocess.Popen(
            [program, *map(str, arguments), "--json"], stdout=subprocess.PIPE, text=True,
            env=os.environ | (environment or {}),
        )
        self.events = []
        self.more = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            now = time.monotonic()
            with self.more:
                self.events.append((now, json.loads(line)))
                self.more.notify_all()

    def wait_for(self, what, wanted, limit=PATIENCE):
        """The first event for which `wanted` says yes."""
        def found():
            return next((event for _, event in self.events if wanted(event)), None)

        with self.more:
            if not self.more.wait_for(found, limit):
                sys.exit(f"bench: no {what} within {limit:.0f} s, exit code {self.process.poll()}")
            return found()

    def media(self, name, since=0.0, until=float("inf")):
        """Every second's report on one sender, with the moment at which it came."""
        with self.more:
            reports = [(at, event["senders"]) for at, event in self.events if event["event"] == "media"]
        return [(at, sender) for at, senders in reports for sender in senders
                if sender["name"] == name and since <= at < until]

    def link(self):
        return self.wait_for("link", lambda event: event["event"] == "link")["link"]

    def hears(self, name, packets=50):
        self.wait_for(f"sound of {name}", lambda event: event["event"] == "media" and any(
            sender["name"] == name and sender["audio"]["opened"] >= packets
            for sender in event["senders"]))

    def sees(self, name, pictures=15):
        self.wait_for(f"picture of {name}", lambda event: event["event"] == "media" and any(
            sender["name"] == name and sender["video"]["played"] >= pictures
            for sender in event["senders"]))

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def leave(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none"
        self.reader.join(timeout=5)
        if code != 0:
            sys.exit(f"bench: a client left with exit code {code}")


def cpu_s(process):
    """Seconds of processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
