//! Taking part in one meeting.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use conclave_client::{
    Client, ClientError, ClientEvent, DeviceId, Entry, Introduction, MEETING_LIFETIME, Options,
    Proxies, Secrecy, Server, ShareRequest, Size, Title,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::args::{Admit, Host, Join, Seat};
use crate::orders::{Done, obey};
use crate::present::Present;
use crate::report::{tell, tell_number, tell_refusal};
use crate::scans::Scans;

pub(crate) async fn host(host: Host) -> Result<()> {
    let server = host.server.map_or(Server::Own, Server::At);
    let waiting_room = host.admit == Admit::Ask;
    let mut options = options(Entry::Host(server), &host.seat)?;
    options.waiting_room = waiting_room;
    options.strict = host.strict;
    options.secrecy = host.secrecy.into();
    take_part(options, host.seat, host.title, waiting_room).await
}

pub(crate) async fn join(join: Join) -> Result<()> {
    let options = options(Entry::Join(Box::new(join.link)), &join.seat)?;
    // Whoever joins takes the title from the link.
    let title = "Meeting".parse()?;
    take_part(options, join.seat, title, false).await
}

fn options(entry: Entry, seat: &Seat) -> Result<Options> {
    Ok(Options {
        entry,
        proxies: Proxies::choose(seat.proxy.clone(), None)?,
        identity: seat.who.open()?,
        devices: seat.devices(),
        waiting_room: false,
        secrecy: Secrecy::default(),
        strict: false,
        lifetime: MEETING_LIFETIME,
        preview: false,
        watch: Size::Medium,
        save: seat.save.clone(),
    })
}

async fn take_part(options: Options, seat: Seat, title: Title, answers: bool) -> Result<()> {
    let (client, events) = Client::open(options).await?;
    client
        .enter(Introduction {
            name: seat.name.clone(),
            title,
        })
        .await?;
    let party = Party {
        client: Arc::new(client),
        json: seat.json,
        commands: seat.commands,
        present: Present::default(),
        knocks: VecDeque::new(),
        scans: Scans::default(),
        stay: seat.seconds,
        leave_at: None,
        share: seat.share(),
        sharing: None,
    };
    party.attend(events, answers || seat.commands).await
}

struct Party {
    client: Arc<Client>,
    json: bool,
    /// Whether lines are orders rather than answers.
    commands: bool,
    present: Present,
    knocks: VecDeque<DeviceId>,
    scans: Scans,
    /// Seconds to stay once in.
    stay: Option<u64>,
    leave_at: Option<Instant>,
    /// What to share once in.
    share: Option<ShareRequest>,
    /// Ends with an answer to it: a system may ask the person first.
    sharing: Option<JoinHandle<Result<(), ClientError>>>,
}

impl Party {
    async fn attend(mut self, mut events: Receiver<ClientEvent>, answers: bool) -> Result<()> {
        let mut lines = answers.then(|| BufReader::new(tokio::io::stdin()).lines());
        let interrupted = interrupted();
        tokio::pin!(interrupted);
        let mut leaving = false;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => {
                        // Nobody reads any more: go.
                        let unheard = tell(&event, self.json).is_err();
                        if let ClientEvent::Left { reason, failed } = event {
                            return if failed { bail!(reason) } else { Ok(()) };
                        }
                        if unheard && !leaving {
                            leaving = true;
                            self.client.leave().await?;
                        }
                        self.note(&event);
                    }
                    None => return Ok(()),
                },
                line = next_line(&mut lines) => match line {
                    Some(line) if self.commands => self.obey(&line).await?,
                    Some(line) => self.answer(&line).await?,
                    None => lines = None,
                },
                told = self.scans.next(self.json) => told?,
                shared = answer_of(&mut self.sharing) => {
                    if let Err(error) = shared {
                        tell_refusal("share", &error.to_string(), self.json)?;
                    }
                }
                () = &mut interrupted, if !leaving => {
                    leaving = true;
                    self.client.leave().await?;
                }
                () = until(self.leave_at), if !leaving => {
                    leaving = true;
                    self.client.leave().await?;
                }
            }
        }
    }

    fn note(&mut self, event: &ClientEvent) {
        self.present.note(event);
        match event {
            ClientEvent::Knock { device, .. } => self.knocks.push_back(*device),
            ClientEvent::KnockGone { device } => self.knocks.retain(|known| known != device),
            ClientEvent::Link(_) | ClientEvent::Admitted { .. } => {
                if let Some(wish) = self.share.take() {
                    self.begin_sharing(wish);
                }
                if let (Some(seconds), None) = (self.stay, self.leave_at) {
                    self.leave_at = Some(Instant::now() + Duration::from_secs(seconds));
                }
            }
            _ => {}
        }
    }

    fn begin_sharing(&mut self, wish: ShareRequest) {
        let client = self.client.clone();
        let share = async move { client.share(wish).await };
        self.sharing = Some(tokio::spawn(share));
    }

    async fn obey(&mut self, line: &str) -> Result<()> {
        match obey(&self.client, &self.present, line).await? {
            Done::Quietly => {}
            Done::Number(device, number) => tell_number(device, &number, self.json)?,
            Done::Scan(device) => {
                let name = self.present.name(device).to_owned();
                let order = line.to_owned();
                self.scans.begin(&self.client, device, name, order).await?;
            }
            Done::Share(wish) => self.begin_sharing(wish),
            Done::Not(why) => tell_refusal(line, &why, self.json)?,
        }
        Ok(())
    }

    /// The oldest knock is answered by a line that begins with y or n.
    async fn answer(&mut self, line: &str) -> Result<()> {
        let Some(device) = self.knocks.front().copied() else {
            return Ok(());
        };
        match line.trim_start().chars().next() {
            Some('y' | 'Y') => {
                self.knocks.pop_front();
                self.client.admit(device).await?;
            }
            Some('n' | 'N') => {
                self.knocks.pop_front();
                self.client.refuse(device).await?;
            }
            _ => eprintln!("Write y to let the person in, n to refuse."),
        }
        Ok(())
    }
}

async fn next_line(lines: &mut Option<Lines<BufReader<Stdin>>>) -> Option<String> {
    match lines {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Whether what was asked for is shared; never, while nothing was asked for.
async fn answer_of(
    sharing: &mut Option<JoinHandle<Result<(), ClientError>>>,
) -> Result<(), ClientError> {
    let Some(asked) = sharing else {
        return std::future::pending().await;
    };
    let answer = asked.await.unwrap_or(Err(ClientError::Over));
    *sharing = None;
    answer
}

/// Ctrl-C, or the polite signal of a service manager.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
