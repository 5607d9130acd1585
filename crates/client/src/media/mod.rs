//! Media between the engine of this computer and the relay.
//!
//! `plane` is what the driver holds. `session` keeps the connection to the relay and decides what
//! to read. Outwards: `publishing` seals, signs and writes to `writers` what the microphone and
//! `camera` give, and a screen by `sharing` with its `soundtrack`, as far as `discretion` allows, in
//! sizes by `padding`.
//! Inwards: `reading` says whose sound is read, `receiving` reads and opens, `viewing` the pictures
//! that somebody looks at, shown with their sound by `lips`; `keys` gives each track of each sender
//! its opener; `guard` tells whether the sender is who it seems, `missing` whether its key is
//! missing, `tile` what to say of its picture; `figures` counts. `link` judges what the way from a
//! sender bears, `losses` tells each sender what is lost of its sound, `arriving` whether any
//! comes. `sound` steers microphone and loudspeaker, `looking` lends the camera's pictures to
//! whoever looks for something in them. `judging` answers the driver's questions about all this.

mod arriving;
mod camera;
mod discretion;
mod figures;
mod guard;
mod judging;
mod keys;
mod link;
mod lips;
mod looking;
mod losses;
mod missing;
mod padding;
mod peers;
mod plane;
mod publishing;
mod reading;
mod receiving;
mod session;
mod sharing;
mod sound;
mod soundtrack;
mod tile;
mod tracks;
mod viewing;
mod writers;

use tokio::sync::oneshot;

use crate::error::ClientError;

pub(crate) use figures::Figures;
pub(crate) use guard::Voice;
pub(crate) use looking::Looking;
pub(crate) use plane::{MediaEvent, MediaPlane};
pub(crate) use sharing::Share;
pub(crate) use tracks::Kind;
pub(crate) use viewing::Shown;

/// Whoever chose a device or began a share, waiting until it is in use.
pub(crate) type Answer = oneshot::Sender<Result<(), ClientError>>;
