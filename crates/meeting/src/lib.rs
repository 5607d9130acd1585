//! The meeting as a state machine without clock, socket, thread or randomness of its own.
//!
//! Whoever drives it feeds [`Input`]s with the time at which they came ([`Meeting::handle`]),
//! then takes [`Output`]s until there are none ([`Meeting::poll`]), and wakes it with
//! [`Input::Tick`] at [`Meeting::deadline`]. [`Meeting::snapshot`] is for whoever draws.
//!
//! ```text
//!          Join          Welcome                 own fault, fork, too far behind
//!  Lobby ───────▶ Joining ───────▶ Active ──────────────────────────▶ Recovering
//!    │               │               │ ▲           Welcome                │
//!    │               │ Refused       │ └────────────────────────────────┘
//!    ▼               ▼               ▼ Leave, removed, ended
//!  Left ◀──────────────────────────────
//! ```
//!
//! Whether the control link is up is an axis of its own: every state outlives a broken link.
//! Inbound data gets a verdict: applied, ignored, or rejected, and a rejection leads to recovery,
//! never to plaintext: there is no plaintext state to fall into. Media never passes here; the
//! machine hands out the keys of each epoch and stands aside.

mod active;
mod card;
mod content;
mod context;
mod descriptor;
mod event;
mod floor;
mod joining;
mod left;
mod link;
mod lobby;
mod machine;
mod name;
mod people;
mod policy;
mod recovering;
mod seal;
mod signal;
mod snapshot;
mod warrant;

pub use content::MediaState;
pub use context::{Entropy, Identity};
pub use event::{Command, Event, Input, LeftReason, Names, Output, Speaking, Warning};
pub use link::{InviteLink, LinkError};
pub use machine::{HostParams, Meeting, StartError};
pub use name::{DisplayName, NameError, Title};
pub use policy::{
    LinkRules, MAX_ROLES, OPEN_MICROPHONES, Permissions, Policy, Role, Secrecy,
    USUAL_OPEN_MICROPHONES, Violation, Who,
};
pub use snapshot::{Change, FloorView, KnockView, MemberView, Phase, Snapshot};
