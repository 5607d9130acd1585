//! An audience for a bench: so many people in one process, each with its own device, group
//! state, control connection and relay session at a real server.
//!
//! `crowd LINK COUNT [FILM VOICE]`. Muted people without a camera publish tracks and nothing on them.
//! With a film and a sound file everybody shows the one and speaks the other, encoded once
//! ([`recording`]) and sealed by each ([`playing`]). They read nobody, and no heartbeat: what they cost
//! is not what is measured. All come to the door first and knock together, so that the group grows by few
//! commits. A line on standard output says when all are in; the process ends with its standard input.

mod member;
mod playing;
mod recording;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use conclave_meeting::InviteLink;
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use member::Member;
use recording::Recording;

/// Between one who comes to the door and the next.
const BETWEEN: Duration = Duration::from_millis(20);
/// How often it is told how far the audience is.
const TELL_EVERY: Duration = Duration::from_secs(5);

type Failure = Box<dyn Error + Send + Sync>;

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
    let usage = "crowd LINK COUNT [FILM VOICE]";
    let link: InviteLink = arguments.next().ok_or(usage)?.parse()?;
    let count: usize = arguments.next().ok_or(usage)?.parse()?;
    let recording = match (arguments.next(), arguments.next()) {
        (Some(film), Some(voice)) => Some(Arc::new(Recording::make(film, voice).await?)),
        (None, _) => None,
        _ => return Err(usage.into()),
    };
    let counts = Arc::<Counts>::default();
    for number in 0..count {
        let member = Member::new(&link, number, counts.clone(), recording.clone())?;
        tokio::spawn(member.take_part());
        sleep(BETWEEN).await;
    }
    while counts.at_the_door.load(Relaxed) < count {
        sleep(BETWEEN).await;
    }
    eprintln!("crowd: {count} are at the door");
    counts.knock.send_replace(true);
    let mut told = Instant::now();
    while counts.present.load(Relaxed) < count || counts.seated.load(Relaxed) < count {
        if told.elapsed() > TELL_EVERY {
            told = Instant::now();
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
