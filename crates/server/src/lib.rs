//! The part of the server that needs no relay: the delivery service and its control channel.
//!
//! The binary puts it, and the media relay, behind one port. This library never links the relay,
//! so that its tests build in seconds.

pub mod activity;
pub mod control;
pub mod delivery;
pub mod limits;
