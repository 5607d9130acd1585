"""What a large meeting costs one client: `./dev bench large [--people N] [--speaking N]`.

Everybody meets at one server on this machine. One who speaks and the one who is measured are `conclave`
processes; nobody looks at a picture. The others are played by two processes (crates/client/examples/crowd):
each with a device, group state, control connection and relay session of its own, and reading nobody,
because a machine that plays so many clients would measure itself. The audience is muted; those who speak
come when it is in.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

from client import cpu_percent, rate
from crowd import Crowd
from listening import repeat, speak
from stage import Stage

AIM = 100.0  # percent of a core
COPIES = 50  # of the text in the long speech, 20 minutes: it must not end before the audience is in
SETTLE_S = 10


def people_seen(client):
    """In the last roster that a client told."""
    with client.more:
        rosters = [event["members"] for _, event in client.events if event["event"] == "roster"]
    return len(rosters[-1]) if rosters else 0


def measure(programs, folder, people, speaking, seconds):
    voice, long_voice = folder / "voice.wav", folder / "long.wav"
    speak(voice)
    repeat(voice, COPIES, long_voice)
    seat = ["--camera", "off", "--speaker", "null", "--commands"]
    with Stage(programs, folder, 0) as stage:
        talker = stage.host("Talker", *seat, "--microphone", f"file:{long_voice}")
        link = talker.link()
        listener = stage.join("Listener", link, *seat, "--microphone", "off")
        listener.hears("Talker")
        listener.write("mute on")
        listener.write("watch off")
        with Crowd(programs, link, people - speaking - 1) as audience:
            begin = time.monotonic()
            audience.is_in()
            came_in = time.monotonic() - begin
            with Crowd(programs, link, speaking - 1, voice) as speakers:
                speakers.is_in()
                names = ["Talker", *speakers.names]
                for name in names:
                    listener.hears(name)
                time.sleep(SETTLE_S)
                parts = [listener.process.pid, talker.process.pid, stage.server.pid,
                         speakers.process.pid, audience.process.pid]
                since = time.monotonic()
                used = cpu_percent(parts, seconds)
                reports = [listener.media(name, since) for name in names]
                heard = [rate(all_of, "audio", "opened") for all_of in reports if len(all_of) > 1]
                seen = people_seen(listener)
    return [
        ("people that the client sees", seen, "", f"= {people}", seen == people),
        ("of whom it hears", len(heard), "", f"= {speaking}", len(heard) == speaking),
        ("packets a second of each (50 are sent)", min(heard, default=0), "", ">= 49", min(heard, default=0) >= 49),
        ("client, listening", used[0], "% core", f"<= {AIM:.0f}", used[0] <= AIM),
        ("client, one of those who speak", used[1], "% core", "", None),
        ("server", used[2], "% core", "", None),
        ("the others who speak, all in one process", used[3], "% core", "", None),
        ("audience, all in one process", used[4], "% core", "", None),
        ("until the audience was in", came_in, "s", "", None),
    ]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--people", type=int, default=200, help="all in the meeting")
    arguments.add_argument("--speaking", type=int, default=10, help="of them, with speech")
    arguments.add_argument("--seconds", type=float, default=20, help="how long it is measured")
    arguments.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the built programs")
    arguments = arguments.parse_args()
    if not 2 <= arguments.speaking < arguments.people:
        sys.exit("bench: at least two speak, and fewer than there are people")
    with tempfile.TemporaryDirectory() as folder:
        measures = measure(arguments.programs, pathlib.Path(folder), arguments.people,
                           arguments.speaking, arguments.seconds)
    print(f"{arguments.people} people, {arguments.speaking} speak; {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}")
    for what, value, unit, aim, holds in measures:
        verdict = "" if holds is None else ("ok" if holds else "MISSED")
        print(f"  {what:<48}{value:>9.2f} {unit:<7}{aim:<9}{verdict}")
    sys.exit(0 if all(holds in (True, None) for *_, holds in measures) else 1)


if __name__ == "__main__":
    main()
