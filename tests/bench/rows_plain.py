"""A meeting without any network between: how good it sounds and looks.

Ben speaks the text and shows assets/samples/person.webm; Ana saves what arrives. PESQ (ITU-T
P.862.2, wide-band) and STOI of what Ana heard against what Ben said, PSNR of what she saw against
what he showed, and the time from capture to play as the clients themselves report it."""

import statistics
import subprocess

import numpy

from listening import RATE, ffmpeg, measure_sound, read_sound
from stage import FILM, PICTURE, Stage


def plain(bench):
    voice, folder = bench.voice, bench.folder
    with Stage(bench.programs, folder, bench.seed) as stage:
        deaf = ["--speaker", "null"]
        ana = stage.host("Ana", "--camera", "test", "--microphone", "test", "--save", folder, *deaf)
        ben = stage.join(
            "Ben", ana.link(), "--camera", PICTURE, "--microphone", f"file:{voice}", *deaf)
        ana.hears("Ben", 50 * (len(read_sound(voice)) // RATE + 2))
        of_ben = [report for _, report in ana.media("Ben")]
        of_ana = [report for _, report in ben.media("Ana")]
    quality, intelligibility, seconds = measure_sound(read_sound(voice), read_sound(folder / "Ben.wav"))
    size = picture_size(folder / "Ben.mkv")
    film = measure_film(read_film(FILM, size), read_film(folder / "Ben.mkv", size))
    audio, video = latency(of_ben + of_ana, "audio"), latency(of_ben + of_ana, "video")
    last = of_ben[-1]
    failed = last["audio"]["failed"] + last["video"]["failed"]
    middle = statistics.median(film)
    return [
        ("speech compared", seconds, "s", "", None),
        ("PESQ wide-band", quality, "", ">= 4.0", quality >= 4.0),
        ("STOI", intelligibility, "", ">= 0.95", intelligibility >= 0.95),
        ("concealed sound", last["audio"]["concealed_ms"], "ms", "", None),
        (f"PSNR {size[0]}x{size[1]}, median", middle, "dB", ">= 30", middle >= 30),
        (f"PSNR {size[0]}x{size[1]}, worst", min(film), "dB", "", None),
        ("audio capture to play, p50", audio[0], "ms", "<= 100", audio[0] <= 100),
        ("audio capture to play, p95", audio[1], "ms", "", None),
        ("video capture to play, p50", video[0], "ms", "<= 150", video[0] <= 150),
        ("video capture to play, p95", video[1], "ms", "", None),
        ("frames that did not open", failed, "", "0", failed == 0),
    ]


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
        raise SystemExit(f"bench: no {track} latency was reported")
    tail = statistics.quantiles([span["p95"] for span in spans], n=20)[-1]
    return statistics.median(span["p50"] for span in spans), tail
