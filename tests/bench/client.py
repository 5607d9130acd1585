"""A person in a bench: a `conclave` process."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

PATIENCE = 40.0


class Client:
    """A `conclave --json` process, and all that it has said and when."""

    def __init__(self, program, *arguments, environment=None, quiet=False):
        self.process = subprocess.Popen(
            [program, *map(str, arguments), "--json"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL if quiet else None, env=os.environ | (environment or {}),
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

    def write(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def wait_for(self, what, wanted, since=0.0, limit=PATIENCE):
        """When the first event after `since` came for which `wanted` says yes, and the event."""
        def found():
            fit = ((at, event) for at, event in self.events if at >= since and wanted(event))
            return next(fit, None)

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

    def holes(self):
        """What this computer itself made of holes in the sound, by the last report."""
        with self.more:
            return next(event for _, event in reversed(self.events) if event["event"] == "media")["holes"]

    def unmixed_ms(self, since, until):
        """How much was not mixed in time meanwhile, by the reports on it."""
        with self.more:
            told = [(at, event["holes"]["unmixed_ms"]) for at, event in self.events if event["event"] == "media"]
        counts = [max([ms for at, ms in told if at < moment], default=0.0) for moment in (since, until)]
        return counts[1] - counts[0]

    def link(self):
        return self.wait_for("link", lambda event: event["event"] == "link")[1]["link"]

    def hears(self, name, packets=50):
        self.wait_for(f"sound of {name}", lambda event: event["event"] == "media" and any(
            sender["name"] == name and sender["audio"]["opened"] >= packets
            for sender in event["senders"]))

    def sees(self, name, pictures=15):
        self.wait_for(f"picture of {name}", lambda event: event["event"] == "media" and any(
            sender["name"] == name and sender["video"]["played"] >= pictures
            for sender in event["senders"]))

    def end(self):
        """Ends it if it runs; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            sys.exit("bench: a client does not end")
        self.reader.join(timeout=5)
        return code

    def leave(self):
        code = self.end()
        if code != 0:
            sys.exit(f"bench: a client left with exit code {code}")


def cpu_percent(processes, seconds):
    """What each uses of a core while so many seconds pass."""
    return growth_percent(lambda: [cpu_s(process) for process in processes], seconds)


def growth_percent(read, seconds):
    """How much of the time each of the seconds that `read` gives grows by, while so many pass."""
    before, since = read(), time.monotonic()
    time.sleep(seconds)
    after, passed = read(), time.monotonic() - since
    return [100 * (last - first) / passed for last, first in zip(after, before)]


def cpu_s(process):
    """Seconds of processor time that a process, or a thread of one, has used."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def taken_s():
    """Seconds of processor time that a virtual machine's host gave to others while this one wanted it."""
    everything = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(everything[8]) / os.sysconf("SC_CLK_TCK")


def cpu_of_threads(process, names):
    """Seconds of processor time that all threads have used whose name begins with one of these."""
    used = 0.0
    for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            if (thread / "comm").read_text().startswith(names):
                used += cpu_s(f"{process}/task/{thread.name}")
    return used


def rate(reports, kind, count):
    """How much a count in the reports on one sender grew in a second."""
    if len(reports) < 2:
        sys.exit(f"bench: {len(reports)} reports on a sender: no rate of its {kind} can be told")
    (begun, first), *_, (ended, last) = reports
    return (last[kind][count] - first[kind][count]) / (ended - begun)


def concealed(reports):
    """The share of time in which a sender's sound was made up, in percent."""
    return rate(reports, "audio", "concealed_ms") / 10
