//! Every bound of the server, in one place: nothing that a stranger can send grows without one.

use std::time::Duration;

/// Bounds of the delivery service. [`Limits::default`] is what the server runs with; tests shrink
/// single fields.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Meetings that are open at a time.
    pub meetings: usize,
    /// Ids of ended meetings remembered, so that a late guest learns that the meeting is over.
    pub ended_meetings: usize,
    /// Longest life of a meeting, whatever its opener asks for.
    pub meeting_lifetime: Duration,
    /// A meeting in which nobody has been connected for this long is forgotten.
    pub meeting_abandoned: Duration,
    /// Devices that are members of one meeting.
    pub members: usize,
    /// Devices that wait to be let into one meeting.
    pub knocks: usize,
    /// Epochs of a meeting for which proofs of membership are accepted, the current one included.
    pub epochs: usize,
    /// Entries kept of one meeting's log.
    pub log_entries: usize,
    /// Bytes kept of one meeting's log.
    pub log_bytes: usize,
    /// Bytes kept of all logs together.
    pub all_log_bytes: usize,
    /// Age at which an entry leaves the log. Who was away for longer cannot resume.
    pub log_age: Duration,
    /// Messages that wait for one slow connection (log entries wait in the log instead). A
    /// connection that falls further behind is closed; its device attaches again.
    pub outbox: usize,
    /// Signals that wait for one slow connection; what comes on top is lost.
    pub signals: usize,
    /// Bytes of signals that wait for one slow connection: one of the largest, and small ones.
    pub signal_bytes: usize,
    /// Bytes of signals that wait for all connections together.
    pub all_signal_bytes: usize,
    /// Time between a relay grant and the connection that uses it.
    pub grant_lifetime: Duration,
    /// Unused grants of one device; an older one gives way to a newer.
    pub grants_per_device: usize,
    /// Relay sessions of one device at a time: two transports may race, and an old session may
    /// still be dying.
    pub relay_sessions_per_device: usize,
    /// Messages that a connection may send at once.
    pub message_burst: u32,
    /// Messages a second that it may send for long.
    pub messages_per_s: u32,
    /// Bytes that a connection may send at once: a commit with a tree for 1,000 members, twice.
    pub byte_burst: u32,
    /// Bytes a second that it may send for long.
    pub bytes_per_s: u32,
    /// Signals, to all or to one, that a connection may send at once; they count as messages too.
    pub signal_burst: u32,
    /// Signals a second that it may send for long: each goes to a whole meeting.
    pub signals_per_s: u32,
    /// Refused messages in a row after which a connection that will not slow down is closed.
    pub too_fast_in_a_row: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            meetings: 4096,
            ended_meetings: 4096,
            meeting_lifetime: Duration::from_secs(24 * 3600),
            meeting_abandoned: Duration::from_secs(3600),
            members: 1024,
            knocks: 256,
            epochs: 1024,
            log_entries: 4096,
            log_bytes: 16 << 20,
            all_log_bytes: 512 << 20,
            log_age: Duration::from_secs(3600),
            outbox: 2048,
            signals: 1024,
            signal_bytes: 2 << 20,
            all_signal_bytes: 128 << 20,
            grant_lifetime: Duration::from_secs(60),
            grants_per_device: 4,
            relay_sessions_per_device: 4,
            message_burst: 128,
            messages_per_s: 32,
            byte_burst: 10 << 20,
            bytes_per_s: 1 << 20,
            signal_burst: 40,
            signals_per_s: 20,
            too_fast_in_a_row: 256,
        }
    }
}

/// Log entries handed to a connection at a time; the rest waits in the log, so that a slow reader
/// costs no memory.
pub const READ_BATCH: usize = 32;

/// Frames that wait to be sent before a connection is read on.
pub const READY_FRAMES: usize = 64;

/// Frames of the control channel are cut off here, before they are buffered.
pub const MAX_FRAME: usize = conclave_wire::MAX_MESSAGE;

/// Bytes that a WebSocket reads at a time. Room for them is cleared whenever the socket is looked at,
/// which is for every message in either direction.
pub const READ_BUFFER: usize = 4096;

/// Frames that leave a control connection in one write, when so many are ready.
pub const WRITE_BATCH: usize = 32;

/// How often the service looks for meetings and grants whose time is over.
pub const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// A connection that has not said which meeting it is for by then is closed.
pub const FIRST_MESSAGE: Duration = Duration::from_secs(10);

/// One that has looked at a meeting may stand in its lobby for so long before it knocks.
pub const LOBBY: Duration = Duration::from_secs(1800);

/// The control channel's and the relay WebSocket's keep-alive.
pub const PING_EVERY: Duration = Duration::from_secs(1);

/// A control connection from which no byte has come for this long is gone. The client gives up
/// after 3 s; the server waits a little longer, so that it is the client who decides.
pub const CONTROL_SILENCE: Duration = Duration::from_secs(5);

/// Longest time for one frame to leave towards a slow connection.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// What a round trip is taken for before one was measured: a lost first packet is sent again after three
/// times that. With the 333 ms that RFC 9002 §6.2.2 recommends, WebSocket is there before.
pub const RELAY_FIRST_RTT: Duration = Duration::from_millis(100);
/// A relay session is gone after this much silence, on QUIC and on WebSocket.
pub const RELAY_IDLE: Duration = Duration::from_secs(3);

/// Bytes of pictures that may be under way to one device: more would only be late. Enough for
/// 10 Mbit/s over a round trip of 50 ms.
pub const RELAY_SEND_WINDOW: u64 = 64 * 1024;

/// Sound that waits for its turn towards one device, bytes: the oldest gives way, for it would come
/// too late. 80 ms of all the voices that may be open, each with a copy of what went before.
pub const RELAY_DATAGRAMS_WAITING: usize = 32 * 1024;

/// What one device may send beyond what the relay has passed on, bytes, over all streams.
pub const RELAY_RECEIVE_WINDOW: u32 = 16 * 1024 * 1024;

/// Streams that one device may have open: each group is one, each subscription one more.
pub const RELAY_STREAMS: u32 = 10_000;

/// QUIC connections at a time. Who comes on top is told so at once, and tries by TCP.
pub const MAX_QUIC_CONNECTIONS: usize = 8192;

/// TCP connections at a time: control channels and relay sessions over WebSocket.
pub const MAX_TCP_CONNECTIONS: usize = 8192;

/// Time for a TLS handshake, for the headers of a request, and for a relay session's setup.
pub const HANDSHAKE: Duration = Duration::from_secs(5);

/// Time that open connections get to end after a request to stop.
pub const DRAIN: Duration = Duration::from_millis(500);
