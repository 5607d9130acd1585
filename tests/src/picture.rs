//! Pictures as numbers, read by ffmpeg, and how alike two of them are.

use std::path::Path;
use std::process::Command;

/// One picture, a byte a sample, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Samples in a row: pixels, or three times as many in colour.
    pub row: usize,
    /// The samples.
    pub samples: Vec<u8>,
}

/// Width and height in pixels.
pub type Size = (usize, usize);

/// Every picture of a file in colour, scaled to `size`.
pub fn read_colour(path: &Path, size: Size) -> Vec<Picture> {
    let bytes = read(path, size, "rgb24");
    cut(&bytes, 3 * size.0, 3 * size.0 * size.1)
}

/// Every picture of a file as brightness alone, as the codec has it, scaled to `size` (even).
pub fn read_brightness(path: &Path, size: Size) -> Vec<Picture> {
    let luma = size.0 * size.1;
    let bytes = read(path, size, "yuv420p");
    bytes
        .chunks_exact(luma * 3 / 2)
        .flat_map(|whole| cut(&whole[..luma], size.0, luma))
        .collect()
}

fn cut(bytes: &[u8], row: usize, whole: usize) -> Vec<Picture> {
    bytes
        .chunks_exact(whole)
        .map(|samples| Picture {
            row,
            samples: samples.to_vec(),
        })
        .collect()
}

fn read(path: &Path, (width, height): Size, format: &str) -> Vec<u8> {
    let ffmpeg = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-an", "-fps_mode", "passthrough"])
        .args([
            "-vf",
            &format!("scale={width}:{height}:flags=area"),
            "-pix_fmt",
            format,
            "-f",
            "rawvideo",
            "-",
        ])
        .output()
        .expect("ffmpeg runs");
    assert!(
        ffmpeg.status.success(),
        "ffmpeg {}: {}",
        path.display(),
        String::from_utf8_lossy(&ffmpeg.stderr)
    );
    ffmpeg.stdout
}

/// Draws what a terminal shows in half blocks, white on black, `scale` pixels to a half block, and
/// has ffmpeg bend it by `filter` into `file`.
pub fn half_blocks(text: &str, scale: usize, filter: &str, file: &Path) {
    let rows: Vec<Vec<char>> = text.lines().map(|row| row.chars().collect()).collect();
    let width = rows.iter().map(Vec::len).max().expect("some text");
    let (width, height) = (width * scale, 2 * rows.len() * scale);
    let mut grey = format!("P5 {width} {height} 255\n").into_bytes();
    for y in 0..height {
        for x in 0..width {
            let block = rows[y / scale / 2].get(x / scale).copied();
            let upper = (y / scale).is_multiple_of(2);
            let is_light = match block.unwrap_or(' ') {
                '█' => true,
                '▀' => upper,
                '▄' => !upper,
                ' ' => false,
                other => panic!("no half block: {other}"),
            };
            grey.push(if is_light { 235 } else { 20 });
        }
    }
    let source = file.with_extension("pgm");
    std::fs::write(&source, grey).expect("a folder of our own");
    let mut ffmpeg = ffmpeg();
    ffmpeg.arg("-i").arg(&source).args(["-vf", filter]);
    write(ffmpeg, file);
}

/// Has ffmpeg write a picture of one colour.
pub fn plain(colour: &str, file: &Path) {
    let source = format!("color=c={colour}:s=1280x720");
    let mut ffmpeg = ffmpeg();
    ffmpeg.args(["-f", "lavfi", "-i", &source, "-frames:v", "1"]);
    write(ffmpeg, file);
}

fn ffmpeg() -> Command {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-y", "-v", "error"]);
    ffmpeg
}

/// Has it write its one picture into a file.
fn write(mut ffmpeg: Command, file: &Path) {
    let done = ffmpeg.arg(file).output().expect("ffmpeg runs");
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{ffmpeg:?}: {complaint}");
}

/// The moment of each picture of a file in seconds.
pub fn moments(path: &Path) -> Vec<f64> {
    let ffprobe = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0"])
        .args(["-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8_lossy(&ffprobe.stdout);
    let moment = |line: &str| line.trim_end_matches(',').parse().expect("seconds");
    text.lines().map(moment).collect()
}

/// The size of a file's pictures.
pub fn size(path: &Path) -> Size {
    let ffprobe = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-show_entries",
            "stream=width,height",
        ])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe runs");
    let text = String::from_utf8_lossy(&ffprobe.stdout);
    let mut numbers = text.trim().split(',').map(|number| number.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(width), Some(height)) => (width, height),
        _ => panic!(
            "{} has no pictures: {}",
            path.display(),
            String::from_utf8_lossy(&ffprobe.stderr)
        ),
    }
}

impl Picture {
    /// Peak signal-to-noise ratio in dB; infinite for equal pictures.
    pub fn psnr(&self, other: &Self) -> f64 {
        assert_eq!(
            self.samples.len(),
            other.samples.len(),
            "pictures of one size"
        );
        let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
        let error: f64 = self.samples.iter().zip(&other.samples).map(square).sum();
        10.0 * (255.0_f64.powi(2) * self.samples.len() as f64 / error).log10()
    }

    /// The best match among the pictures of a film, for one whose moment is not known: its index
    /// and PSNR.
    pub fn best_of(&self, film: &[Self]) -> (usize, f64) {
        let scores = film.iter().map(|picture| self.psnr(picture)).enumerate();
        scores
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .expect("a film has pictures")
    }

    /// Correlation of the samples, -1 to 1: blind to contrast and brightness, which a window may
    /// change, but not to what the picture shows.
    pub fn likeness(&self, other: &Self) -> f64 {
        assert_eq!(
            self.samples.len(),
            other.samples.len(),
            "pictures of one size"
        );
        let mean = |p: &Self| {
            p.samples.iter().map(|s| f64::from(*s)).sum::<f64>() / p.samples.len() as f64
        };
        let (mine, theirs) = (mean(self), mean(other));
        let (mut both, mut a2, mut b2) = (0.0, 0.0, 0.0);
        for (a, b) in self.samples.iter().zip(&other.samples) {
            let (a, b) = (f64::from(*a) - mine, f64::from(*b) - theirs);
            both += a * b;
            a2 += a * a;
            b2 += b * b;
        }
        both / (a2 * b2).sqrt().max(f64::MIN_POSITIVE)
    }

    /// Mean absolute difference of the samples, 0 to 255.
    pub fn difference(&self, other: &Self) -> f64 {
        assert_eq!(
            self.samples.len(),
            other.samples.len(),
            "pictures of one size"
        );
        let sum: u64 = self
            .samples
            .iter()
            .zip(&other.samples)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        sum as f64 / self.samples.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::sample;

    const SIZE: Size = (160, 90);

    #[test]
    fn a_picture_finds_itself_in_a_film_and_noise_does_not() {
        let film = read_colour(&sample("person.webm"), SIZE);
        assert!(
            film.len() >= 170,
            "six seconds at 30 a second: {}",
            film.len()
        );
        let (index, psnr) = film[40].best_of(&film);
        assert_eq!((index, psnr), (40, f64::INFINITY));

        let mut state = 1_u32;
        let noise = film[0].samples.iter().map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise = Picture {
            row: film[0].row,
            samples: noise.collect(),
        };
        assert!(noise.best_of(&film).1 < 15.0);
        assert!(noise.likeness(&film[0]).abs() < 0.2);
        assert!(film[0].likeness(&film[90]) > 0.6, "the same room");
    }

    #[test]
    fn the_sample_moves() {
        let film = read_brightness(&sample("person.webm"), SIZE);
        assert!(
            film[0].difference(&film[45]) > 2.0,
            "{}",
            film[0].difference(&film[45])
        );
        assert_eq!(film[0].row, SIZE.0);
    }
}
