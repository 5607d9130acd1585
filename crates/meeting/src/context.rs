//! What every state shares: who we are, the link, and the queue of outputs.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use conclave_e2ee::DeviceKey;
use conclave_wire::{ClientMessage, DeviceId, Token};

use crate::content::MediaState;
use crate::event::{Event, Output, Warning};
use crate::link::InviteLink;
use crate::name::DisplayName;
use crate::seal::OuterSeal;

/// Fills a buffer with random bytes. It comes in from outside so that a simulation can seed it.
pub type Entropy = Box<dyn FnMut(&mut [u8]) + Send + Sync>;

/// The person at this computer.
#[derive(Clone)]
pub struct Identity {
    /// What the others will see.
    pub name: DisplayName,
    /// The device's long-term key.
    pub key: Arc<DeviceKey>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(redacted)")
    }
}

pub(crate) struct Context {
    pub(crate) identity: Identity,
    pub(crate) link: InviteLink,
    /// Our pseudonym in this meeting; a fresh one for each try to get in.
    pub(crate) device: DeviceId,
    pub(crate) device_token: Token,
    pub(crate) media: MediaState,
    pub(crate) link_up: bool,
    pub(crate) seal: OuterSeal,
    /// The time of the input that is being handled.
    pub(crate) now: Option<Instant>,
    out: VecDeque<Output>,
    /// Warnings told on this connection that are worth telling once.
    warned: HashSet<std::mem::Discriminant<Warning>>,
    entropy: Entropy,
}

impl Context {
    pub(crate) fn new(
        identity: Identity,
        link: InviteLink,
        media: MediaState,
        entropy: Entropy,
    ) -> Self {
        // The first link; a descriptor tells if it is a later one.
        let seal = OuterSeal::new(link.meeting, 0, &link.secret);
        let mut context = Self {
            identity,
            link,
            device: DeviceId([0; 16]),
            device_token: Token([0; 32]),
            media,
            link_up: false,
            seal,
            now: None,
            out: VecDeque::new(),
            warned: HashSet::new(),
            entropy,
        };
        context.renew_device();
        context
    }

    /// A new pseudonym: an old leaf and a new one must never be taken for each other.
    pub(crate) fn renew_device(&mut self) {
        let mut token = [0; 32];
        (self.entropy)(&mut token);
        self.device_token = Token(token);
        self.device = DeviceId::of(&self.device_token.hash());
    }

    pub(crate) fn send(&mut self, message: ClientMessage) {
        if self.link_up {
            self.out.push_back(Output::Send(Box::new(message)));
        }
    }

    pub(crate) fn emit(&mut self, output: Output) {
        self.out.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    pub(crate) fn warn(&mut self, warning: Warning) {
        self.event(Event::Warning(warning));
    }

    /// A warning that a lying service could provoke again and again: once for each connection.
    pub(crate) fn warn_once(&mut self, warning: Warning) {
        if self.warned.insert(std::mem::discriminant(&warning)) {
            self.warn(warning);
        }
    }

    pub(crate) fn connected(&mut self) {
        self.link_up = true;
        self.warned.clear();
    }

    /// A random number, for what must only differ.
    pub(crate) fn random(&mut self) -> u64 {
        let mut bytes = [0; 8];
        (self.entropy)(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }
}
