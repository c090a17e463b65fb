//! The picture that the bot paints: a Julia set, as a file that every browser shows.

/// The width and the height of the picture, in pixels.
const SIZE: u32 = 640;

/// The header of a BMP file with 24 bits a pixel, in bytes.
const HEADER: u32 = 54;

/// Iterations after which a point counts as one of the set.
const MOST: u32 = 250;

/// Paints a set that is another one each time. Returns a BMP file of 1.2 MB.
pub(crate) fn paint() -> Vec<u8> {
    // A little outside of the edge of the Mandelbrot set's cardioid, the sets are of one piece or nearly so.
    let angle = (0.06 + 0.88 * fastrand::f64()) * std::f64::consts::TAU;
    let edge = |cycle: fn(f64) -> f64| 1.01 * (cycle(angle) / 2.0 - cycle(2.0 * angle) / 4.0);
    let c = (edge(f64::cos), edge(f64::sin));
    let hue = fastrand::f64();

    let pixels = SIZE * SIZE * 3;
    let mut file = Vec::with_capacity((HEADER + pixels) as usize);
    file.extend(b"BM");
    for field in [HEADER + pixels, 0, HEADER, 40, SIZE, SIZE, 1 | (24 << 16), 0, pixels, 0, 0, 0, 0]
    {
        file.extend(field.to_le_bytes());
    }
    for y in 0..SIZE {
        for x in 0..SIZE {
            let place = |at: u32| (f64::from(at) / f64::from(SIZE) - 0.5) * 3.0;
            file.extend(colour(escape(place(x), place(y), c), hue));
        }
    }
    file
}

/// Returns the number of steps after which a point leaves, or `None` for a point of the set.
fn escape(mut x: f64, mut y: f64, (cx, cy): (f64, f64)) -> Option<f64> {
    for step in 0..MOST {
        let (xx, yy) = (x * x, y * y);
        if xx + yy > 256.0 {
            // Between two steps the logarithm of the distance makes it smooth.
            let part = ((xx + yy).ln() / 2.0).log2() - 3.0;
            return Some((f64::from(step) - part).max(0.0));
        }
        (x, y) = (xx - yy + cx, 2.0 * x * y + cy);
    }
    None
}

/// Returns blue, green and red.
fn colour(steps: Option<f64>, hue: f64) -> [u8; 3] {
    let Some(steps) = steps else { return [32, 20, 18] };
    let phase = hue + 0.22 * steps.ln_1p();
    let bright = (0.25 + steps / 40.0).min(1.0);
    [0.1, 0.25, 0.45].map(|shift| {
        let wave = 0.5 + 0.5 * ((phase + shift) * std::f64::consts::TAU).cos();
        // From 0 to 255.
        (255.0 * bright * (0.2 + 0.8 * wave)) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_long_as_its_header_says() {
        let file = paint();

        let length = u32::from_le_bytes([file[2], file[3], file[4], file[5]]);
        assert_eq!(file.len(), length as usize);
        assert_eq!(&file[..2], b"BM");
    }
}
