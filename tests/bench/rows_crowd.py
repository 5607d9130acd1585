"""What a meeting of ten costs: everybody speaks and shows a picture, and one watches the nine others.

Ten whole clients would need more processors than a machine for one has, and would say what a full
machine does to a meeting instead of what a meeting costs. So eight are played by one process, with
pictures and sound that were encoded before; each seals and signs its own. The one who is measured
is a whole client, and so is the ninth, who watches its picture, so that it is made. Who watches decodes
all that it shows; a client without a window does so for what it saves."""

import os
import time

from client import cpu_of_threads, cpu_s, growth_percent, rate
from crowd import Crowd
from stage import PICTURE, Stage

PLAYED = 8
SECONDS = 20
MOST_SETTLING_S = 40
LARGE = "medium"  # 640x360
# What a client does, and the names of the threads that do it.
WORK = {
    "decodes nine pictures": ("appsrc",),
    "encodes its own": ("queue",),
    "decodes the film that stands in for a camera": ("multiqueue", "matroskademux", "camera-file"),
    "cleans, mixes and encodes sound": ("sound-", "pw_"),
    "network, keys and signatures": ("tokio",),
}


def ten_people(bench):
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        seat = ["--camera", PICTURE, "--microphone", f"file:{bench.long_voice}", "--speaker", "null"]
        watcher = stage.host("Ana", *seat, "--save", bench.folder)
        guest = stage.join("Ben", watcher.link(), *seat)
        watcher.sees("Ben")
        with Crowd(bench.programs, watcher.link(), PLAYED, bench.long_voice) as crowd:
            crowd.is_in()
            others = ["Ben", *crowd.names]
            for name in others:
                watcher.sees(name)
            settle(watcher, others)
            parts = [watcher.process.pid, guest.process.pid, stage.server.pid, crowd.process.pid]
            since = time.monotonic()
            used = growth_percent(lambda: [*map(cpu_s, parts), *worked(watcher)], SECONDS)
            reports = {name: watcher.media(name, since) for name in others}
            sent = guest.media("Ana", since)
    shown = [rate(told, "video", "played") for told in reports.values()]
    large = [sum(report["picture"] == LARGE for _, report in told) / len(told) for told in reports.values()]
    heard = [rate(told, "audio", "opened") for told in reports.values()]
    watching, hearing, relay, played, *works = used
    return [
        ("client with nine tiles", watching, "% core", "<= 100", watching <= 100),
        *((f"  of it: {what}", percent, "% core", "", None) for what, percent in zip(WORK, works)),
        ("client that hears all and shows none", hearing, "% core", "", None),
        ("relay", relay, "% core", "", None),
        ("the eight who are played", played, "% core", "", None),
        (f"all of {os.cpu_count()} cores", watching + hearing + relay + played, "% core", "", None),
        ("pictures a second of a tile, fewest", min(shown), "", ">= 15", min(shown) >= 15),
        ("share of the time in which a tile has 640x360", 100 * min(large), "%", ">= 95", min(large) >= 0.95),
        ("packets of sound a second of a voice, fewest", min(heard), "", ">= 49", min(heard) >= 49),
        ("pictures a second that are sent", rate(sent, "video", "received"), "", "", None),
    ]


def settle(watcher, others):
    """Waits until all tiles are as large as they are to be, if they become so: who comes together with eight
    others may get small pictures at first."""
    end = time.monotonic() + MOST_SETTLING_S
    while time.monotonic() < end:
        latest = [watcher.media(name)[-1][1]["picture"] for name in others]
        if all(picture == LARGE for picture in latest):
            return
        time.sleep(1)


def worked(client):
    """Seconds of processor time, for each kind of work."""
    return [cpu_of_threads(client.process.pid, names) for names in WORK.values()]


ROWS = {"ten-people": ten_people}
