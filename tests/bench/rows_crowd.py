"""What a meeting of ten costs: everybody speaks and shows a picture, and one watches the nine others.

Ten whole clients would need more processors than a machine for one has, and would say what a full
machine does to a meeting instead of what a meeting costs. So eight are played by one process, with
pictures and sound that were encoded before; each seals and signs its own. The one who is measured
is a whole client, and so is the ninth, who watches its picture, so that it is made. Who watches decodes
all that it shows; a client without a window does so for what it saves."""

import os
import time

from client import cpu_percent, rate
from crowd import Crowd
from stage import PICTURE, SAMPLES, Stage

PLAYED = 8
SECONDS = 20


def ten_people(bench):
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        seat = ["--camera", PICTURE, "--microphone", f"file:{bench.long_voice}", "--speaker", "null"]
        watcher = stage.host("Ana", *seat, "--save", bench.folder)
        guest = stage.join("Ben", watcher.link(), *seat)
        watcher.sees("Ben")
        with Crowd(bench.programs, watcher.link(), PLAYED, SAMPLES / "person.webm", bench.long_voice) as crowd:
            crowd.is_in()
            others = ["Ben", *crowd.names]
            for name in others:
                watcher.sees(name)
            parts = [watcher.process.pid, guest.process.pid, stage.server.pid, crowd.process.pid]
            since = time.monotonic()
            used = cpu_percent(parts, SECONDS)
            reports = {name: watcher.media(name, since) for name in others}
            sent = guest.media("Ana", since)
    shown = [rate(told, "video", "played") for told in reports.values()]
    heard = [rate(told, "audio", "opened") for told in reports.values()]
    watching, hearing, relay, played = used
    return [
        ("client with nine tiles", watching, "% core", "<= 100", watching <= 100),
        ("client that hears all and shows none", hearing, "% core", "", None),
        ("relay", relay, "% core", "", None),
        ("the eight who are played", played, "% core", "", None),
        (f"all of {os.cpu_count()} cores", sum(used), "% core", "", None),
        ("pictures a second of a tile, fewest", min(shown), "", ">= 15", min(shown) >= 15),
        ("packets of sound a second of a voice, fewest", min(heard), "", ">= 49", min(heard) >= 49),
        ("pictures a second that are sent", rate(sent, "video", "received"), "", "", None),
    ]


ROWS = {"ten-people": ten_people}
