//! How a camera, a microphone or a loudspeaker is named to whoever lets a person choose.

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
