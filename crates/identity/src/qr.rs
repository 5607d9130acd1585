//! QR codes (ISO/IEC 18004) as pictures and as text.

use std::fmt;
use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc, QrSegment};

/// Light modules around a code (ISO/IEC 18004 §5.3.8), without which readers do not find it.
pub const QUIET_ZONE: usize = 4;

/// A square of dark and light modules.
#[derive(Clone, PartialEq, Eq)]
pub struct Qr {
    size: usize,
    dark: Vec<bool>,
}

impl Qr {
    /// The smallest code of medium error correction that holds `bytes`; an empty square when they
    /// are more than the 2331 that any code holds.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let segments = [QrSegment::make_bytes(bytes)];
        let Ok(code) = QrCode::encode_segments(&segments, QrCodeEcc::Medium) else {
            return Self {
                size: 0,
                dark: Vec::new(),
            };
        };
        let side = code.size();
        let dark = (0..side)
            .flat_map(|y| (0..side).map(move |x| (x, y)))
            .map(|(x, y)| code.get_module(x, y))
            .collect();
        Self {
            size: usize::try_from(side).unwrap_or_default(),
            dark,
        }
    }

    /// Modules on a side, without the quiet zone.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether a module is dark; outside of the code all are light.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        x < self.size && y < self.size && self.dark.get(y * self.size + x) == Some(&true)
    }

    /// An SVG picture, black on white with its quiet zone, one unit for each module. It has no
    /// size of its own: the page gives it one.
    pub fn to_svg(&self) -> String {
        let side = self.size + 2 * QUIET_ZONE;
        let mut svg = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" \
             fill=\"#fff\"/><path fill=\"#000\" d=\""
        );
        for (x, y) in self.dark_modules() {
            let (x, y) = (x + QUIET_ZONE, y + QUIET_ZONE);
            let _ = write!(svg, "M{x} {y}h1v1h-1z");
        }
        svg.push_str("\"/></svg>");
        svg
    }

    /// Lines of half blocks, two modules in a character, with the quiet zone. Light modules are
    /// drawn, dark ones are left out: for a terminal of light letters on a dark ground. Most
    /// readers take the reverse too.
    pub fn to_text(&self) -> String {
        let side = self.size + 2 * QUIET_ZONE;
        let is_light = |x: usize, y: usize| {
            let inside = |at: usize| at.checked_sub(QUIET_ZONE);
            let dark = inside(x)
                .zip(inside(y))
                .is_some_and(|(x, y)| self.is_dark(x, y));
            y < side && !dark
        };
        let mut text = String::new();
        for y in (0..side).step_by(2) {
            text.extend(
                (0..side).map(|x| match (is_light(x, y), is_light(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                }),
            );
            text.push('\n');
        }
        text
    }

    fn dark_modules(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.size)
            .flat_map(|y| (0..self.size).map(move |x| (x, y)))
            .filter(|(x, y)| self.is_dark(*x, *y))
    }
}

impl fmt::Debug for Qr {
    /// What a code holds is for the person in front of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Qr({} modules, redacted)", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_and_a_text_show_the_same_modules() {
        let qr = Qr::of_bytes(b"some bytes");
        let rows: Vec<Vec<char>> = qr
            .to_text()
            .lines()
            .map(|row| row.chars().collect())
            .collect();
        let side = qr.size() + 2 * QUIET_ZONE;
        assert_eq!(rows.len(), side.div_ceil(2));
        let is_dark = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => false,
            ' ' => true,
            '▀' => !y.is_multiple_of(2),
            '▄' => y.is_multiple_of(2),
            other => panic!("{other}"),
        };
        let svg = qr.to_svg();
        for y in 0..side {
            for x in 0..side {
                let drawn = svg.contains(&format!("M{x} {y}h1"));
                assert_eq!(is_dark(x, y), drawn, "{x} {y}");
                let inside = x >= QUIET_ZONE && y >= QUIET_ZONE;
                assert_eq!(drawn, inside && qr.is_dark(x - QUIET_ZONE, y - QUIET_ZONE));
            }
        }
    }

    #[test]
    fn more_than_a_code_holds_is_no_code() {
        assert!(Qr::of_bytes(&[0; 2331]).size() > 0);
        let none = Qr::of_bytes(&[0; 2332]);
        assert_eq!((none.size(), none.is_dark(0, 0)), (0, false));
    }
}
