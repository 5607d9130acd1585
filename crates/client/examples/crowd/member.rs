//! One of the audience: comes to the door, is let in, and takes a seat at the relay.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};
use std::time::Duration;

use conclave_e2ee::DeviceKey;
use conclave_meeting::{
    Command, Event, Identity, Input, InviteLink, MediaState, Meeting, Output, Phase, Speaking,
};
use conclave_transport::{
    Broadcast, ControlChannel, Delivery, Endpoint, Fingerprint, Proxies, Relay, TrackOptions, Trust,
};
use conclave_wire::{DeviceId, ServerMessage};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, interval, sleep, sleep_until};

use crate::playing::{Order, Player, Writers};
use crate::recording::{LENGTH, Recording};
use crate::{Counts, Failure};

/// The tracks that a person publishes: name, delivery, priority.
const TRACKS: [(&str, Delivery, u8); 6] = [
    ("audio", Delivery::Datagrams, 200),
    ("audio.g", Delivery::Groups, 200),
    ("auth", Delivery::Groups, 190),
    ("video/low", Delivery::Groups, 120),
    ("video/medium", Delivery::Groups, 100),
    ("video/high", Delivery::Groups, 80),
];
/// How often a right to connect to the relay is asked for, since an answer may be lost. It may also
/// be late on a busy machine, and of too many questions the service forgets the oldest.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Key frames of people's pictures do not come together: one in so many begins at the same moment.
const TURNS: u32 = 8;
/// Before a connection that broke is made again.
const PAUSE: Duration = Duration::from_millis(500);

/// A media session; what it publishes is withdrawn when this is dropped.
struct Seat {
    relay: Relay,
    _broadcast: Broadcast,
}

pub struct Member {
    meeting: Meeting,
    /// What it shows and says.
    media: MediaState,
    endpoint: Endpoint,
    trust: Trust,
    seat: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
    is_at_the_door: bool,
    has_knocked: bool,
    is_in: bool,
    /// Whoever has tracks to publish on.
    player: mpsc::UnboundedSender<Order>,
}

impl Member {
    /// Shows and says the recording, if there is one.
    pub fn new(
        link: &InviteLink,
        number: usize,
        counts: Arc<Counts>,
        recording: Option<Arc<Recording>>,
    ) -> Result<Self, Failure> {
        let role = match recording {
            Some(_) => "Speaker",
            None => "Audience",
        };
        let identity = Identity {
            name: format!("{role} {number}").parse()?,
            key: Arc::new(DeviceKey::generate().map_err(|_| "no key can be made")?),
        };
        let media = MediaState {
            muted: recording.is_none(),
            camera: recording.is_some(),
            ..MediaState::default()
        };
        let random = |buffer: &mut [u8]| {
            if aws_lc_rs::rand::fill(buffer).is_err() {
                std::process::abort();
            }
        };
        let (player, orders) = mpsc::unbounded_channel();
        let later = LENGTH * (number as u32 % TURNS) / TURNS;
        tokio::spawn(play(recording, orders, later));
        Ok(Self {
            meeting: Meeting::join(link.clone(), identity, media, Box::new(random)),
            media,
            endpoint: Endpoint::new(link.host.clone(), link.port),
            trust: match link.certificate {
                Some(certificate) => Trust::Pinned(Fingerprint(certificate)),
                None => Trust::System,
            },
            seat: None,
            counts,
            is_at_the_door: false,
            has_knocked: false,
            is_in: false,
            player,
        })
    }

    pub async fn take_part(mut self) {
        loop {
            if let Err(error) = self.connection().await {
                eprintln!("crowd: {error}");
            }
            if matches!(self.meeting.snapshot().phase, Phase::Left(_)) {
                self.counts.lost.fetch_add(1, Relaxed);
                return;
            }
            self.meeting.handle(now(), Input::LinkDown);
            sleep(PAUSE).await;
        }
    }

    /// One control connection, until it ends or the machine wants another.
    async fn connection(&mut self) -> Result<(), Failure> {
        let mut channel =
            ControlChannel::connect(&self.endpoint, &self.trust, &Proxies::None).await?;
        self.meeting.handle(now(), Input::LinkUp);
        let counts = self.counts.clone();
        let mut knock = counts.knock.subscribe();
        let mut ask = interval(ASK_EVERY);
        loop {
            let mut is_over = false;
            while let Some(output) = self.meeting.poll() {
                match output {
                    Output::Send(_) if is_over => {}
                    Output::Send(message) => {
                        is_over = channel.send(message.encode()?).await.is_err();
                    }
                    Output::Event(Event::Described { .. }) if !self.is_at_the_door => {
                        self.is_at_the_door = true;
                        counts.at_the_door.fetch_add(1, Relaxed);
                    }
                    Output::Event(Event::Admitted) => {
                        counts.present.fetch_add(1, Relaxed);
                        self.is_in = true;
                    }
                    // Whoever came to speak does, in a large meeting too: there is room.
                    Output::Event(Event::Speaking(Speaking::Audience)) => {
                        let speak = Input::Command(Command::SetMedia(self.media));
                        self.meeting.handle(now(), speak);
                    }
                    Output::Event(Event::Left(reason)) => return Err(reason.to_string().into()),
                    // Of several answers to several questions one is enough.
                    Output::Grant { path, token, .. } if !self.has_seat() => {
                        // Beside this loop: a channel that nobody reads is given up.
                        self.seat = Some(tokio::spawn(self.seat(path, token)));
                    }
                    // After all that there is to do: what was for this connection is not for the next.
                    Output::Reconnect | Output::Close => is_over = true,
                    Output::Keys {
                        keys,
                        senders_move_at,
                    } => drop(self.player.send(Order::Keys(keys.sealing, senders_move_at))),
                    Output::Event(_) | Output::Grant { .. } => {}
                }
            }
            if is_over {
                return Ok(());
            }
            let deadline = self.meeting.deadline().map(Instant::from_std);
            let wake = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let input = tokio::select! {
                message = channel.recv() => match message? {
                    Some(bytes) => match read(&bytes)? {
                        Some(input) => input,
                        None => continue,
                    },
                    None => return Ok(()),
                },
                Ok(()) = may(&mut knock), if !self.has_knocked => {
                    self.has_knocked = true;
                    Input::Command(Command::Join)
                }
                _ = ask.tick(), if self.is_in && !self.has_seat() => {
                    Input::Command(Command::RequestGrant)
                }
                () = wake => Input::Tick,
            };
            // One at a time, and not on a thread that keeps connections alive: whoever does not
            // answer for three seconds is gone.
            let _turn = counts.turn.lock().await;
            block_in_place(|| self.meeting.handle(now(), input));
            // And all that has come meanwhile: turns are dear on a machine that is busy.
            while let Poll::Ready(message) = poll_once(channel.recv()) {
                let Some(bytes) = message? else { return Ok(()) };
                if let Some(input) = read(&bytes)? {
                    block_in_place(|| self.meeting.handle(now(), input));
                }
            }
        }
    }

    /// Whether it has a seat, or is about to take one.
    fn has_seat(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| !seat.is_finished())
    }

    /// Takes a seat and keeps it until the session ends.
    fn seat(&self, path: String, token: String) -> impl Future<Output = ()> + Send + 'static {
        let (endpoint, trust) = (self.endpoint.clone(), self.trust);
        let me = self.meeting.snapshot().device;
        let (counts, player) = (self.counts.clone(), self.player.clone());
        async move {
            match Seat::take(&endpoint, &trust, &path, &token, me).await {
                Ok((seat, tracks)) => {
                    let _ = player.send(Order::Tracks(tracks));
                    counts.seated.fetch_add(1, Relaxed);
                    let reason = seat.relay.closed().await;
                    counts.seated.fetch_sub(1, Relaxed);
                    eprintln!("crowd: {reason}");
                }
                Err(error) => eprintln!("crowd: {error}"),
            }
        }
    }
}

impl Seat {
    async fn take(
        endpoint: &Endpoint,
        trust: &Trust,
        path: &str,
        token: &str,
        me: DeviceId,
    ) -> Result<(Self, Writers), Failure> {
        let relay = Relay::connect(endpoint, trust, &Proxies::None, path, token).await?;
        let mut instance = [0; 8];
        aws_lc_rs::rand::fill(&mut instance).map_err(|_| "no random bytes")?;
        let instance = u64::from_le_bytes(instance);
        let mut broadcast = relay.publish(&format!("{me}/{instance:016x}"))?;
        let mut tracks = Writers::new();
        for (name, delivery, priority) in TRACKS {
            let track = broadcast.track(TrackOptions {
                name,
                delivery,
                priority,
                max_age: Duration::from_secs(1),
                bitrate_bps: 0,
            })?;
            tracks.insert(name, track);
        }
        broadcast.announce()?;
        let seat = Seat {
            relay,
            _broadcast: broadcast,
        };
        Ok((seat, tracks))
    }
}

/// Keeps the tracks, and plays on them what there is.
async fn play(
    recording: Option<Arc<Recording>>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    later: Duration,
) {
    match recording {
        Some(recording) => Player::new(recording, orders, later).run().await,
        None => {
            let mut _tracks = Writers::new();
            while let Some(order) = orders.recv().await {
                if let Order::Tracks(tracks) = order {
                    _tracks = tracks;
                }
            }
        }
    }
}

/// What the machine is told of a message of the server.
fn read(bytes: &[u8]) -> Result<Option<Input>, Failure> {
    Ok(match ServerMessage::decode(bytes)? {
        ServerMessage::Signal { .. } => None,
        message => Some(Input::Message(Box::new(message))),
    })
}

/// What a future that may be dropped gives at once.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut std::task::Context::from_waker(Waker::noop()))
}

/// Waits until all may knock.
async fn may(knock: &mut watch::Receiver<bool>) -> Result<(), watch::error::RecvError> {
    while !*knock.borrow_and_update() {
        knock.changed().await?;
    }
    Ok(())
}

fn now() -> std::time::Instant {
    std::time::Instant::now()
}
