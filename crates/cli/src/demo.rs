//! Two people meet in one command: a server process, two clients, a plain summary.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use conclave_client::sidecar::Sidecar;
use conclave_client::{
    CameraSource, Client, ClientEvent, Devices, Entry, Identity, Introduction, InviteLink,
    MEETING_LIFETIME, MemberReport, MicrophoneSource, Options, Protection, Proxies, Secrecy,
    SenderReport, Server, Size, SpeakerSink, TrackReport,
};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

use crate::args::Demo;

/// How long the two may take to come together.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(demo: Demo) -> Result<()> {
    let folder = demo.save.unwrap_or_else(default_folder);
    println!(
        "Starting a server on this computer, and two people with test pictures and test sounds."
    );
    let server = Sidecar::start(([127, 0, 0, 1], 0).into()).await?;
    let outcome = meet(&server, &folder, demo.seconds).await;
    server.stop().await;
    let (ana, ben) = outcome?;
    summarize(&ana, &ben, &folder)
}

async fn meet(server: &Sidecar, folder: &Path, seconds: u64) -> Result<(Guest, Guest)> {
    let entry = Entry::Host(Server::At(server.address().clone()));
    let mut ana = Guest::arrive("Ana", entry, folder).await?;
    let link: InviteLink = ana.wait_for_link().await?.parse()?;
    let mut ben = Guest::arrive("Ben", Entry::Join(Box::new(link)), folder).await?;
    let end = Instant::now() + Duration::from_secs(seconds) + Duration::from_secs(2);
    tokio::try_join!(ana.listen_until(end), ben.listen_until(end))?;
    // The guest first: when the host goes, the meeting is over.
    ben.leave().await?;
    ana.leave().await?;
    Ok((ana, ben))
}

fn default_folder() -> PathBuf {
    std::env::temp_dir().join(format!("conclave-demo-{}", std::process::id()))
}

struct Guest {
    name: &'static str,
    client: Client,
    events: Receiver<ClientEvent>,
    code: String,
    members: Vec<MemberReport>,
    senders: Vec<SenderReport>,
}

impl Guest {
    async fn arrive(name: &'static str, entry: Entry, folder: &Path) -> Result<Self> {
        let options = Options {
            entry,
            proxies: Proxies::None,
            identity: Arc::new(Identity::open(Path::new(""), Protection::Ephemeral)?),
            devices: Devices {
                camera: CameraSource::Test,
                microphone: MicrophoneSource::Test,
                speaker: SpeakerSink::Null,
                ..Devices::default()
            },
            waiting_room: false,
            secrecy: Secrecy::default(),
            strict: false,
            lifetime: MEETING_LIFETIME,
            preview: false,
            watch: Size::Medium,
            save: Some(folder.to_owned()),
        };
        let (client, events) = Client::open(options).await?;
        client
            .enter(Introduction {
                name: name.parse()?,
                title: "A demonstration".parse()?,
            })
            .await?;
        Ok(Self {
            name,
            client,
            events,
            code: String::new(),
            members: Vec::new(),
            senders: Vec::new(),
        })
    }

    async fn wait_for_link(&mut self) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let event = timeout_at(end, self.events.recv()).await;
            match event.context("The meeting did not open in time.")? {
                Some(ClientEvent::Link(link)) => return Ok(link),
                Some(event) => self.note(event)?,
                None => bail!("The meeting ended before it began."),
            }
        }
    }

    async fn listen_until(&mut self, end: Instant) -> Result<()> {
        while let Ok(event) = timeout_at(end, self.events.recv()).await {
            self.note(event.context("The meeting ended early.")?)?;
        }
        Ok(())
    }

    async fn leave(&mut self) -> Result<()> {
        self.client.leave().await?;
        let end = Instant::now() + PATIENCE;
        // The code and the roster of the time together are what counts.
        while let Some(event) = timeout_at(end, self.events.recv()).await? {
            if let ClientEvent::Left {
                reason,
                failed: true,
            } = event
            {
                bail!(reason);
            }
        }
        Ok(())
    }

    fn note(&mut self, event: ClientEvent) -> Result<()> {
        match event {
            ClientEvent::Admitted { name, .. } => println!("{name} is in, says {}.", self.name),
            ClientEvent::Code { digits, .. } => self.code = digits,
            ClientEvent::Roster { members, .. } => self.members = members,
            ClientEvent::Media { senders, .. } if !senders.is_empty() => self.senders = senders,
            ClientEvent::Warning { text, .. } => println!("Note to {}: {text}", self.name),
            ClientEvent::Left {
                reason,
                failed: true,
            } => bail!(reason),
            _ => {}
        }
        Ok(())
    }

    fn heard(&self) -> Result<&SenderReport> {
        let sender = self.senders.first();
        sender.with_context(|| {
            format!(
                "Nothing reached {}. Run with CONCLAVE_LOG=debug to see why.",
                self.name
            )
        })
    }
}

fn summarize(ana: &Guest, ben: &Guest, folder: &Path) -> Result<()> {
    println!();
    for guest in [ana, ben] {
        let names: Vec<_> = guest
            .members
            .iter()
            .map(|member| member.name.as_str())
            .collect();
        println!(
            "{} saw {} and read the code {}",
            guest.name,
            names.join(" and "),
            guest.code
        );
    }
    for guest in [ana, ben] {
        let sender = guest.heard()?;
        println!("{} received from {}:", guest.name, sender.name);
        println!("  sound   {}", figures(&sender.audio));
        println!("  picture {}", figures(&sender.video));
    }
    println!("What the server saw: two pseudonyms, times, and ciphertext:");
    for guest in [ana, ben] {
        let sender = guest.heard()?;
        println!(
            "  towards {}: {} sealed sound packets of one size, {} kB; {} sealed pictures, {} kB",
            guest.name,
            sender.audio.received,
            sender.audio.bytes / 1000,
            sender.video.received,
            sender.video.bytes / 1000,
        );
    }
    for name in ["Ana", "Ben"] {
        println!(
            "What arrived from {name}: {0}.wav {0}.mkv {0}.png",
            folder.join(name).display()
        );
    }
    check(ana, ben)
}

fn figures(track: &TrackReport) -> String {
    let latency = match (track.latency_p50_ms, track.latency_p95_ms) {
        (Some(p50), Some(p95)) => format!("{p50:.0} ms from capture (p95 {p95:.0} ms)"),
        _ => "no delay measured".into(),
    };
    format!(
        "{} frames, {} opened, {} refused, {} played, {latency}",
        track.received, track.opened, track.failed, track.played
    )
}

/// A demonstration that shows nothing must not end as if it had.
fn check(ana: &Guest, ben: &Guest) -> Result<()> {
    ensure!(
        !ana.code.is_empty() && ana.members.len() == 2,
        "The two did not meet."
    );
    for guest in [ana, ben] {
        let sender = guest.heard()?;
        ensure!(sender.audio.played > 0, "{} heard nothing.", guest.name);
        ensure!(sender.video.played > 0, "{} saw nothing.", guest.name);
        ensure!(
            sender.audio.failed + sender.video.failed == 0,
            "{} received frames that did not open.",
            guest.name
        );
    }
    Ok(())
}
