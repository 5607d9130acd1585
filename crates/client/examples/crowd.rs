//! An audience for a bench: so many muted people in one process, each with its own device, group
//! state, control connection and relay session at a real server.
//!
//! `crowd LINK COUNT`. They publish tracks and nothing on them, as muted people without a camera do.
//! They read nobody, and no heartbeat: what they cost is not what is measured. All come to the door
//! first and knock together, so that the group grows by few commits. A line on standard output
//! says when all are in; the process ends with its standard input.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Poll, Waker};
use std::time::Duration;

use conclave_e2ee::DeviceKey;
use conclave_meeting::{
    Command, Event, Identity, Input, InviteLink, MediaState, Meeting, Output, Phase,
};
use conclave_transport::{
    Broadcast, ControlChannel, Delivery, Endpoint, Fingerprint, Proxies, Relay, TrackOptions,
    TrackWriter, Trust,
};
use conclave_wire::{DeviceId, ServerMessage};
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, interval, sleep, sleep_until};

/// The tracks that a person publishes: name, delivery, priority.
const TRACKS: [(&str, Delivery, u8); 6] = [
    ("audio", Delivery::Datagrams, 200),
    ("audio.g", Delivery::Groups, 200),
    ("auth", Delivery::Groups, 190),
    ("video/low", Delivery::Groups, 120),
    ("video/medium", Delivery::Groups, 100),
    ("video/high", Delivery::Groups, 80),
];
/// Between one who comes to the door and the next.
const BETWEEN: Duration = Duration::from_millis(20);
/// How often a right to connect to the relay is asked for, since an answer may be lost. It may also
/// be late on a busy machine, and of too many questions the service forgets the oldest.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// How often it is told how far the audience is.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Before a connection that broke is made again.
const PAUSE: Duration = Duration::from_millis(500);

type Failure = Box<dyn Error + Send + Sync>;

/// A media session with its tracks; all of it is withdrawn when this is dropped.
struct Seat {
    relay: Relay,
    _broadcast: Broadcast,
    _tracks: Vec<TrackWriter>,
}

struct Member {
    meeting: Meeting,
    endpoint: Endpoint,
    trust: Trust,
    seat: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
    is_at_the_door: bool,
    has_knocked: bool,
    is_in: bool,
}

/// How far the audience is.
#[derive(Default)]
struct Counts {
    at_the_door: AtomicUsize,
    present: AtomicUsize,
    seated: AtomicUsize,
    /// Who will not come back.
    lost: AtomicUsize,
    /// Whether all may knock.
    knock: watch::Sender<bool>,
    /// Held by whose cryptography is at work.
    turn: Mutex<()>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let usage = "crowd LINK COUNT";
    let link: InviteLink = arguments.next().ok_or(usage)?.parse()?;
    let count: usize = arguments.next().ok_or(usage)?.parse()?;
    let counts = Arc::<Counts>::default();
    for number in 0..count {
        let member = Member::new(&link, number, counts.clone())?;
        tokio::spawn(member.take_part());
        sleep(BETWEEN).await;
    }
    while counts.at_the_door.load(Relaxed) < count {
        sleep(BETWEEN).await;
    }
    eprintln!("crowd: {count} are at the door");
    counts.knock.send_replace(true);
    let mut told = now();
    while counts.present.load(Relaxed) < count || counts.seated.load(Relaxed) < count {
        if told.elapsed() > TELL_EVERY {
            told = now();
            let (present, seated) = (counts.present.load(Relaxed), counts.seated.load(Relaxed));
            eprintln!("crowd: {present} are in, {seated} have a seat");
        }
        if counts.lost.load(Relaxed) > 0 {
            return Err("somebody of the audience was turned away".into());
        }
        sleep(BETWEEN).await;
    }
    println!("{count} are in");
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

impl Member {
    fn new(link: &InviteLink, number: usize, counts: Arc<Counts>) -> Result<Self, Failure> {
        let identity = Identity {
            name: format!("Audience {number}").parse()?,
            key: Arc::new(DeviceKey::generate().map_err(|_| "no key can be made")?),
        };
        let media = MediaState {
            muted: true,
            camera: false,
            ..MediaState::default()
        };
        let random = |buffer: &mut [u8]| {
            if aws_lc_rs::rand::fill(buffer).is_err() {
                std::process::abort();
            }
        };
        Ok(Self {
            meeting: Meeting::join(link.clone(), identity, media, Box::new(random)),
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
        })
    }

    async fn take_part(mut self) {
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
                    Output::Event(Event::Left(reason)) => return Err(reason.to_string().into()),
                    // Of several answers to several questions one is enough.
                    Output::Grant { path, token, .. } if !self.has_seat() => {
                        // Beside this loop: a channel that nobody reads is given up.
                        self.seat = Some(tokio::spawn(self.seat(path, token)));
                    }
                    // After all that there is to do: what was for this connection is not for the next.
                    Output::Reconnect | Output::Close => is_over = true,
                    Output::Event(_) | Output::Keys { .. } | Output::Grant { .. } => {}
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
        let counts = self.counts.clone();
        async move {
            match Seat::take(&endpoint, &trust, &path, &token, me).await {
                Ok(seat) => {
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
    ) -> Result<Self, Failure> {
        let relay = Relay::connect(endpoint, trust, &Proxies::None, path, token).await?;
        let mut instance = [0; 8];
        aws_lc_rs::rand::fill(&mut instance).map_err(|_| "no random bytes")?;
        let instance = u64::from_le_bytes(instance);
        let mut broadcast = relay.publish(&format!("{me}/{instance:016x}"))?;
        let mut tracks = Vec::new();
        for (name, delivery, priority) in TRACKS {
            tracks.push(broadcast.track(TrackOptions {
                name,
                delivery,
                priority,
                max_age: Duration::from_secs(1),
                bitrate_bps: 0,
            })?);
        }
        broadcast.announce()?;
        Ok(Seat {
            relay,
            _broadcast: broadcast,
            _tracks: tracks,
        })
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
