//! When two names would be taken for one another.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_security::confusable_detection::skeleton;

/// A name reduced to what a reader takes in at a glance.
///
/// Case, spaces and invisible characters are dropped, compatibility forms are unified (NFKC,
/// UAX #15), and look-alikes of other scripts are unified by the skeleton of UTS #39 §4. The
/// skeleton is taken once before and once after the case goes, since "I" looks like "l" and "i"
/// does not: either being equal makes two names alike.
///
/// Accents are kept: "Jose" and "José" are two names. So are "Ana" and "Anna", and "Ana Costa" and
/// "Costa, Ana". UTS #39 takes "rn" for "m", so that a "Mamie" is warned of when a "Marnie" is
/// known: a warning too many, but a true one.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Likeness {
    case_first: String,
    case_last: String,
}

impl Likeness {
    pub(crate) fn of(name: &str) -> Self {
        let plain: String = name.nfkc().filter(|c| is_seen(*c)).collect();
        Self {
            case_first: skeleton(&without_case(&plain)).collect(),
            case_last: without_case(&skeleton(&plain).collect::<String>()),
        }
    }

    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.case_first == other.case_first || self.case_last == other.case_last
    }
}

impl fmt::Debug for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Likeness(redacted)")
    }
}

/// Case folding as far as the standard library has it: "ß" and "SS" meet in "ss".
fn without_case(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

fn is_seen(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !is_ignorable(c)
}

/// Default_Ignorable_Code_Point (UAX #44, DerivedCoreProperties): drawn as nothing.
fn is_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(one: &str, other: &str) -> bool {
        Likeness::of(one).is_like(&Likeness::of(other))
    }

    #[test]
    fn what_reads_the_same_is_alike() {
        for (one, other) in [
            ("Ana Costa", "ana  costa"),
            ("Ana Costa", "ANACOSTA"),
            ("Ana", "A\u{200d}n\u{fe0f}a\u{3164}"),
            ("Ana", "Аna"),
            ("Ana", "\u{ff21}\u{ff4e}\u{ff41}"),
            ("Alice", "AIice"),
            ("Alice", "A1ice"),
            ("Alice", "alice"),
            ("Jose\u{301}", "JOS\u{c9}"),
            ("Weiß", "WEISS"),
            ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
            ("李小龍", "李 小龍"),
        ] {
            assert!(alike(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_reads_differently_is_not() {
        for (one, other) in [
            ("Ana", "Anna"),
            ("Ana Costa", "Costa Ana"),
            ("Jose", "José"),
            ("Ana", "Ben"),
            ("李小龍", "李小明"),
        ] {
            assert!(!alike(one, other), "{one} {other}");
        }
    }
}
