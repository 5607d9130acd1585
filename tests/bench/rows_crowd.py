"""What a meeting of ten costs: everybody speaks, shows a picture and watches nine, on one machine."""

import os
import time

from client import cpu_s
from stage import PICTURE, Stage

PEOPLE = 10
SECONDS = 20


def crowd(bench):
    with Stage(bench.programs, bench.folder, bench.seed) as stage:
        seat = ["--camera", PICTURE, "--microphone", f"file:{bench.long_voice}", "--speaker", "null"]
        people = [stage.host("P0", *seat)]
        link = people[0].link()
        for number in range(1, PEOPLE):
            people.append(stage.join(f"P{number}", link, *seat))
            people[0].hears(f"P{number}", 10)
        time.sleep(5)
        parts = [*(person.process.pid for person in people), stage.server.pid]
        before, since = [cpu_s(part) for part in parts], time.monotonic()
        time.sleep(SECONDS)
        passed = time.monotonic() - since
        used = [100 * (cpu_s(part) - first) / passed for part, first in zip(parts, before)]
        shown = [
            (reports[-1][1]["video"]["opened"] - reports[0][1]["video"]["opened"]) / (len(reports) - 1)
            for reports in (people[0].media(f"P{number}", since) for number in range(1, PEOPLE))
            if len(reports) > 1
        ]
    clients, relay = sorted(used[:-1]), used[-1]
    return [
        ("client, median", clients[PEOPLE // 2], "% core", "<= 100", clients[PEOPLE // 2] <= 100),
        ("client, most", clients[-1], "% core", "", None),
        ("relay", relay, "% core", "", None),
        (f"all of {os.cpu_count()} cores", sum(used), "% core", "", None),
        ("pictures a second of each tile", sum(shown) / max(len(shown), 1), "", "", None),
    ]


ROWS = {"ten-people": crowd}
