//! A person at a computer: one `conclave` process, told what to do by flags and read by its
//! `--json` lines.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::event::{Event, Member, Rules, Sender};
use crate::process::Process;
use crate::programs::{program, sample};

/// Flags for no camera, no microphone, nothing to hear with.
pub const WITHOUT_MEDIA: [&str; 6] = [
    "--camera",
    "off",
    "--microphone",
    "off",
    "--speaker",
    "null",
];

/// How long anything that a person waits for may take on a busy two-core machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A person not yet at the computer.
pub struct Invitation {
    name: String,
    command: Command,
    saved: TempDir,
}

/// A person at the computer.
pub struct Person {
    name: String,
    process: Process,
    events: Vec<Event>,
    /// Events before this one are old news.
    mark: usize,
    saved: TempDir,
}

/// How a program that could not do its work ended.
#[derive(Debug)]
pub struct Ending {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Standard error.
    pub errors: String,
}

impl Invitation {
    /// Somebody who opens a meeting on `server` (see [`crate::server::Server::argument`]).
    pub fn host(name: &str, server: &str) -> Self {
        let mut invitation = Self::new("host", name);
        invitation.command.args(["--server", server]);
        invitation
    }

    /// Somebody who opens a meeting on a server of his own.
    pub fn host_alone(name: &str) -> Self {
        Self::new("host", name)
    }

    /// Somebody who follows a link.
    pub fn join(name: &str, link: &str) -> Self {
        let mut invitation = Self::new("join", name);
        invitation.command.arg(link);
        invitation
    }

    fn new(verb: &str, name: &str) -> Self {
        let mut command = Command::new(program("conclave"));
        command.arg(verb).args(["--name", name, "--json"]);
        let saved = tempfile::tempdir().expect("a temporary folder");
        Self {
            name: name.to_owned(),
            command,
            saved,
        }
    }

    /// Has the program log all that it ever would.
    pub fn tracing(mut self) -> Self {
        self.command.env("CONCLAVE_LOG", "trace");
        self
    }

    /// Adds arguments.
    pub fn with<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// No camera, no microphone, nothing to hear with.
    pub fn without_media(self) -> Self {
        self.with(WITHOUT_MEDIA)
    }

    /// The sample voice and picture, nothing to hear with.
    pub fn with_samples(self) -> Self {
        let voice = format!("file:{}", sample("speech.flac").display());
        let picture = format!("file:{}", sample("person.webm").display());
        self.with([
            "--camera",
            &picture,
            "--microphone",
            &voice,
            "--speaker",
            "null",
        ])
    }

    /// Test signals, nothing to hear with.
    pub fn with_test_signals(self) -> Self {
        self.with([
            "--camera",
            "test",
            "--microphone",
            "test",
            "--speaker",
            "null",
        ])
    }

    /// A microphone that makes a tone, no camera, nothing to hear with.
    pub fn with_tone(self) -> Self {
        self.with([
            "--camera",
            "off",
            "--microphone",
            "test",
            "--speaker",
            "null",
        ])
    }

    /// Saves what arrives, see [`Person::saved`].
    pub fn saving(mut self) -> Self {
        self.command.arg("--save").arg(self.saved.path());
        self
    }

    /// The folder that [`Invitation::saving`] names.
    pub fn folder(&self) -> &Path {
        self.saved.path()
    }

    /// Sets a variable of the environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Takes a seat.
    pub fn come(self) -> Person {
        let process = Process::start(&self.name, self.command);
        Person {
            name: self.name,
            process,
            events: Vec::new(),
            mark: 0,
            saved: self.saved,
        }
    }

    /// Takes a seat and waits until the program gives up.
    pub fn fail(self) -> Ending {
        self.come().end()
    }
}

impl Person {
    /// The display name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Makes all that was said so far old news for the waits that follow.
    pub fn look_up(&mut self) {
        self.mark = self.heard().len();
    }

    /// All that was said so far, old news too.
    pub fn heard(&mut self) -> &[Event] {
        while let Some(line) = self.process.line_now() {
            self.keep(&line);
        }
        &self.events
    }

    /// Waits for the first event that `wanted` takes.
    ///
    /// # Panics
    /// When it does not come within [`PATIENCE`], or the program ends first.
    pub fn wait_for<T>(&mut self, what: &str, wanted: impl FnMut(&Event) -> Option<T>) -> T {
        self.wait_within(PATIENCE, what, wanted)
    }

    /// The same with a limit of its own.
    pub fn wait_within<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + limit;
        let mut next = self.mark;
        loop {
            while let Some(event) = self.events.get(next) {
                next += 1;
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            self.read(deadline, what);
        }
    }

    fn read(&mut self, deadline: Instant, what: &str) {
        let Some(line) = self.process.line(deadline, what) else {
            panic!("{} ended before: {what}", self.name);
        };
        self.keep(&line);
    }

    fn keep(&mut self, line: &str) {
        let event = serde_json::from_str(line)
            .unwrap_or_else(|e| panic!("{}: no event of --json ({e}): {line}", self.name));
        self.events.push(event);
    }

    /// The invite link of one's own meeting.
    pub fn link(&mut self) -> String {
        self.wait_for("link", |event| match event {
            Event::Link { link } => Some(link.clone()),
            _ => None,
        })
    }

    /// Waits until exactly these people are in the room; gives the epoch and the roster.
    pub fn meets(&mut self, names: &[&str]) -> (u64, Vec<Member>) {
        let mut wanted: Vec<&str> = names.to_vec();
        wanted.sort_unstable();
        self.wait_for(&format!("roster of {wanted:?}"), |event| match event {
            Event::Roster { epoch, members } => {
                let mut present: Vec<&str> =
                    members.iter().map(|member| member.name.as_str()).collect();
                present.sort_unstable();
                (present == wanted).then(|| (*epoch, members.clone()))
            }
            _ => None,
        })
    }

    /// The 30 digits of `epoch`, without spaces.
    pub fn code(&mut self, of_epoch: u64) -> String {
        self.wait_for(&format!("code of epoch {of_epoch}"), |event| match event {
            Event::Code { epoch, digits } if *epoch == of_epoch => {
                Some(digits.chars().filter(char::is_ascii_digit).collect())
            }
            _ => None,
        })
    }

    /// Waits until what arrived of `name` satisfies `enough`.
    pub fn receives(&mut self, name: &str, enough: impl Fn(&Sender) -> bool) -> Sender {
        self.wait_for(
            &format!("enough sound and pictures of {name}"),
            |event| match event {
                Event::Media { senders } => senders
                    .iter()
                    .find(|sender| sender.name == name && enough(sender))
                    .cloned(),
                _ => None,
            },
        )
    }

    /// Waits until sound and pictures of `name` come in: half a second of each more than at first.
    ///
    /// # Panics
    /// When they do not within `limit`.
    pub fn flows(&mut self, name: &str, limit: Duration) {
        let mut first = None;
        self.wait_within(limit, &format!("flow of {name}"), |event| {
            let Event::Media { senders } = event else {
                return None;
            };
            let sender = senders.iter().find(|sender| sender.name == name)?;
            let now = (sender.audio.opened, sender.video.opened);
            // Counts may begin again with a new connection.
            let start = first.filter(|start: &(u64, u64)| start.0 <= now.0 && start.1 <= now.1);
            let start = *first.insert(start.unwrap_or(now));
            let is_enough = now.0 >= start.0 + 25 && now.1 >= start.1 + 10;
            (is_enough && sender.audio.failed == 0).then_some(())
        });
    }

    /// Types a line, such as an answer to `--admit ask`.
    pub fn types(&mut self, line: &str) {
        self.process.type_line(line);
    }

    /// Gives an order (`--commands`); what was said before it is old news.
    pub fn orders(&mut self, line: &str) {
        self.look_up();
        self.types(line);
    }

    /// Waits for word that an order was not obeyed, in a sentence that contains `words`.
    pub fn is_told_no(&mut self, words: &[&str]) {
        self.wait_for(&format!("a refusal with {words:?}"), |event| {
            let text = match event {
                Event::Warning { text, .. } => text,
                Event::OrderRefused { reason, .. } => reason,
                _ => return None,
            };
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(word)).then_some(())
        });
    }

    /// Waits until rules are in force that satisfy `wanted`.
    pub fn has_rules(&mut self, what: &str, wanted: impl Fn(&Rules) -> bool) {
        self.wait_for(what, |event| match event {
            Event::Rules { rules } => wanted(rules).then_some(()),
            _ => None,
        });
    }

    /// Waits for the knock of `name`; gives the trust mark.
    pub fn hears_knock(&mut self, name: &str) -> String {
        self.wait_for(&format!("a knock of {name}"), |event| match event {
            Event::Knock {
                name: known, trust, ..
            } => (known == name).then(|| trust.clone()),
            _ => None,
        })
    }

    /// Waits until `name` is in the room and `wanted` holds.
    pub fn sees(&mut self, name: &str, what: &str, wanted: impl Fn(&Member) -> bool) -> Member {
        self.wait_for(&format!("{name} {what}"), |event| match event {
            Event::Roster { members, .. } => members
                .iter()
                .find(|member| member.name == name && wanted(member))
                .cloned(),
            _ => None,
        })
    }

    /// Waits until the host decides.
    pub fn waits(&mut self) {
        self.wait_for("waiting", |event| {
            matches!(event, Event::Waiting { .. }).then_some(())
        });
    }

    /// Everything on standard output and standard error so far.
    pub fn said(&self) -> String {
        format!(
            "{}\n{}",
            self.process.output().join("\n"),
            self.process.errors()
        )
    }

    /// Leaves as by Ctrl+C.
    ///
    /// # Panics
    /// When the program does not end well.
    pub fn leave(&mut self) {
        self.process.signal(Signal::INT);
        let status = self.process.wait(PATIENCE);
        assert_eq!(
            status.code(),
            Some(0),
            "{} left: {}",
            self.name,
            self.process.errors()
        );
    }

    /// All that the program has logged.
    pub fn log(&self) -> String {
        self.process.errors()
    }

    /// Waits until the program ends by itself.
    pub fn end(&mut self) -> Ending {
        let status = self.process.wait(PATIENCE);
        // The pipe's reader may be a moment behind the exit.
        std::thread::sleep(Duration::from_millis(100));
        Ending {
            code: status.code(),
            errors: self.process.errors(),
        }
    }

    /// Vanishes.
    pub fn vanish(&mut self) {
        self.process.kill();
    }

    /// What was saved of `name`: `wav`, `mkv` or `png`.
    pub fn saved(&self, name: &str, extension: &str) -> PathBuf {
        let path = self.saved.path().join(format!("{name}.{extension}"));
        assert!(path.is_file(), "{} saved no {}", self.name, path.display());
        path
    }
}

impl Ending {
    /// Holds what every failure owes the person: exit code 2, one sentence or two that contain
    /// each of `words`, and no panic.
    pub fn is_a_sentence_with(&self, words: &[&str]) {
        let errors = self.errors.trim();
        assert!(!errors.contains("panicked"), "a panic: {errors}");
        assert_eq!(self.code, Some(2), "exit code, after: {errors}");
        let last = errors.lines().last().unwrap_or_default();
        assert!(
            last.split_whitespace().count() >= 5,
            "no sentence: {errors:?}"
        );
        assert!(
            !last.contains("Err(") && !last.contains("Error {"),
            "not for people: {last}"
        );
        for word in words {
            assert!(
                errors.to_lowercase().contains(word),
                "nothing about {word:?}: {errors}"
            );
        }
    }
}

/// The host opens the door to all, the guest follows the link, and each sees the other in the
/// room. Gives both and the link.
pub fn meet(host: Invitation, guest: impl FnOnce(&str) -> Invitation) -> (Person, Person, String) {
    let mut host = host.with(["--admit", "all"]).come();
    let link = host.link();
    let mut guest = guest(&link).come();
    let names = [host.name.clone(), guest.name.clone()];
    let names = [names[0].as_str(), names[1].as_str()];
    guest.meets(&names);
    host.meets(&names);
    (host, guest, link)
}
