//! Sound and picture: capture, encode, decode, play and record.
//!
//! This crate knows nothing of meetings, keys or networks. It hands out
//! encoded packets and takes encoded packets back; whoever sits between seals
//! and carries them.

pub mod audio;
pub mod clock;
mod device;
pub mod video;

pub use device::{DeviceInUse, DeviceInfo, DeviceKind};
