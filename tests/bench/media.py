"""How good, how late and how sturdy meetings are: `./dev bench media [ROW...]`.

One table; each row says its command, what was measured, the aim and whether it holds. A server and
clients run on this machine, with `impair` as the network between and virtual sound devices. The
same seed gives the same network. Without names all rows are measured but `hour`, in a quarter of an
hour.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import rows_breaks
import rows_crowd
import rows_fair
import rows_hour
import rows_links
import rows_plain
import rows_sound
from client import taken_s
from listening import repeat, speak
from stillness import Witness

ROWS = {
    "plain": rows_plain.plain,
    **rows_sound.ROWS,
    **rows_links.ROWS,
    **rows_breaks.ROWS,
    **rows_fair.ROWS,
    **rows_crowd.ROWS,
}
# Measured only when they are named.
LONG_ROWS = rows_hour.ROWS
ALL_ROWS = ROWS | LONG_ROWS
COPIES = 3  # of the text, in the long speech
# Of what the machine itself does, without a word: of the processor time, and in one piece.
MOST_TAKEN = 0.02
LONGEST_STILL_S = 0.02


class Bench:
    """What every row needs."""

    def __init__(self, programs, folder, seed, minutes, witness):
        self.programs, self.folder, self.seed, self.minutes = programs, folder, seed, minutes
        self.witness = witness
        self.voice, self.long_voice = folder / "voice.wav", folder / "long.wav"
        speak(self.voice)
        repeat(self.voice, COPIES, self.long_voice)


def show(name, seed, measures, taken, stills):
    """One row of the table; True when every aim is met."""
    print(f"{name}   ./dev bench media {name} --seed {seed}")
    if taken > MOST_TAKEN:
        print(f"  the host took {100 * taken:.0f} % of this machine's processor time meanwhile: that is heard")
    if stills and max(stills) > LONGEST_STILL_S:
        print(f"  a processor stood still {len(stills)} times, for {1000 * max(stills):.0f} ms at the longest:"
              " that too")
    for what, value, unit, aim, holds in measures:
        verdict = "" if holds is None else ("ok" if holds else "MISSED")
        print(f"  {what:<48}{value:>9.2f} {unit:<7}{aim:<9}{verdict}")
    sys.stdout.flush()
    return all(holds in (True, None) for *_, holds in measures)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ALL_ROWS))
    arguments.add_argument("--seed", type=int, default=4, help="of the network's chance")
    arguments.add_argument("--minutes", type=float, default=60, help="of the row `hour`")
    arguments.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the built programs")
    arguments.add_argument("--keep", type=pathlib.Path, help="folder for what was made and saved")
    arguments = arguments.parse_args()
    names = arguments.rows or list(ROWS)
    unknown = [name for name in names if name not in ALL_ROWS]
    if unknown:
        sys.exit(f"bench: there is no row '{unknown[0]}'; there are {', '.join(ALL_ROWS)}")
    held = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Witness(folder) as witness:
            bench = Bench(arguments.programs, folder, arguments.seed, arguments.minutes, witness)
            for name in names:
                begun, before = time.monotonic(), taken_s()
                measures = ALL_ROWS[name](bench)
                ended = time.monotonic()
                taken = (taken_s() - before) / (ended - begun) / os.cpu_count()
                held &= show(name, arguments.seed, measures, taken, witness.stood_still_s(begun, ended))
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
