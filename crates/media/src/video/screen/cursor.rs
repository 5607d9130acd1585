//! The mouse pointer, which is no part of what a window or screen holds: drawn into the picture.

use x11rb::protocol::xfixes::GetCursorImageReply;

/// The pointer's picture and where it is.
pub(super) struct Cursor {
    pub(super) image: GetCursorImageReply,
    /// On the root window.
    pub(super) at: (i32, i32),
}

/// A picture of 4 bytes a pixel without padding.
pub(super) struct Canvas<'a> {
    pub(super) pixels: &'a mut [u8],
    pub(super) width: usize,
    pub(super) height: usize,
    /// Where it lies on the root window.
    pub(super) origin: (i32, i32),
    /// Blue comes first in memory, red third; if not, the unused byte comes first and red second.
    pub(super) blue_first: bool,
}

impl Cursor {
    /// Draws the part of the pointer that lies within `canvas`.
    pub(super) fn draw(&self, canvas: &mut Canvas<'_>) {
        let image = &self.image;
        let columns = usize::from(image.width);
        if columns == 0 {
            return;
        }
        let left = self.at.0 - i32::from(image.xhot) - canvas.origin.0;
        let top = self.at.1 - i32::from(image.yhot) - canvas.origin.1;
        let rows = image.cursor_image.chunks_exact(columns);
        for (y, row) in (top..).zip(rows) {
            for (x, argb) in (left..).zip(row) {
                canvas.blend(x, y, *argb);
            }
        }
    }
}

impl Canvas<'_> {
    /// Colours of a pointer are multiplied with their opacity already.
    fn blend(&mut self, x: i32, y: i32, argb: u32) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y * self.width + x) * 4;
        let Some(pixel) = self.pixels.get_mut(at..at + 4) else {
            return;
        };
        let [alpha, red, green, blue] = argb.to_be_bytes();
        let over = match self.blue_first {
            true => [blue, green, red, 0],
            false => [0, red, green, blue],
        };
        for (below, above) in pixel.iter_mut().zip(over) {
            let through = u16::from(*below) * u16::from(255 - alpha) / 255;
            *below = above.saturating_add(through as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(at: (i32, i32), origin: (i32, i32)) -> Vec<u8> {
        let image = GetCursorImageReply {
            width: 2,
            height: 2,
            xhot: 1,
            yhot: 1,
            // White, half of red, nothing, blue.
            cursor_image: vec![0xffff_ffff, 0x8080_0000, 0, 0xff00_00ff],
            ..GetCursorImageReply::default()
        };
        let mut pixels = vec![100; 4 * 4 * 4];
        Cursor { image, at }.draw(&mut Canvas {
            pixels: &mut pixels,
            width: 4,
            height: 4,
            origin,
            blue_first: true,
        });
        pixels
    }

    #[test]
    fn the_pointer_lies_where_its_hot_spot_points() {
        let pixels = drawn((12, 12), (10, 10));
        let pixel = |x: usize, y: usize| &pixels[(y * 4 + x) * 4..][..3];
        assert_eq!(pixel(1, 1), [255, 255, 255]);
        assert_eq!(pixel(2, 1), [49, 49, 177]);
        assert_eq!(pixel(1, 2), [100, 100, 100]);
        assert_eq!(pixel(2, 2), [255, 0, 0]);
        assert_eq!(pixel(0, 0), [100, 100, 100]);
    }

    #[test]
    fn a_pointer_outside_draws_nothing() {
        for at in [(-5, 0), (0, -5), (40, 2), (2, 40)] {
            assert!(drawn(at, (0, 0)).iter().all(|byte| *byte == 100), "{at:?}");
        }
        let corner = drawn((0, 0), (0, 0));
        assert_ne!(corner[..4], [100; 4], "the last pixel is inside");
    }
}
