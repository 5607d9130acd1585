//! A code on one screen, read by another program's reader.

use conclave_identity::{Comparison, QUIET_ZONE, Qr, SCANNED_LEN, SafetyNumber};
use rqrr::PreparedImage;

const ANA: [u8; 32] = [1; 32];
const BEN: [u8; 32] = [2; 32];
const EVE: [u8; 32] = [3; 32];

/// Pixels on a side of a module.
const SCALE: usize = 4;

/// Finds and decodes the one code in a picture of `side` modules.
fn read(side: usize, is_dark: impl Fn(usize, usize) -> bool) -> Vec<u8> {
    let pixels = side * SCALE;
    let mut picture =
        PreparedImage::prepare_from_bitmap(pixels, pixels, |x, y| is_dark(x / SCALE, y / SCALE));
    let codes = picture.detect_grids();
    assert_eq!(codes.len(), 1, "one code is found");
    let mut content = Vec::new();
    codes[0].decode_to(&mut content).expect("it is readable");
    content
}

fn scan(qr: &Qr) -> Vec<u8> {
    let inside = |at: usize| at.checked_sub(QUIET_ZONE);
    read(qr.size() + 2 * QUIET_ZONE, |x, y| {
        inside(x)
            .zip(inside(y))
            .is_some_and(|(x, y)| qr.is_dark(x, y))
    })
}

#[test]
fn the_code_on_the_other_screen_matches() {
    let (ana, ben) = (SafetyNumber::new(&ANA, &BEN), SafetyNumber::new(&BEN, &ANA));
    let scanned = scan(&ben.qr());
    assert_eq!(scanned.len(), SCANNED_LEN);
    assert_eq!(ana.matches_scanned(&scanned), Comparison::Match);
    assert_eq!(ben.matches_scanned(&scan(&ana.qr())), Comparison::Match);
    assert_eq!(ben.matches_scanned(&scanned), Comparison::OwnCode);
}

#[test]
fn the_code_of_somebody_in_between_does_not() {
    let ana = SafetyNumber::new(&ANA, &EVE);
    let ben = SafetyNumber::new(&BEN, &EVE);
    assert_eq!(ana.matches_scanned(&scan(&ben.qr())), Comparison::Differs);
}

#[test]
fn a_terminal_shows_a_readable_code() {
    let number = SafetyNumber::new(&ANA, &BEN);
    let text = number.qr().to_text();
    let rows: Vec<Vec<char>> = text.lines().map(|row| row.chars().collect()).collect();
    let side = rows[0].len();
    let scanned = read(side, |x, y| match rows[y / 2][x] {
        '█' => false,
        '▀' => !y.is_multiple_of(2),
        '▄' => y.is_multiple_of(2),
        _ => true,
    });
    assert_eq!(number.matches_scanned(&scanned), Comparison::OwnCode);
}

#[test]
fn a_page_shows_a_readable_code() {
    let number = SafetyNumber::new(&ANA, &BEN);
    let svg = number.qr().to_svg();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 "));
    let side = number.qr().size() + 2 * QUIET_ZONE;
    let drawn: std::collections::HashSet<(usize, usize)> = svg
        .split('M')
        .skip(1)
        .map(|module| {
            let (x, rest) = module.split_once(' ').expect("x y");
            let (y, shape) = rest.split_once('h').expect("a square");
            assert!(shape.starts_with("1v1h-1z"));
            (x.parse().expect("a number"), y.parse().expect("a number"))
        })
        .collect();
    let scanned = read(side, |x, y| drawn.contains(&(x, y)));
    assert_eq!(number.matches_scanned(&scanned), Comparison::OwnCode);
}
