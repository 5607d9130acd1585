//! A screen without a screen.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::Process;

/// An X server in memory.
pub struct Display {
    _process: Process,
    name: String,
}

impl Display {
    /// Starts one under a number that nobody uses.
    pub fn start() -> Self {
        let mut command = Command::new("Xvfb");
        command.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x860x24",
            "-nolisten",
            "tcp",
            "-noreset",
        ]);
        let mut process = Process::start("Xvfb", command);
        let deadline = Instant::now() + Duration::from_secs(15);
        let number = process.line(deadline, "display number");
        let number = number.unwrap_or_else(|| panic!("Xvfb: {}", process.errors()));
        Self {
            _process: process,
            name: format!(":{}", number.trim()),
        }
    }

    /// Saves what is on the screen as PNG.
    ///
    /// # Errors
    /// What the program that does it says.
    pub fn picture(&self, path: &Path) -> Result<(), String> {
        let ffmpeg = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "x11grab", "-i", &self.name])
            .args(["-frames:v", "1"])
            .arg(path)
            .output()
            .map_err(|e| e.to_string())?;
        match ffmpeg.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&ffmpeg.stderr).into_owned()),
        }
    }

    /// Starts a program that draws colour bars with `text` on them, in a window of this size.
    pub fn draw(&self, text: &str, (width, height): (u32, u32)) -> Process {
        let mut command = Command::new("gst-launch-1.0");
        let shape = format!("video/x-raw,width={width},height={height},framerate=5/1");
        command
            .args(["-q", "videotestsrc", "pattern=smpte100", "!", &shape, "!"])
            .args([
                "textoverlay",
                &format!("text={text}"),
                "font-desc=Sans 14",
                "!",
            ])
            .args(["videoconvert", "!", "ximagesink"])
            .env("DISPLAY", &self.name);
        Process::start("gst-launch-1.0", command)
    }

    /// The ids of the windows with a name, lowest first.
    pub fn windows(&self) -> Vec<String> {
        let tree = Command::new("xwininfo")
            .args(["-root", "-tree", "-display", &self.name])
            .output()
            .expect("xwininfo runs");
        let text = String::from_utf8_lossy(&tree.stdout);
        let named = text.lines().filter(|line| line.contains("\": ("));
        named
            .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
            .collect()
    }

    /// What `DISPLAY` has to say.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_displays_do_not_meet() {
        let (one, other) = (Display::start(), Display::start());
        assert_ne!(one.name(), other.name());
        for display in [&one, &other] {
            let info = Command::new("xdpyinfo")
                .args(["-display", display.name()])
                .output();
            assert!(
                info.expect("xdpyinfo runs").status.success(),
                "{}",
                display.name()
            );
        }
    }
}
