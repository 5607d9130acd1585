"""What is not heard while the relay is replaced, or while a client's address changes."""

import time

from rows_sound import DELAY, SPEAKS, listens, quantile, say
from stage import PICTURE, Stage
from tape import Tape

TIMES = 3
PAUSE_S = 8
MOST_S = 1.0


def breaks(name, happen):
    """A row: while Ben speaks, it happens so many times; the longest silence of each counts."""
    def row(bench):
        with Stage(bench.programs, bench.folder, bench.seed, lasting=True) as stage:
            network = stage.network("--both", DELAY)
            ana = stage.host("Ana", *listens(bench), through=network)
            ben = stage.join("Ben", ana.link(), "--camera", PICTURE, *SPEAKS, through=network)
            ana.hears("Ben")
            tape = Tape(bench.folder / "tape.wav")
            voice = say(bench.long_voice)
            moments = []
            time.sleep(6)
            for _ in range(TIMES):
                moments.append(time.monotonic())
                happen(stage, network)
                time.sleep(PAUSE_S)
            voice.terminate()
            voice.wait()
            heard = tape.finish()
            back = [event["ms"] for _, event in ana.events if event["event"] == "recovered"]
        before = heard.part(heard.start, moments[0]).spoken()
        late = quantile([ms for _, ms in before.delays()], 0.5)
        gain = before.gain(late)
        quiet = [heard.part(at, at + PAUSE_S - 1).longest_silence(late, gain) for at in moments]
        return [
            (f"silence when {name}, median of {TIMES}", sorted(quiet)[TIMES // 2], "s", "", None),
            (f"silence when {name}, longest", max(quiet), "s", f"<= {MOST_S}", max(quiet) <= MOST_S),
            ("control connections made anew", len(back), "", "", None),
        ]
    return row


def replace_relay(stage, _):
    port = stage.port
    stage.kill_server()
    stage.start_server(port)


def change_address(_, network):
    network.order("rebind")


ROWS = {
    "relay-killed": breaks("the relay is killed and started again", replace_relay),
    "address-changed": breaks("the address changes", change_address),
}
