//! The desktop window, on a display and a sound system of its own, driven by tauri-driver.

use std::net::TcpListener;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::display::Display;
use crate::process::Process;
use crate::programs::program;
use crate::sound::Sound;
use crate::webdriver::{Element, Session};

/// How long the window may take for anything a person waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An open window. The fields go in this order: first the window, last what it stands on.
pub struct Window {
    session: Session,
    driver: String,
    arguments: Vec<String>,
    _driver: Driver,
    sound: Sound,
    display: Display,
    folder: TempDir,
}

/// tauri-driver, which ends WebKit's own driver with itself if it is asked to end.
struct Driver(Process);

impl Drop for Driver {
    fn drop(&mut self) {
        if self.0.is_running() {
            self.0.signal(Signal::TERM);
            self.0.try_wait(PATIENCE);
        }
    }
}

impl Window {
    /// Opens the app with these arguments, for a person who never used it before.
    pub fn open(arguments: &[&str]) -> Self {
        let display = Display::start();
        let sound = Sound::start();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (port, native_port) = (free_port(), free_port());
        let mut command = Command::new(driver());
        command.args([
            "--port",
            &port.to_string(),
            "--native-port",
            &native_port.to_string(),
        ]);
        command
            .env("DISPLAY", display.name())
            .envs(sound.environment().iter().cloned());
        // Nobody's key store is touched: this computer has none.
        let no_bus = folder.path().join("no-bus");
        command.env(
            "DBUS_SESSION_BUS_ADDRESS",
            format!("unix:path={}", no_bus.display()),
        );
        command
            .env_remove("WAYLAND_DISPLAY")
            .env("GDK_BACKEND", "x11")
            .env("NO_AT_BRIDGE", "1");
        // Xvfb draws in software only.
        command
            .env("WEBKIT_DISABLE_COMPOSITING_MODE", "1")
            .env("LIBGL_ALWAYS_SOFTWARE", "1");
        for home in [
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
        ] {
            command.env(home, folder.path().join(home));
        }
        let driver = Driver(Process::start("tauri-driver", command));
        wait_for_port(port);
        // WebKit's own driver, to which every word is passed on, is up after that.
        wait_for_port(native_port);
        let address = format!("http://127.0.0.1:{port}");
        let session = Session::open(&address, &program("conclave-app"), arguments);
        Self {
            session,
            driver: address,
            arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
            _driver: driver,
            sound,
            display,
            folder,
        }
    }

    /// Closes the app and opens it again, for the same person on the same computer.
    pub fn restart(&mut self) {
        self.session.close();
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        self.session = Session::open(&self.driver, &program("conclave-app"), &arguments);
    }

    /// From the first screen into a meeting of one's own; gives its link.
    pub fn hosts_as(&self, name: &str) -> String {
        self.press("new-meeting");
        // The first screen has a name field too: the preview tells the lobby.
        self.part("preview");
        self.fill(&self.part("name-input"), name);
        self.press("join");
        self.link()
    }

    /// The link in the panel.
    pub fn link(&self) -> String {
        self.reads("link-text", |text| {
            text.starts_with("conclave://").then(|| text.to_owned())
        })
    }

    /// Keeps a picture of the window for people to look at, in the folder that
    /// `CONCLAVE_PICTURES` names; does nothing without one.
    pub fn show(&self, name: &str) {
        if let Some(folder) = env::var_os("CONCLAVE_PICTURES") {
            let file = Path::new(&folder).join(format!("{name}.png"));
            self.display
                .picture(&file)
                .expect("a picture of the screen");
        }
    }

    /// The sound system in which the window plays and listens.
    pub fn sound(&self) -> &Sound {
        &self.sound
    }

    /// What another program on this display would paste.
    pub fn clipboard(&self) -> String {
        let xclip = Command::new("xclip")
            .args(["-selection", "clipboard", "-out"])
            .env("DISPLAY", self.display.name())
            .output()
            .expect("xclip runs");
        String::from_utf8_lossy(&xclip.stdout).trim().to_owned()
    }

    /// A file that goes with the window.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The element with this test id, once it is there.
    pub fn part(&self, id: &str) -> Element {
        self.session
            .wait_for(&format!("[data-testid='{id}']"), PATIENCE)
    }

    /// The first element whose test id begins so, and the rest of the id.
    pub fn part_beginning(&self, prefix: &str) -> (Element, String) {
        let element = self
            .session
            .wait_for(&format!("[data-testid^='{prefix}']"), PATIENCE);
        let id = self
            .session
            .attribute(&element, "data-testid")
            .unwrap_or_default();
        (element, id.trim_start_matches(prefix).to_owned())
    }

    /// Waits until nothing in the window has this test id.
    pub fn lacks(&self, id: &str) {
        let selector = format!("[data-testid='{id}']");
        self.session
            .wait_until(&format!("end of {id}"), PATIENCE, || {
                self.session.all(&selector).is_empty().then_some(())
            });
    }

    /// Clicks the element with this test id.
    pub fn press(&self, id: &str) {
        let part = self.part(id);
        self.session.click(&part);
    }

    /// Waits until the element with this test id reads as wanted; a field by its value.
    pub fn reads<T>(&self, id: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        let selector = format!("[data-testid='{id}']");
        self.session
            .wait_until(&format!("text wanted of {id}"), PATIENCE, || {
                let element = self.session.all(&selector).into_iter().next()?;
                let text = self.session.text(&element).filter(|text| !text.is_empty());
                let text = text.or_else(|| self.session.property(&element, "value"))?;
                wanted(&text)
            })
    }
}

impl Deref for Window {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if thread::panicking() {
            let picture = env::temp_dir().join("conclave-window-at-failure.png");
            match self.display.picture(&picture) {
                Ok(()) => eprintln!("--- the window at the failure: {}", picture.display()),
                Err(e) => eprintln!("--- no picture of the window: {e}"),
            }
            let text = self.session.run("return document.body.innerText");
            eprintln!(
                "--- the window says: {}",
                text.unwrap_or_default().as_str().unwrap_or_default()
            );
        }
        self.session.close();
    }
}

/// tauri-driver, on the path or where `./dev setup test` puts it.
fn driver() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cache")));
    let ours = cache.map(|cache| cache.join("conclave/tools/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .chain(ours)
        .map(|folder| folder.join("tauri-driver"))
        .find(|file| file.is_file());
    found.expect("tauri-driver is missing: ./dev setup test installs it")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn wait_for_port(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "tauri-driver does not listen");
        thread::sleep(Duration::from_millis(50));
    }
}
