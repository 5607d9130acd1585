//! Why a tile shows no picture, in words: no tile is black without them.

use super::guard::Voice;
use super::tracks::Kind;

/// What is known about the picture of a member whose camera is on, or the screen of one who shares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    pub(super) kind: Kind,
    pub(super) voice: Voice,
    /// Whether that voice is heard and seen under the rules in force.
    pub(super) is_heard: bool,
    pub(super) lacks_key: bool,
    /// The connection to the relay.
    pub(super) relay_is_up: bool,
    /// The member sends sound, by its own signed word, and none of it comes.
    pub(super) held_back: bool,
    /// Whether the relay announces the member's tracks.
    pub(super) announced: bool,
    /// Whether anybody looks at it.
    pub(super) watched: bool,
    /// The way from the member bears no picture now.
    pub(super) paused: bool,
    /// A picture was handed to the window lately, or ever.
    pub(super) shown: bool,
    pub(super) ever_shown: bool,
    /// The decoder of this program failed and has not recovered.
    pub(super) stuck: bool,
    /// Frames opened lately.
    pub(super) opens: bool,
    /// Frames came lately that were damaged or forged.
    pub(super) fails: bool,
}

impl Tile {
    /// What to write on the tile; nothing while it shows a picture.
    pub(super) fn problem(&self, name: &str) -> Option<String> {
        if let Some(muted) = self.muted(name) {
            return Some(muted);
        }
        if !self.watched || (self.shown && !self.stuck) {
            return None;
        }
        let what = match self.kind {
            Kind::Camera => "picture",
            Kind::Screen => "screen",
        };
        Some(if self.lacks_key {
            format!("Waiting for {name}'s key; asked again.")
        } else if !self.relay_is_up {
            "The connection for sound and pictures is broken. Connecting again.".into()
        } else if self.held_back {
            held_back(name)
        } else if !self.announced {
            format!("{name} is not sending yet. Waiting for the first picture.")
        } else if self.paused {
            format!("The link to {name} is weak: video paused, sound kept.")
        } else if self.stuck {
            format!("{name}'s {what} could not be decoded. Asked for a fresh one.")
        } else if self.fails {
            format!("{name}'s {what} arrives damaged. It is not shown.")
        } else if self.opens {
            format!("{name}'s {what} is about to begin. Asked for a whole one.")
        } else if self.ever_shown {
            format!("{name}'s {what} has stopped. Waiting for more.")
        } else {
            format!("{name}'s {what} has not arrived yet.")
        })
    }

    fn muted(&self, name: &str) -> Option<String> {
        match self.voice {
            _ if self.is_heard => None,
            Voice::Forged => Some(format!(
                "Somebody else's picture and sound were sent under {name}'s name. They are muted."
            )),
            _ => Some(format!(
                "{name}'s signatures have not arrived, so that picture and sound may be somebody \
                 else's. This meeting mutes them."
            )),
        }
    }
}

/// Sound that is sent and does not come.
pub(super) fn held_back(name: &str) -> String {
    format!(
        "{name} is sending, but nothing arrives here. The server or the network may be holding it \
         back."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Tile = Tile {
        kind: Kind::Camera,
        voice: Voice::Verified,
        is_heard: true,
        lacks_key: false,
        relay_is_up: true,
        held_back: false,
        announced: true,
        watched: true,
        paused: false,
        shown: true,
        ever_shown: true,
        stuck: false,
        opens: true,
        fails: false,
    };

    fn words(tile: Tile) -> String {
        tile.problem("Ana").expect("no tile is black without words")
    }

    #[test]
    fn a_tile_with_a_picture_needs_no_words() {
        assert_eq!(FINE.problem("Ana"), None);
        let unverified = Tile {
            voice: Voice::Unverified,
            ..FINE
        };
        assert_eq!(unverified.problem("Ana"), None);
    }

    #[test]
    fn a_tile_that_nobody_looks_at_needs_no_words_unless_it_is_muted() {
        let unseen = Tile {
            watched: false,
            shown: false,
            opens: false,
            ..FINE
        };
        assert_eq!(unseen.problem("Ana"), None);
        let forged = Tile {
            voice: Voice::Forged,
            is_heard: false,
            ..unseen
        };
        assert!(forged.problem("Ana").is_some());
    }

    #[test]
    fn what_is_muted_says_so_whatever_else_is_true() {
        let forged = Tile {
            voice: Voice::Forged,
            is_heard: false,
            lacks_key: true,
            ..FINE
        };
        assert!(words(forged).starts_with("Somebody else's picture"));
        let strict = Tile {
            voice: Voice::Unverified,
            is_heard: false,
            ..FINE
        };
        assert!(words(strict).contains("This meeting mutes them."));
    }

    #[test]
    fn every_way_to_show_nothing_has_its_own_words() {
        let dark = Tile {
            shown: false,
            ..FINE
        };
        let silent = Tile {
            opens: false,
            ..dark
        };
        let states = [
            (
                Tile {
                    lacks_key: true,
                    ..silent
                },
                "Waiting for Ana's key; asked again.",
            ),
            (
                Tile {
                    relay_is_up: false,
                    ..silent
                },
                "Connecting again.",
            ),
            (
                Tile {
                    held_back: true,
                    announced: false,
                    ..silent
                },
                "nothing arrives here",
            ),
            (
                Tile {
                    announced: false,
                    ..silent
                },
                "not sending yet",
            ),
            (
                Tile {
                    paused: true,
                    ..silent
                },
                "video paused, sound kept",
            ),
            (
                Tile {
                    stuck: true,
                    ..FINE
                },
                "could not be decoded",
            ),
            (
                Tile {
                    fails: true,
                    ..silent
                },
                "damaged",
            ),
            (dark, "about to begin"),
            (silent, "has stopped"),
            (
                Tile {
                    ever_shown: false,
                    ..silent
                },
                "has not arrived yet",
            ),
        ];
        for (tile, expected) in states {
            assert!(words(tile).contains(expected), "{}", words(tile));
        }
    }

    #[test]
    fn no_combination_leaves_a_black_tile_without_words() {
        for bits in 0..1 << 10 {
            let bit = |n: u16| bits >> n & 1 == 1;
            let tile = Tile {
                kind: Kind::Screen,
                voice: Voice::Pending,
                is_heard: true,
                lacks_key: bit(0),
                relay_is_up: bit(1),
                announced: bit(2),
                watched: true,
                shown: bit(3),
                ever_shown: bit(4),
                stuck: bit(5),
                opens: bit(6),
                fails: bit(7),
                held_back: bit(8),
                paused: bit(9),
            };
            let shows = tile.shown && !tile.stuck;
            assert_eq!(tile.problem("Ana").is_none(), shows, "{tile:?}");
        }
    }
}
