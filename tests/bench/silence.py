"""How long somebody who is removed still hears the others: `./dev bench silence`.

A server and three clients on this machine, with sound. Ana, the host, removes Cleo; Ben speaks too.
From the moment at which the order is written to Ana's client it measures the time to:

- Ana's and Ben's first word of the epoch without Cleo: with it their senders take the new key, at
  once, and what they seal from then on is shut to Cleo. The later of both is the silence.
- Cleo's program saying that it was removed.
- Cleo's last report in which a frame had opened. Reports come once a second, and when she is
  removed there is none any more: 0 says that no report after the order showed another frame.
"""

import argparse
import pathlib
import statistics
import time

from client import Client
from server import start_server

SEAT = ["--camera", "off", "--microphone", "test", "--speaker", "null"]


def opened(person):
    """When each report came, and how many frames of anybody had opened by then."""
    with person.more:
        return [
            (at, sum(sender["audio"]["opened"] for sender in event["senders"]))
            for at, event in person.events if event["event"] == "media"
        ]


def is_alone_with(names):
    return lambda event: (
        event["event"] == "roster" and sorted(member["name"] for member in event["members"]) == names
    )


def is_code_after(epoch):
    return lambda event: event["event"] == "code" and event["epoch"] > epoch


def remove(client, ana, ben, link):
    """One round, in seconds after the order: Ana's word, Ben's, Cleo's, and Cleo's last frame."""
    cleo = Client(client, "join", link, "--name", "Cleo", *SEAT, quiet=True)
    everybody = is_alone_with(["Ana", "Ben", "Cleo"])
    try:
        started, roster = cleo.wait_for("meeting", everybody)
        for person in (ana, ben):
            person.wait_for("roster with Cleo", lambda event: (
                everybody(event) and event["epoch"] >= roster["epoch"]))
        for name in ("Ana", "Ben"):
            cleo.hears(name)
        _, latest = [
            (at, event) for at, event in list(ana.events) if event["event"] == "code"
        ][-1]
        order = time.monotonic()
        ana.write("remove Cleo")
        moved = [
            person.wait_for("new code", is_code_after(latest["epoch"]), order)[0] - order
            for person in (ana, ben)
        ]
        told = cleo.wait_for("end", lambda event: event["event"] == "left")[0] - order
    finally:
        cleo.end()
    reports = opened(cleo)
    rose = [
        at for (_, before), (at, after) in zip(reports, reports[1:]) if after > before and at > order
    ]
    return *moved, told, max(rose, default=order) - order


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the built programs")
    arguments.add_argument("--runs", type=int, default=10, help="how many removals")
    arguments = arguments.parse_args()
    client = arguments.programs / "conclave"
    server, address = start_server(arguments.programs / "conclave-server")
    people = []
    try:
        ana = Client(client, "host", "--server", address, "--name", "Ana", "--admit", "all", "--commands",
                     *SEAT, quiet=True)
        people.append(ana)
        link = ana.link()
        ben = Client(client, "join", link, "--name", "Ben", *SEAT, quiet=True)
        people.append(ben)
        ana.wait_for("roster with Ben", is_alone_with(["Ana", "Ben"]))
        rounds = [remove(client, ana, ben, link) for _ in range(arguments.runs)]
    finally:
        for person in people:
            person.end()
        server.stdin.close()
        server.wait(timeout=20)

    by_ana, by_ben, told, last = zip(*rounds)
    print(f"\nafter the order, ms, {len(rounds)} removals{'p50':>19}{'max':>10}")
    for label, values in [
        ("the remover's sender has the new key", by_ana),
        ("the other sender has the new key", by_ben),
        ("silence: both have it", [max(pair) for pair in zip(by_ana, by_ben)]),
        ("the removed one says so", told),
        ("last report with another frame", last),
    ]:
        print(f"{label:<42}{statistics.median(values) * 1e3:>10.1f}{max(values) * 1e3:>10.1f}")


if __name__ == "__main__":
    main()
