"""What is left of an echo while two speak at the same time: `./dev bench media-echo`.

No device and no clock: the cleaning of the microphone's sound runs in virtual time
(`crates/media/benches/echo.rs`). A voice from the loudspeaker comes back through a room, alone,
then while somebody in the room speaks, then alone again. Measured are the echo return loss
enhancement before and after the double talk (ERLE: how much of the echo is taken out), and how
intelligible the near voice stays (STOI, second by second), against what it would be with the echo
left in.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from listening import RATE, read_sound, speak, stoi_by_second

# Name, the room.
ROWS = [
    ("50 ms, echo 6 dB down", ["--delay", 50, "--loss", 6]),
    ("200 ms, echo 6 dB down", ["--delay", 200, "--loss", 6]),
    ("50 ms, echo 15 dB down", ["--delay", 50, "--loss", 15]),
    ("200 ms, echo 15 dB down", ["--delay", 200, "--loss", 15]),
]
LEAST_ERLE_DB = 35
LEAST_STOI = 0.9
# The near voice, unlike the far one.
NEAR_VOICE = ["-v", "en-us+f3", "-s", "150", "-p", "60"]
NEAR_TEXT = """I would rather have it in writing before the end of the week. The garden gate was open when
we came, and no one had seen the dog since noon. Bring both keys with you tomorrow, please."""


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", type=pathlib.Path, required=True, help="the built benches/echo.rs")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", type=pathlib.Path, help="folder for what was sent")
    arguments.add_argument("--only", help="rows whose name holds this")
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        spoken = folder / "far-spoken.wav"
        speak(spoken)
        far = convert(spoken, folder / "far.wav")
        near_spoken = folder / "near-spoken.wav"
        subprocess.run(["espeak-ng", *NEAR_VOICE, "-w", near_spoken, NEAR_TEXT], check=True)
        near = convert(near_spoken, folder / "near.wav")
        print(f"{'':26}{'ERLE dB':>8} {'after':>6} {'aim':>4} {'STOI':>7} {'aim':>5}")
        held = True
        for name, room in ROWS:
            if arguments.only and arguments.only not in name:
                continue
            sent = folder / (name.replace(" ", "-").replace(",", "") + ".wav")
            command = [arguments.program, "--far", far, "--near", near, "--out", sent,
                       "--seed", arguments.seed, *room]
            out = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)
            figures = json.loads(out.stdout)
            part = int(figures["part_s"] * RATE)
            score = stoi_by_second(read_sound(near)[:part], read_sound(sent))
            ok = min(figures["erle_db"], figures["erle_after_db"]) >= LEAST_ERLE_DB and score >= LEAST_STOI
            held = held and ok
            print(f"{name:26}{figures['erle_db']:8.1f} {figures['erle_after_db']:6.1f} {LEAST_ERLE_DB:4}"
                  f" {score:7.3f} {LEAST_STOI:5} {'ok' if ok else 'MISSED'}", flush=True)
    sys.exit(0 if held else 1)


def convert(spoken, to):
    form = ["-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le"]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", spoken, *form, to], check=True)
    return to


if __name__ == "__main__":
    main()
