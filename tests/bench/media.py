"""How good a meeting sounds and looks, and how late: `./dev bench media`.

A server and two clients on this machine. Ben speaks a text of 22 seconds made by espeak-ng and
shows assets/samples/person.webm; Ana saves what arrives. Measured are PESQ (ITU-T P.862.2,
wide-band) and STOI of what Ana heard against what Ben said, PSNR of what she saw against what he
showed, and the time from capture to play as the clients themselves report it.
"""

import argparse
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy

from listening import RATE, ffmpeg, measure_sound, read_sound, speak
from server import start_server

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "assets" / "samples"


class Client:
    """A `conclave --json` process and all that it has said."""

    def __init__(self, program, *arguments):
        command = [program, *map(str, arguments), "--speaker", "null", "--json"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.events = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def wait_for(self, wanted, limit=40.0):
        """The first event for which `wanted` says yes."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            for event in list(self.events):
                if wanted(event):
                    return event
            if self.process.poll() is not None:
                sys.exit(f"bench: a client ended early, exit code {self.process.returncode}")
            time.sleep(0.05)
        sys.exit("bench: a client did not say in time what was waited for")

    def media(self, name):
        """Every second's report on one sender."""
        reports = [event["senders"] for event in self.events if event["event"] == "media"]
        return [sender for senders in reports for sender in senders if sender["name"] == name]

    def leave(self):
        self.process.send_signal(signal.SIGINT)
        if self.process.wait(timeout=20) != 0:
            sys.exit(f"bench: a client left with exit code {self.process.returncode}")


def hold_meeting(programs, folder, voice):
    """Gives what Ana's client said of Ben, and Ben's of Ana, until Ben has spoken to the end."""
    server, address = start_server(programs / "conclave-server")
    try:
        ana = Client(
            programs / "conclave", "host", "--server", address, "--name", "Ana", "--admit", "all",
            "--camera", "test", "--microphone", "test", "--save", folder,
        )
        link = ana.wait_for(lambda event: event["event"] == "link")["link"]
        ben = Client(
            programs / "conclave", "join", link, "--name", "Ben",
            "--camera", f"file:{SAMPLES / 'person.webm'}", "--microphone", f"file:{voice}",
        )
        packets = 50 * (len(read_sound(voice)) // RATE + 2)
        ana.wait_for(lambda _: any(ben["audio"]["opened"] >= packets for ben in ana.media("Ben")), 60.0)
        ben.leave()
        ana.leave()
        return ana.media("Ben"), ben.media("Ana")
    finally:
        server.stdin.close()
        server.wait(timeout=20)


def read_film(path, size):
    """Brightness of every picture, as the codec has it."""
    width, height = size
    scale = ["-vf", f"scale={width}:{height}:flags=area", "-fps_mode", "passthrough"]
    raw = ffmpeg(path, "-an", *scale, "-pix_fmt", "yuv420p", "-f", "rawvideo")
    whole = numpy.frombuffer(raw, dtype=numpy.uint8).reshape(-1, height * 3 // 2, width)
    return whole[:, :height]


def picture_size(path):
    fields = ["-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0"]
    out = subprocess.run(["ffprobe", "-v", "error", *fields, path], check=True, capture_output=True)
    return tuple(int(number) for number in out.stdout.decode().strip().split(","))


def measure_film(source, seen):
    """PSNR of every fifteenth picture against the best match in the source, dB."""
    def best(picture):
        error = min(numpy.square(frame - picture).mean() for frame in source)
        return 10 * numpy.log10(255**2 / max(error, 1e-9))

    source = source.astype(numpy.float32)
    return [best(picture) for picture in seen[15::15].astype(numpy.float32)]


def latency(reports, track):
    """Median of the seconds' medians, 95th percentile of their 95th percentiles, ms."""
    spans = [report[track]["latency_ms"] for report in reports if report[track].get("latency_ms")]
    if len(spans) < 2:
        sys.exit(f"bench: no {track} latency was reported")
    tail = statistics.quantiles([span["p95"] for span in spans], n=20)[-1]
    return statistics.median(span["p50"] for span in spans), tail


def show(rows):
    """One table; True when every bar is held."""
    print(f"\n{'':34}{'measured':>10}  {'bar':<10}")
    for name, value, unit, bar, holds in rows:
        verdict = "" if holds is None else ("ok" if holds else "MISSED")
        print(f"{name:<34}{value:>10.2f}  {bar:<10} {unit:<4} {verdict}")
    return all(holds in (True, None) for *_, holds in rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--programs", type=pathlib.Path, required=True, help="folder of the built programs")
    arguments.add_argument("--keep", type=pathlib.Path, help="folder for what was made and saved")
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        voice = folder / "voice.wav"
        speak(voice)
        of_ben, of_ana = hold_meeting(arguments.programs, folder, voice)

        quality, intelligibility, seconds = measure_sound(read_sound(voice), read_sound(folder / "Ben.wav"))
        size = picture_size(folder / "Ben.mkv")
        film = measure_film(
            read_film(SAMPLES / "person.webm", size), read_film(folder / "Ben.mkv", size)
        )
    audio, video = latency(of_ben + of_ana, "audio"), latency(of_ben + of_ana, "video")
    last = of_ben[-1]
    failed = last["audio"]["failed"] + last["video"]["failed"]
    held = show([
        ("speech compared", seconds, "s", "", None),
        ("PESQ wide-band", quality, "", ">= 4.0", quality >= 4.0),
        ("STOI", intelligibility, "", ">= 0.95", intelligibility >= 0.95),
        ("concealed sound", last["audio"].get("concealed_ms", 0), "ms", "", None),
        (f"PSNR {size[0]}x{size[1]}, median", statistics.median(film), "dB", ">= 30", statistics.median(film) >= 30),
        (f"PSNR {size[0]}x{size[1]}, worst", min(film), "dB", "", None),
        ("audio capture to play, p50", audio[0], "ms", "<= 100", audio[0] <= 100),
        ("audio capture to play, p95", audio[1], "ms", "", None),
        ("video capture to play, p50", video[0], "ms", "<= 150", video[0] <= 150),
        ("video capture to play, p95", video[1], "ms", "", None),
        ("frames that did not open", failed, "", "0", failed == 0),
    ])
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
