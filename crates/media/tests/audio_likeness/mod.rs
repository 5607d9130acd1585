//! How alike two recordings are, wherever the second one may lag.

/// Length of the pieces compared, 250 ms.
const PIECE: usize = 12_000;

/// Median correlation of the pieces of `source[from..to]` with wherever in
/// `played` each is found best, up to `most` samples later. Pieces are placed
/// one by one because a receiver may change its lag between them.
pub fn likeness(source: &[f32], played: &[f32], from: usize, to: usize, most: usize) -> f32 {
    let mut found: Vec<f32> = (from..to - PIECE)
        .step_by(PIECE)
        .map(|at| {
            let lag = best_lag(source, played, at, most);
            correlation(source, played, lag, at)
        })
        .collect();
    found.sort_by(f32::total_cmp);
    found[found.len() / 2]
}

fn best_lag(source: &[f32], played: &[f32], at: usize, most: usize) -> usize {
    let find = |lags: &mut dyn Iterator<Item = usize>| {
        lags.map(|lag| (lag, correlation(source, played, lag, at)))
            .fold(
                (0, -1.0),
                |best, next| if next.1 > best.1 { next } else { best },
            )
            .0
    };
    let coarse = find(&mut (0..most).step_by(8));
    find(&mut (coarse.saturating_sub(8)..coarse + 9))
}

fn correlation(source: &[f32], played: &[f32], lag: usize, at: usize) -> f32 {
    let (mut product, mut first, mut second) = (0.0, 1e-9, 1e-9);
    let behind = played.get(at + lag..).unwrap_or_default();
    for (i, a) in source[at..at + PIECE].iter().enumerate() {
        let b = behind.get(i).copied().unwrap_or(0.0);
        product += a * b;
        first += a * a;
        second += b * b;
    }
    product / f32::sqrt(first * second)
}
