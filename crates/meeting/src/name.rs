//! Names of people and meetings, as others will see them on their screens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but white space.
    #[error("the name is empty; give one that the others will recognise")]
    Empty,
    /// Longer than the bound.
    #[error("the name is longer than {max} characters; shorten it")]
    TooLong {
        /// Characters allowed.
        max: usize,
    },
    /// Holds control characters or marks that turn the direction of what follows.
    #[error("the name has invisible control characters; remove them")]
    Control,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                checked(text, $max).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Debug for $name {
            /// Names belong on screens, not in logs.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

name! {
    /// What a person calls himself: 1 to 64 characters.
    DisplayName, 64
}
name! {
    /// What a meeting is about: 1 to 120 characters.
    Title, 120
}

fn checked(text: &str, max: usize) -> Result<String, NameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().count() > max {
        return Err(NameError::TooLong { max });
    }
    if text
        .chars()
        .any(|c| c.is_control() || turns_direction(c) || is_invisible(c))
    {
        return Err(NameError::Control);
    }
    Ok(text.to_owned())
}

/// Embeddings, overrides and isolates could make one name read as another.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
}

/// Letters without width could make two different names look the same. The joiners U+200C and
/// U+200D stay: Persian and many Indian scripts need them.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{00ad}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_world_pass() {
        for name in ["Ana Costa", "李小龍", "نگار", "O’Neill-Škoda", "  Ben  "] {
            assert!(name.parse::<DisplayName>().is_ok(), "{name}");
        }
        assert_eq!("  Ben  ".parse::<DisplayName>().unwrap().as_str(), "Ben");
        assert!("é".repeat(64).parse::<DisplayName>().is_ok(), "characters");
    }

    #[test]
    fn tricks_do_not() {
        assert_eq!(" \t".parse::<DisplayName>(), Err(NameError::Empty));
        assert_eq!("a\u{202e}b".parse::<DisplayName>(), Err(NameError::Control));
        assert_eq!("a\nb".parse::<DisplayName>(), Err(NameError::Control));
        assert_eq!(
            "A\u{200b}na".parse::<DisplayName>(),
            Err(NameError::Control)
        );
        assert_eq!(
            "x".repeat(65).parse::<DisplayName>(),
            Err(NameError::TooLong { max: 64 })
        );
    }

    #[test]
    fn a_name_from_the_wire_is_checked_too() {
        let bytes = postcard::to_allocvec("a\u{202e}b").unwrap();
        assert!(postcard::from_bytes::<DisplayName>(&bytes).is_err());
    }

    #[test]
    fn names_stay_out_of_logs() {
        let name: DisplayName = "Ana Costa".parse().unwrap();
        assert_eq!(format!("{name:?}"), "DisplayName(redacted)");
    }
}
