//! What comes of looking for somebody's safety number with the camera.

use std::time::{Duration, Instant};

use conclave_identity::{Comparison, SafetyNumber};
use serde::Serialize;

/// How long a code is looked for, once the camera is open.
pub const SCAN_LIMIT: Duration = Duration::from_secs(60);
/// A code that says nothing about the person may hang on the wall: only one that is held so long
/// is what the person meant.
const HELD: Duration = Duration::from_secs(3);
/// A code that was not seen for so long was taken away.
const GONE: Duration = Duration::from_secs(1);

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ScanOutcome {
    /// The other screen shows the same two keys. The person is verified now.
    Matches,
    /// The other screen shows another pair of keys. The person is not verified, also who was.
    Differs,
    /// The code is this device's own.
    OwnCode,
    /// The code is the safety number of another version of Conclave.
    OtherVersion,
    /// The code is something else.
    OtherCode,
    /// No code was seen within [`SCAN_LIMIT`].
    NothingSeen,
    /// Stopped by the person, or for another scan.
    Stopped,
}

impl ScanOutcome {
    /// What it means and what to do, as sentences; `name` is whose code was looked for.
    pub fn in_words(self, name: &str) -> String {
        match self {
            Self::Matches => format!("The code matches. {name} is verified."),
            Self::Differs => format!(
                "The code does not match. {name} is not verified. Say nothing secret. Check that \
                 both of you opened the other's number and scan once more; if it still differs, \
                 remove {name} and make a new link."
            ),
            Self::OwnCode => {
                format!("That is the code on your own screen. Scan the one on {name}'s screen.")
            }
            Self::OtherVersion => format!(
                "That safety number is of another version of Conclave. Bring both programs to the \
                 same version, or compare the digits with {name}."
            ),
            Self::OtherCode => format!(
                "That is the code of something else. Ask {name} to open the safety number with \
                 you, and scan the code beside it."
            ),
            Self::NothingSeen => format!(
                "No code was seen for {} seconds. Hold {name}'s screen nearer and still, with the \
                 whole code in the picture, and scan again, or compare the digits.",
                SCAN_LIMIT.as_secs()
            ),
            Self::Stopped => "The scan was stopped. Nothing was changed.".to_owned(),
        }
    }
}

/// Judges what is seen, picture by picture.
pub(crate) struct Judge {
    number: SafetyNumber,
    /// A code that decides nothing, when it was seen first, and last.
    other: Option<(ScanOutcome, Instant, Instant)>,
}

impl Judge {
    pub(crate) fn new(number: SafetyNumber) -> Self {
        let other = None;
        Self { number, other }
    }

    /// What the codes in one picture mean; `None` to look on.
    pub(crate) fn judge(&mut self, codes: &[Vec<u8>], now: Instant) -> Option<ScanOutcome> {
        let all = codes.iter().map(|code| self.number.matches_scanned(code));
        // The worst counts: whoever holds two codes before the camera may have copied one.
        let worst = all.map(outcome).min_by_key(|outcome| match outcome {
            ScanOutcome::Differs => 0,
            ScanOutcome::Matches => 1,
            ScanOutcome::OtherVersion => 2,
            ScanOutcome::OwnCode => 3,
            _ => 4,
        });
        match worst? {
            decided @ (ScanOutcome::Differs | ScanOutcome::Matches) => Some(decided),
            other => self.held(other, now),
        }
    }

    fn held(&mut self, other: ScanOutcome, now: Instant) -> Option<ScanOutcome> {
        let first = match self.other {
            Some((known, first, last)) if known == other && now < last + GONE => first,
            _ => now,
        };
        self.other = Some((other, first, now));
        (now >= first + HELD).then_some(other)
    }

    /// What to say when the time is over.
    pub(crate) fn at_last(&self) -> ScanOutcome {
        match self.other {
            Some((other, ..)) => other,
            None => ScanOutcome::NothingSeen,
        }
    }
}

fn outcome(comparison: Comparison) -> ScanOutcome {
    match comparison {
        Comparison::Match => ScanOutcome::Matches,
        Comparison::Differs => ScanOutcome::Differs,
        Comparison::OwnCode => ScanOutcome::OwnCode,
        Comparison::OtherVersion => ScanOutcome::OtherVersion,
        Comparison::NotASafetyNumber => ScanOutcome::OtherCode,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: [u8; 32] = [1; 32];
    const BEN: [u8; 32] = [2; 32];
    const EVE: [u8; 32] = [3; 32];

    fn judge() -> Judge {
        Judge::new(SafetyNumber::new(&ANA, &BEN))
    }

    /// What the screen of `mine` shows to `theirs`, as bytes.
    fn shown(mine: &[u8; 32], theirs: &[u8; 32]) -> Vec<u8> {
        SafetyNumber::new(mine, theirs).content().to_vec()
    }

    fn poster() -> Vec<u8> {
        b"https://example.org".to_vec()
    }

    #[test]
    fn the_right_code_and_a_wrong_one_decide_at_once() {
        let now = Instant::now();
        assert_eq!(judge().judge(&[], now), None);
        let right = shown(&BEN, &ANA);
        let wrong = shown(&EVE, &ANA);
        let codes = [poster(), right.clone()];
        assert_eq!(judge().judge(&codes, now), Some(ScanOutcome::Matches));
        let codes = [poster(), wrong.clone()];
        assert_eq!(judge().judge(&codes, now), Some(ScanOutcome::Differs));
        let codes = [right, wrong];
        assert_eq!(judge().judge(&codes, now), Some(ScanOutcome::Differs));
    }

    #[test]
    fn a_code_of_something_else_must_be_held() {
        let mut newer = shown(&BEN, &ANA);
        newer[4] = 2;
        for (code, expected) in [
            (poster(), ScanOutcome::OtherCode),
            (shown(&ANA, &BEN), ScanOutcome::OwnCode),
            (newer, ScanOutcome::OtherVersion),
        ] {
            let (mut judge, begin) = (judge(), Instant::now());
            let at = |ms| begin + Duration::from_millis(ms);
            let code = [code];
            for ms in (0..3000).step_by(500) {
                assert_eq!(judge.judge(&code, at(ms)), None, "{ms}");
            }
            assert_eq!(judge.judge(&code, at(3000)), Some(expected));
        }
    }

    #[test]
    fn a_code_that_passes_by_is_forgotten_for_another_one() {
        let (mut judge, begin) = (judge(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        assert_eq!(judge.judge(&[poster()], at(0)), None);
        assert_eq!(judge.judge(&[poster()], at(20_000)), None);
        assert_eq!(judge.judge(&[shown(&ANA, &BEN)], at(20_500)), None);
        assert_eq!(judge.judge(&[poster()], at(21_000)), None);
        assert_eq!(judge.judge(&[poster()], at(21_900)), None);
        let right = [shown(&BEN, &ANA)];
        assert_eq!(judge.judge(&right, at(22_000)), Some(ScanOutcome::Matches));
    }

    #[test]
    fn the_end_says_what_was_seen() {
        let mut judge = judge();
        assert_eq!(judge.at_last(), ScanOutcome::NothingSeen);
        judge.judge(&[poster()], Instant::now());
        assert_eq!(judge.at_last(), ScanOutcome::OtherCode);
    }

    #[test]
    fn every_outcome_is_a_sentence_about_somebody() {
        for outcome in [
            ScanOutcome::Matches,
            ScanOutcome::Differs,
            ScanOutcome::OwnCode,
            ScanOutcome::OtherVersion,
            ScanOutcome::OtherCode,
            ScanOutcome::NothingSeen,
        ] {
            let words = outcome.in_words("Ben");
            assert!(words.contains("Ben") && words.ends_with('.'), "{words}");
        }
    }
}
