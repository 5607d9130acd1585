//! The part of the server that needs no relay: the delivery service, its control channel, and the
//! page for those who have no app yet.
//!
//! The binary puts it, and the media relay, behind one port. This library never links the relay,
//! so that its tests build in seconds.

pub mod activity;
pub mod control;
pub mod delivery;
pub mod landing;
pub mod limits;
