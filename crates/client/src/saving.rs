//! `--save`: for each remote person a WAV of what was played, a Matroska file of the picture as
//! received, and a PNG of the last picture; all three of a shared screen too.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use conclave_media::audio::WavWriter;
use conclave_media::clock::{self, now_us};
use conclave_media::video::{MkvWriter, Picture, RecordingError, VideoDecoder, VideoPacket};
use conclave_wire::DeviceId;
use tokio::sync::mpsc;

use crate::error::ClientError;
use crate::media::{Figures, Kind, MediaEvent};

/// Pictures that wait for the disk and the decoder; more are left out up to the next key frame.
const QUEUE: usize = 256;
/// How often decoded pictures are looked for.
const POLL: Duration = Duration::from_millis(3);

/// Records everyone whose name is known.
pub(crate) struct Recorder {
    folder: PathBuf,
    people: Mutex<HashMap<DeviceId, Person>>,
    names: Mutex<Vec<String>>,
    events: mpsc::Sender<MediaEvent>,
}

struct Person {
    base: PathBuf,
    /// The sound of a shared screen is recorded from the first one on.
    shared_sound: bool,
    films: HashMap<Kind, SyncSender<VideoPacket>>,
    threads: Vec<JoinHandle<Result<(), ClientError>>>,
}

impl Recorder {
    pub(crate) fn new(
        folder: PathBuf,
        events: mpsc::Sender<MediaEvent>,
    ) -> Result<Arc<Self>, ClientError> {
        let fault = |error: std::io::Error| ClientError::SaveFolder {
            path: folder.clone(),
            reason: error.kind().to_string(),
        };
        std::fs::create_dir_all(&folder).map_err(fault)?;
        Ok(Arc::new(Self {
            folder,
            people: Mutex::default(),
            names: Mutex::default(),
            events,
        }))
    }

    /// Begins to record somebody; false if it is being done already.
    pub(crate) fn begin(
        &self,
        device: DeviceId,
        name: &str,
        tap: impl FnOnce() -> mpsc::Receiver<Vec<f32>>,
        figures: Arc<Figures>,
    ) -> bool {
        if lock(&self.people).contains_key(&device) {
            return false;
        }
        let base = self.folder.join(self.file_name(name));
        let sound = tap();
        let path = with(&base, ".wav");
        let mut person = Person {
            base: base.clone(),
            shared_sound: false,
            films: HashMap::new(),
            threads: vec![self.spawn(move || record_sound(&path, sound))],
        };
        for kind in Kind::ALL {
            let (pictures, queue) = sync_channel(QUEUE);
            person.films.insert(kind, pictures);
            let (base, figures) = (base.clone(), figures.clone());
            person
                .threads
                .push(self.spawn(move || record_pictures(&base, kind, &queue, &figures)));
        }
        lock(&self.people).insert(device, person);
        true
    }

    /// Begins to record the sound of somebody's shared screens, if somebody is recorded and it is
    /// not being done already.
    pub(crate) fn begin_shared_sound(
        &self,
        device: DeviceId,
        tap: impl FnOnce() -> mpsc::Receiver<Vec<f32>>,
    ) {
        if let Some(person) = lock(&self.people).get_mut(&device)
            && !std::mem::replace(&mut person.shared_sound, true)
        {
            let (path, sound) = (with(&person.base, ".screen.wav"), tap());
            let thread = self.spawn(move || record_sound(&path, sound));
            person.threads.push(thread);
        }
    }

    pub(crate) fn picture(&self, device: DeviceId, kind: Kind, packet: VideoPacket) {
        if let Some(pictures) = lock(&self.people)
            .get(&device)
            .and_then(|person| person.films.get(&kind))
        {
            // A writer that fell behind finds a gap and waits for a key frame by itself.
            let _ = pictures.try_send(packet);
        }
    }

    /// No more pictures of somebody; its sound ends with its source.
    pub(crate) fn end(&self, device: DeviceId) {
        if let Some(person) = lock(&self.people).get_mut(&device) {
            person.films.clear();
        }
    }

    /// Completes all files.
    pub(crate) async fn finish(&self) -> Result<(), ClientError> {
        let people: Vec<Person> = lock(&self.people)
            .drain()
            .map(|(_, person)| person)
            .collect();
        let joined = tokio::task::spawn_blocking(move || {
            let mut outcome = Ok(());
            for mut person in people {
                person.films.clear();
                for thread in person.threads {
                    let ended = thread.join().unwrap_or(Err(ClientError::SavingStopped));
                    outcome = outcome.and(ended);
                }
            }
            outcome
        });
        joined.await.unwrap_or(Ok(()))
    }

    fn spawn(
        &self,
        work: impl FnOnce() -> Result<(), ClientError> + Send + 'static,
    ) -> JoinHandle<Result<(), ClientError>> {
        let events = self.events.clone();
        std::thread::spawn(move || {
            let outcome = work();
            if outcome.is_err() {
                // The meeting must not go on as if it were recorded.
                let _ = events.try_send(MediaEvent::SavingFailed);
            }
            outcome
        })
    }

    /// A file name from a person's name; the second of two equal ones gets a number.
    fn file_name(&self, name: &str) -> String {
        let plain: String = name
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || "-_ ".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        let mut names = lock(&self.names);
        let mut candidate = plain.trim().to_owned();
        let mut number = 1;
        while names.contains(&candidate) {
            number += 1;
            candidate = format!("{} {number}", plain.trim());
        }
        names.push(candidate.clone());
        candidate
    }
}

fn record_sound(path: &Path, mut blocks: mpsc::Receiver<Vec<f32>>) -> Result<(), ClientError> {
    let mut file = WavWriter::create(path)?;
    while let Some(block) = blocks.blocking_recv() {
        file.write(&block)?;
    }
    Ok(file.finish()?)
}

/// No name of a person has a dot in it as a file name, so that no two files meet.
fn with(base: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(base);
    path.push(ending);
    path.into()
}

/// A screen's film begins with the first picture: most people never share one.
fn record_pictures(
    base: &Path,
    kind: Kind,
    queue: &Receiver<VideoPacket>,
    figures: &Figures,
) -> Result<(), ClientError> {
    let (film, png, counts) = match kind {
        Kind::Camera => (".mkv", ".png", &figures.video),
        Kind::Screen => (".screen.mkv", ".screen.png", &figures.screen),
    };
    let mut first = None;
    if kind == Kind::Screen {
        match queue.recv() {
            Ok(packet) => first = Some(packet),
            Err(_) => return Ok(()),
        }
    }
    let mut film = MkvWriter::create(&with(base, film))?;
    let mut decoder = VideoDecoder::new()?;
    let mut last: Option<Picture> = None;
    loop {
        match first.take().map_or_else(|| queue.recv_timeout(POLL), Ok) {
            Ok(packet) => {
                match film.write(&packet) {
                    Err(error @ RecordingError::Unwritable { .. }) => return Err(error.into()),
                    // Left out up to the next key frame; the film goes on.
                    Err(error) => {
                        tracing::debug!(%error, "a picture was left out of the recording")
                    }
                    Ok(()) => {}
                }
                if let Err(error) = decoder.push(&packet) {
                    tracing::debug!(%error, "a picture could not be decoded");
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        while let Some(picture) = decoder.try_picture() {
            let latency_us = clock::difference(now_us(), picture.capture_us);
            counts.decoded(latency_us);
            last = Some(picture);
        }
    }
    film.finish()?;
    match last {
        Some(picture) => Ok(picture.save_png(&with(base, png))?),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
