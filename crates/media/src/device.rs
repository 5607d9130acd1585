//! How a camera, a microphone or a loudspeaker is named to whoever lets a person choose, and which
//! one is in use.

/// One device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What to pass back to choose this device; stable across restarts where the system allows it.
    pub id: String,
    /// The name the system shows for it.
    pub name: String,
    /// Whether this is the one that "default" means.
    pub is_default: bool,
}

/// A device of the room that sound comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// It hears this person.
    Microphone,
    /// It plays the others.
    Speaker,
}

impl DeviceKind {
    /// What it is called in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Speaker => "loudspeaker",
        }
    }

    /// What it means that there is none.
    pub(crate) fn loss(self) -> &'static str {
        match self {
            Self::Microphone => "nobody hears you",
            Self::Speaker => "you hear nobody",
        }
    }
}

/// The camera, microphone or loudspeaker as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInUse {
    /// The name of the device that is truly in use, or of the one that is looked for.
    pub name: String,
    /// Why that is not the chosen one, or none: a sentence.
    pub problem: Option<String>,
}
