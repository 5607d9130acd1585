//! How a device reaches its server: two connections, one pinned certificate.
//!
//! ```text
//!   ControlChannel   wss://host:port/v1/control       messages, opaque here
//!   Relay            QUIC, or WebSocket over TCP      media, sealed before it comes here
//! ```
//!
//! [`Trust`] decides which certificate both accept. [`Relay`] publishes and subscribes MoQ
//! broadcasts; its words are MoQ's: a *broadcast* has *tracks*, a track has *groups*, a group has
//! *frames*. Nothing here knows what a message or a frame means, and no error text carries an
//! address, a path or a token, so that all of them may be logged.
//!
//! [`Proxies`] says whether a proxy stands in between. TLS goes through it from end to end.
//!
//! Every task belongs to a handle and ends with it. [`ControlChannel`] owns one (the pump that
//! pings, see [`control`]); [`Relay`] owns those of its session (see [`relay`]). Dropping the handle
//! aborts them.

mod burden;
pub mod control;
mod endpoint;
mod error;
mod least;
mod proxy;
pub mod publish;
mod reach;
pub mod relay;
mod subscribe;
mod task;
mod tcp;
mod trust;
mod upgrade;
mod width;

pub use burden::{Burden, BurdenSense, Turns};
pub use control::{ControlChannel, ControlReceiver, ControlSender, ReceiveError, SendError};
pub use endpoint::Endpoint;
pub use error::ConnectError;
pub use proxy::{Environment, Proxies, Proxy, ProxyError, ProxyUrl, ProxyUrlError};
pub use publish::{Broadcast, PublishError, TrackOptions, TrackWriter, WriteError};
pub use relay::{LinkStats, Relay};
pub use subscribe::{
    BroadcastUpdate, BroadcastUpdates, ReadError, ReceivedFrame, SubscribeError, SubscribeOptions,
    TrackReader,
};
pub use trust::{Fingerprint, ParseFingerprintError, Trust};

/// How the frames of a track travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One QUIC datagram for each frame: lossy, unordered, never sent twice, lowest delay. A frame
    /// has to fit one packet ([`publish::MAX_DATAGRAM`] bytes). Never reaches a reader whose
    /// session does not carry datagrams ([`Relay::carries_datagrams`]).
    Datagrams,
    /// Groups of frames, each group one reliable stream: complete and in order, late under loss.
    Groups,
}
