"""What is heard of speech over a bad link: `./dev bench media-loss`.

No network and no clock: the sending and the receiving end of a voice run in virtual time
(`crates/media/benches/loss.rs`), 25 ms apart, and the same seed gives the same sound. Measured are
PESQ (ITU-T P.862.2, wide-band), STOI second by second, and the delay from capture to play.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from pesq import pesq

from listening import RATE, align, read_sound, speak, stoi_by_second

# Name, what the link does, least PESQ, least STOI.
ROWS = [
    ("loss 0 %", ["--loss", 0], 4.2, 0.97),
    ("loss 1 %", ["--loss", 1], 4.1, 0.97),
    ("loss 5 %", ["--loss", 5], 4.05, 0.97),
    ("loss 10 %", ["--loss", 10], 4.0, 0.97),
    ("loss 20 %", ["--loss", 20], 3.7, 0.97),
    ("loss 30 %", ["--loss", 30], 2.8, 0.93),
    ("100 ms lost every 2 s", ["--burst", 100, "--every", 2000], 3.2, None),
    ("jitter +-40 ms", ["--jitter", 40], 4.2, None),
]
MOST_DELAY_MS = 180


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--program", type=pathlib.Path, required=True, help="the built benches/loss.rs")
    arguments.add_argument("--speech", type=pathlib.Path, help="a recording instead of espeak-ng's voice")
    arguments.add_argument("--seeds", type=int, default=1, help="runs of each row, averaged")
    arguments.add_argument("--keep", type=pathlib.Path, help="folder for what was heard")
    arguments.add_argument("--only", help="rows whose name holds this")
    arguments, extra = arguments.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        speech = folder / "speech.wav"
        spoken = arguments.speech or folder / "spoken.wav"
        if not arguments.speech:
            speak(spoken)
        # Silence at the end lets the last word arrive.
        convert = ["-af", "apad=pad_dur=0.5", "-ac", "1", "-ar", "48000", "-c:a", "pcm_s16le"]
        subprocess.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", spoken, *convert, speech], check=True
        )
        source = read_sound(speech)
        print(f"{len(source) / RATE:.1f} s of speech")
        print(f"{'':24}{'PESQ':>6} {'aim':>5} {'STOI':>7} {'aim':>5} {'delay ms':>9} {'p95':>6}"
              f" {'lost':>5} {'healed':>6} {'concealed':>9}")
        held = True
        for name, link, least_pesq, least_stoi in ROWS:
            if arguments.only and arguments.only not in name:
                continue
            runs = [measure(arguments.program, folder, source, speech, [*link, *extra, "--seed", seed + 1])
                    for seed in range(arguments.seeds)]
            mean = {key: sum(run[key] for run in runs) / len(runs) for key in runs[0]}
            ok = mean["pesq"] >= least_pesq and mean["delay_p95_ms"] <= MOST_DELAY_MS
            ok = ok and (least_stoi is None or mean["stoi"] >= least_stoi)
            held = held and ok
            print(f"{name:24}{mean['pesq']:6.2f} {least_pesq:5} {mean['stoi']:7.3f} {least_stoi or '':>5}"
                  f" {mean['delay_mean_ms']:9.1f} {mean['delay_p95_ms']:6.1f} {mean['lost']:5.0f}"
                  f" {mean['recovered']:6.0f} {mean['concealed_ms']:6.0f} ms {'ok' if ok else 'MISSED'}", flush=True)
    sys.exit(0 if held else 1)


def measure(program, folder, source, speech, link):
    heard = folder / ("heard" + "".join(map(str, link)).replace("--", "-") + ".wav")
    command = [program, "--in", speech, "--out", heard, *link]
    out = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout
    listened = read_sound(heard)
    score = pesq(RATE, *align(source, listened), "wb")
    return json.loads(out) | {"pesq": score, "stoi": stoi_by_second(source, listened)}


if __name__ == "__main__":
    main()
