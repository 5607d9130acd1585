//! The one meeting that this window is in, or none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conclave_client::{
    CameraSource, CleaningPart, Client, ClientError, DeviceId, Devices, DisplayName, Form,
    LinkError, MEETING_LIFETIME, MeetingView, NameError, Options, Proxies, ProxyError,
    ScreenSourceError, Secrecy, Server, ShareMode, ShareRequest, Size, Title, ViewPhase,
};
use serde::Deserialize;
use tauri::async_runtime::JoinHandle;
use tauri::ipc::Channel;
use tokio::sync::watch;

use crate::arguments::Arguments;
use crate::choices;
use crate::fallback::without_camera;
use crate::profile::{Profile, ProfileError};
use crate::settings::{SaveError, Settings, Store};

/// How long the others' clients and the server get to hear that the window was closed.
const FAREWELL: Duration = Duration::from_secs(5);
/// The shortest time between two snapshots to the window; a person sees no difference.
const VIEW_INTERVAL: Duration = Duration::from_millis(40);

/// Why something that the person asked for did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Commands that need a meeting came without one.
    #[error("you are in no meeting now; start one or join with a link")]
    NoMeeting,
    /// The window named a device that cannot be.
    #[error("this person is not known here; look at the list again")]
    UnknownDevice,
    /// Text from the link field.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Text from the name or title field.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What the program was started with, or what was kept, names no proxy that can be used.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The window named something that is no screen.
    #[error(transparent)]
    Screen(#[from] ScreenSourceError),
    /// The client cannot start or go on.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Who the person is cannot be told.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The choice holds for now but is not remembered.
    #[error(transparent)]
    Settings(#[from] SaveError),
}

/// How the person came into the lobby. Has no `Debug`: a link is a secret.
#[derive(Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Entry {
    /// A new meeting.
    Host,
    /// By a pasted link.
    Join {
        /// As pasted.
        link: String,
    },
}

/// What the person says when leaving the lobby.
#[derive(Deserialize)]
pub struct Introduction {
    name: String,
    title: String,
}

/// What to come back to when the lobby's devices are changed.
struct Lobby {
    entry: Entry,
    muted: bool,
    camera_off: bool,
}

struct Opened {
    client: Arc<Client>,
    entry: Entry,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The window's state on this side.
pub struct Session {
    arguments: Arguments,
    store: Store,
    profile: Arc<Profile>,
    /// Held while a meeting is opened or closed, so that there is never a second one.
    changing: tokio::sync::Mutex<()>,
    opened: Mutex<Option<Opened>>,
    view: watch::Sender<Option<MeetingView>>,
    window: Mutex<Option<JoinHandle<()>>>,
}

impl Session {
    /// No meeting yet.
    pub fn new(arguments: Arguments, store: Store, profile: Arc<Profile>) -> Self {
        Self {
            arguments,
            store,
            profile,
            changing: tokio::sync::Mutex::default(),
            opened: Mutex::default(),
            view: watch::Sender::new(None),
            window: Mutex::default(),
        }
    }

    /// The remembered choices.
    pub fn settings(&self) -> Settings {
        self.store.get()
    }

    /// Remembers choices. Sound is treated accordingly at once, and the devices are put into use. One
    /// that does not open is not remembered: the one before stays. In the lobby another camera is
    /// seen at once, or missed; then what is missing is returned as by [`Self::open_lobby`].
    pub async fn save_settings(
        &self,
        settings: Settings,
    ) -> Result<Option<Vec<String>>, SessionError> {
        let _changing = self.changing.lock().await;
        let before = self.store.get();
        let saved = self.store.set(settings);
        let lobby = match before.camera == self.store.get().camera {
            true => None,
            false => self.leave_lobby(),
        };
        let missing = match lobby {
            Some(mut lobby) => {
                // Who picks another camera wants to see it.
                lobby.camera_off = false;
                Some(self.reopen(&lobby).await?)
            }
            None => {
                self.apply(&before).await?;
                None
            }
        };
        saved?;
        Ok(missing)
    }

    /// Does in the present meeting, if there is one, what is now chosen otherwise than `before`.
    async fn apply(&self, before: &Settings) -> Result<(), SessionError> {
        let Ok(client) = self.client() else {
            return Ok(());
        };
        let now = self.store.get();
        let (was, is) = (before.cleaning(), now.cleaning());
        for (part, was, is) in [
            (CleaningPart::Echo, was.echo, is.echo),
            (CleaningPart::Noise, was.noise, is.noise),
            (CleaningPart::Gain, was.gain, is.gain),
        ] {
            if was != is {
                client.clean(part, is).await?;
            }
        }
        if before.camera != now.camera {
            let used = client.use_camera(choices::camera(&self.arguments, &now));
            self.unless_opened(used.await, |kept| kept.camera = before.camera.clone())?;
        }
        if before.microphone != now.microphone {
            let used = client.use_microphone(choices::microphone(&self.arguments, &now));
            self.unless_opened(used.await, |kept| {
                kept.microphone = before.microphone.clone()
            })?;
        }
        if before.speaker != now.speaker {
            let used = client.use_speaker(choices::speaker(&self.arguments, &now));
            self.unless_opened(used.await, |kept| kept.speaker = before.speaker.clone())?;
        }
        Ok(())
    }

    /// Remembers the device before, with `take_back`, if the one that was chosen does not open.
    fn unless_opened(
        &self,
        used: Result<(), ClientError>,
        take_back: impl FnOnce(&mut Settings),
    ) -> Result<(), SessionError> {
        let Err(error) = used else {
            return Ok(());
        };
        let mut settings = self.store.get();
        take_back(&mut settings);
        self.store.set(settings)?;
        Err(error.into())
    }

    /// Sends every snapshot to the window from now on. A page that was loaded anew takes over.
    pub fn send_views_to(&self, window: Channel<Option<MeetingView>>) {
        let mut views = self.view.subscribe();
        views.mark_changed();
        let task = tauri::async_runtime::spawn(async move {
            while views.changed().await.is_ok() {
                let view = views.borrow_and_update().clone();
                if window.send(view).is_err() {
                    break;
                }
                tokio::time::sleep(VIEW_INTERVAL).await;
            }
        });
        if let Some(former) = lock(&self.window).replace(task) {
            former.abort();
        }
    }

    /// Opens the lobby: devices run, nothing leaves this computer. Returns a sentence for each
    /// device that the person has to do without.
    pub async fn open_lobby(&self, entry: Entry) -> Result<Vec<String>, SessionError> {
        let _changing = self.changing.lock().await;
        self.shut();
        self.open_somehow(&entry).await
    }

    /// Starts the meeting, or knocks.
    pub async fn enter(&self, introduction: Introduction) -> Result<(), SessionError> {
        let name: DisplayName = introduction.name.parse()?;
        let title: Title = introduction.title.parse()?;
        Ok(self
            .client()?
            .enter(conclave_client::Introduction { name, title })
            .await?)
    }

    /// Microphone off or on.
    pub async fn set_muted(&self, muted: bool) -> Result<(), SessionError> {
        Ok(self.client()?.set_muted(muted).await?)
    }

    /// Camera on or off. It is the chosen one that comes on, also where that could not be opened in
    /// the lobby.
    pub async fn set_camera(&self, on: bool) -> Result<(), SessionError> {
        let client = self.client()?;
        if on {
            client.use_camera(self.chosen_camera()).await?;
        }
        Ok(client.set_camera(on).await?)
    }

    /// The camera that the person would be seen by, also where it could not be opened.
    pub fn chosen_camera(&self) -> CameraSource {
        choices::camera(&self.arguments, &self.store.get())
    }

    /// Back to no meeting, devices released.
    ///
    /// Who has left and goes on at once has not said goodbye yet: the others would take him for
    /// somebody whose connection broke, and a host's own server would end before it told them.
    pub async fn close(&self) {
        let _changing = self.changing.lock().await;
        let over = self
            .view
            .borrow()
            .as_ref()
            .is_some_and(|view| view.phase == ViewPhase::Left);
        if let (true, Ok(client)) = (over, self.client()) {
            self.view.send_replace(None);
            let _ = tokio::time::timeout(FAREWELL, client.ended()).await;
        }
        self.shut();
    }

    /// Pictures for the window after number `after`; an empty batch when there is no meeting.
    pub async fn next_frames(&self, after: u32, form: Form, patience: Duration) -> Vec<u8> {
        let frames = lock(&self.opened)
            .as_ref()
            .map(|opened| opened.client.frames());
        match frames {
            Some(frames) => frames.next(after, form, patience).await,
            None => {
                tokio::time::sleep(patience).await;
                Vec::new()
            }
        }
    }

    /// Leaves in good order when the window is closed.
    pub async fn shut_down(&self) {
        let client = self.client();
        if let Ok(client) = client
            && client.leave().await.is_ok()
        {
            let _ = tokio::time::timeout(FAREWELL, client.ended()).await;
        }
        self.close().await;
    }

    /// Releases the lobby's devices: many open only once. The window keeps the last snapshot.
    fn leave_lobby(&self) -> Option<Lobby> {
        let view = self
            .view
            .borrow()
            .clone()
            .filter(|view| view.phase == ViewPhase::Lobby)?;
        let opened = lock(&self.opened).take()?;
        Some(Lobby {
            entry: opened.entry.clone(),
            muted: view.me.muted,
            camera_off: !view.me.camera,
        })
    }

    /// Back into the lobby with the devices that are chosen now. What was switched off stays off.
    async fn reopen(&self, lobby: &Lobby) -> Result<Vec<String>, SessionError> {
        let missing = match self.open_somehow(&lobby.entry).await {
            Ok(missing) => missing,
            Err(error) => {
                self.shut();
                return Err(error);
            }
        };
        if lobby.muted {
            self.set_muted(true).await?;
        }
        if lobby.camera_off {
            self.set_camera(false).await?;
        }
        Ok(missing)
    }

    /// Opens with the chosen devices or, where no camera can be used, without one.
    async fn open_somehow(&self, entry: &Entry) -> Result<Vec<String>, SessionError> {
        let devices = choices::devices(&self.arguments, &self.store.get());
        let error = match self.open(entry, devices.clone()).await {
            Ok(()) => return Ok(Vec::new()),
            Err(error) => error,
        };
        let less = match &error {
            SessionError::Client(cause) => without_camera(&devices, cause),
            _ => None,
        };
        match less {
            Some(less) => self.open(entry, less).await?,
            None => return Err(error),
        }
        Ok(vec![error.to_string()])
    }

    async fn open(&self, entry: &Entry, devices: Devices) -> Result<(), SessionError> {
        let options = Options {
            entry: match entry {
                Entry::Host => conclave_client::Entry::Host(self.server()),
                Entry::Join { link } => conclave_client::Entry::Join(Box::new(link.parse()?)),
            },
            proxies: Proxies::choose(self.arguments.proxy.clone(), self.store.get().proxy_url())?,
            identity: self.profile.identity().await?,
            devices,
            waiting_room: true,
            secrecy: Secrecy::default(),
            strict: false,
            lifetime: MEETING_LIFETIME,
            preview: true,
            watch: Size::Medium,
            save: None,
        };
        let (client, mut events) = Client::open(options).await?;
        let mut views = client.view();
        let out = self.view.clone();
        let tasks = [
            tauri::async_runtime::spawn(async move {
                loop {
                    out.send_replace(Some(views.borrow_and_update().clone()));
                    if views.changed().await.is_err() {
                        break;
                    }
                }
            }),
            // Everything that the window shows is in the snapshots; events are for programs.
            tauri::async_runtime::spawn(async move { while events.recv().await.is_some() {} }),
        ];
        *lock(&self.opened) = Some(Opened {
            client: Arc::new(client),
            entry: entry.clone(),
            tasks,
        });
        Ok(())
    }

    fn server(&self) -> Server {
        self.arguments
            .server
            .clone()
            .map_or(Server::Own, Server::At)
    }

    fn shut(&self) {
        drop(lock(&self.opened).take());
        self.view.send_replace(None);
    }

    /// What can be shared now.
    pub async fn screens(&self) -> Result<Vec<choices::ScreenChoice>, SessionError> {
        Ok(choices::shareable(&self.arguments).await?)
    }

    /// Shares a screen or window, with sound or without; returns once it is shared.
    pub async fn share(&self, id: &str, motion: bool, sound: bool) -> Result<(), SessionError> {
        let source = choices::screen(&self.arguments, id)?;
        let mode = match motion {
            true => ShareMode::Motion,
            false => ShareMode::Text,
        };
        let wish = ShareRequest {
            source,
            mode,
            sound,
        };
        Ok(self.client()?.share(wish).await?)
    }

    /// The client of the meeting that the window is in.
    pub fn client(&self) -> Result<Arc<Client>, SessionError> {
        let opened = lock(&self.opened);
        opened
            .as_ref()
            .map(|opened| Arc::clone(&opened.client))
            .ok_or(SessionError::NoMeeting)
    }
}

/// A device as the window names it.
pub fn known(device: &str) -> Result<DeviceId, SessionError> {
    device.parse().map_err(|_| SessionError::UnknownDevice)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Values are replaced whole; a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
