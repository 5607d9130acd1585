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
