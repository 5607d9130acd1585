"""What is left of an echo while two speak at the same time: `./dev bench media-echo`.

No device and no clock: the cleaning of the microphone's sound runs in virtual time
(`crates/media/benches/echo.rs`). A voice from the loudspeaker comes back through a room, alone,
then while somebody in the room speaks, then alone again. Measured are

- ERLE: by how much the echo is quieter after cleaning, before and after the two spoke at once. The
  first half of the first part is for learning the room.
- STOI of the near voice, second by second: as it is sent; with the echo left in; and as cleaning
  alone makes it, without any echo.

With `--recordings` real rooms are judged instead (`echo_recorded`).
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy
from scipy.signal import fftconvolve

from cleaner import DEVICE_RATE, Cleaner, low, read
from listening import speak, stoi_by_second

# Name, milliseconds until the echo comes, decibels by which it is quieter than what is played, whether
# the loudspeaker distorts, least ERLE. What is distorted no filter can foresee.
ROWS = [
    ("50 ms, echo 6 dB down", 50, 6, False, 35),
    ("200 ms, echo 6 dB down", 200, 6, False, 35),
    ("50 ms, echo 15 dB down", 50, 15, False, 35),
    ("200 ms, echo 15 dB down", 200, 15, False, 35),
    ("50 ms, 6 dB, distorted", 50, 6, True, 30),
    ("50 ms, 15 dB, distorted", 50, 15, True, 30),
]
DRIVE = 4  # how far a loudspeaker that distorts is driven
LEAST_STOI = 0.9
# The near voice, unlike the far one.
NEAR_VOICE = ["-v", "en-us+f3", "-s", "150", "-p", "60"]
NEAR_TEXT = """I would rather have it in writing before the end of the week. The garden gate was open when
we came, and no one had seen the dog since noon. Bring both keys with you tomorrow, please."""
REVERBERATION_S = 0.25  # falls by 60 dB in so long: an office
DIFFUSE = 0.3  # share of the room's answer that is reverberation
NOISE = 3e-4  # what a room is never without: -70 dBFS


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", type=pathlib.Path, required=True, help="the built benches/echo.rs")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", type=pathlib.Path, help="folder for what was heard and sent")
    arguments.add_argument("--only", help="rows whose name holds this")
    arguments.add_argument("--recordings", type=pathlib.Path,
                           help="folder of real rooms to judge instead: pairs NAME_lpb.wav, NAME_mic.wav")
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        cleaner = Cleaner(arguments.program, folder)
        if arguments.recordings:
            # Its instruments are large, and nobody else wants them.
            from echo_recorded import judge
            judge(arguments.recordings, cleaner)
        else:
            rows = [row for row in ROWS if (arguments.only or "") in row[0]]
            sys.exit(0 if made_rooms(rows, cleaner, arguments.seed) else 1)


def made_rooms(rows, cleaner, seed):
    """Prints a line for each. True if all hold."""
    far, near, part = voices(cleaner.folder)
    print(f"{'':26}{'ERLE dB':>8} {'after':>6} {'aim':>4} {'STOI':>7} {'aim':>5}"
          f" {'with echo':>10} {'no echo':>8}")
    held = True
    for name, delay_ms, loss_db, distorts, least_erle in rows:
        chance = numpy.random.default_rng(seed)
        emitted = numpy.tanh(DRIVE * far) / DRIVE if distorts else far
        echo = fftconvolve(emitted, answer(delay_ms, loss_db, chance))[:len(far)]
        noise = NOISE * chance.uniform(-1, 1, len(far))

        def cleaned(what, heard):
            return cleaner.clean(f"{name.replace(' ', '-')}-{what}", far, heard, delay_ms)

        sent = cleaned("both", near + echo + noise)
        alone = cleaned("near", near + noise)
        during = slice(part, 2 * part)

        def erle(start, end):
            left = sent[start:end]
            return 10 * numpy.log10(numpy.mean(echo[start:start + len(left)]**2) / numpy.mean(left**2))

        def kept(heard):
            return stoi_by_second(low(near[during]), low(heard[during]))

        before, after = erle(part // 2, part), erle(2 * part + part // 4, len(far))
        score = kept(sent)
        ok = min(before, after) >= least_erle and score >= LEAST_STOI
        held = held and ok
        print(f"{name:26}{before:8.1f} {after:6.1f} {least_erle:4} {score:7.3f} {LEAST_STOI:5}"
              f" {kept(near + echo):10.3f} {kept(alone):8.3f} {'ok' if ok else 'MISSED'}", flush=True)
    return held


def voices(folder):
    """Who speaks from the loudspeaker in all three parts; who speaks in the room in the second; a part's length."""
    speak(folder / "far-spoken.wav")
    near_spoken = folder / "near-spoken.wav"
    subprocess.run(["espeak-ng", *NEAR_VOICE, "-w", near_spoken, NEAR_TEXT], check=True)
    far, voice = read(folder / "far-spoken.wav"), read(near_spoken)
    part = len(far) // 3
    near = numpy.zeros(len(far))
    near[part:part + min(part, len(voice))] = voice[:part]
    return far, near, part


def answer(delay_ms, loss_db, chance):
    """What the room makes of a click: the first arrival, then reverberation that fades."""
    length = int(0.15 * DEVICE_RATE)
    tail = chance.uniform(-1, 1, length) * numpy.exp(-6.9 * numpy.arange(length) / (REVERBERATION_S * DEVICE_RATE))
    room = DIFFUSE * tail / numpy.linalg.norm(tail)
    room[0] += 1 - DIFFUSE
    return numpy.concatenate([numpy.zeros(delay_ms * DEVICE_RATE // 1000), room * 10**(-loss_db / 20)])


if __name__ == "__main__":
    main()
