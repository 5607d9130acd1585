//! Media between the engine of this computer and the relay.
//!
//! `plane` is what the driver holds. `session` keeps the connection to the relay and decides what
//! to read; `publishing` seals and writes what the microphone and `camera` give; `receiving` reads
//! and opens; `keys` gives each track of each sender its opener; `figures` counts.

mod camera;
mod figures;
mod keys;
mod plane;
mod publishing;
mod receiving;
mod session;
mod tracks;

pub(crate) use figures::Figures;
pub(crate) use plane::{MediaEvent, MediaPlane};
