//! What this computer remembers between meetings: a name, three devices, how sound is treated, and
//! through which proxy it gets out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use conclave_client::{Cleaning, Proxy, ProxyUrl, ProxyUrlError};
use serde::{Deserialize, Serialize};
use tauri::Runtime;
use tauri::path::PathResolver;

/// A longer name or device ID in the file is somebody's mistake.
const MAX_TEXT: usize = 512;
const MAX_PROFILE: usize = 32;

/// Remembered choices. A missing device means the system's default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// How others see this person.
    pub name: String,
    /// Camera ID.
    pub camera: Option<String>,
    /// Microphone ID.
    pub microphone: Option<String>,
    /// Loudspeaker ID.
    pub speaker: Option<String>,
    /// Whether what the loudspeaker plays is taken out of the microphone's sound.
    pub echo_cancelling: bool,
    /// Whether steady noise is taken out of it.
    pub noise_suppression: bool,
    /// Whether speech is brought to an even loudness.
    pub automatic_gain: bool,
    /// Whether a held space bar opens a muted microphone.
    pub push_to_talk: bool,
    /// `http://HOST:PORT`, or nothing. Never with a password: the file can be read.
    pub proxy: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            camera: None,
            microphone: None,
            speaker: None,
            echo_cancelling: true,
            noise_suppression: true,
            automatic_gain: true,
            push_to_talk: true,
            proxy: String::new(),
        }
    }
}

impl Settings {
    /// What is done to the microphone's sound.
    pub fn cleaning(&self) -> Cleaning {
        Cleaning {
            echo: self.echo_cancelling,
            noise: self.noise_suppression,
            gain: self.automatic_gain,
        }
    }

    /// The proxy that all servers are reached through, if one is kept.
    pub fn proxy_url(&self) -> Option<ProxyUrl> {
        (!self.proxy.is_empty()).then(|| ProxyUrl::new(self.proxy.clone()))
    }

    fn fits(&self) -> bool {
        let choices = [&self.camera, &self.microphone, &self.speaker];
        let texts = [&self.name, &self.proxy].into_iter();
        texts
            .chain(choices.into_iter().flatten())
            .all(|text| text.len() <= MAX_TEXT)
    }

    fn check(&self) -> Result<(), SaveError> {
        if !self.fits() {
            return Err(SaveError::TooLong);
        }
        match self.proxy_url().map(|url| Proxy::parse(&url)).transpose()? {
            Some(proxy) if proxy.has_credentials() => Err(SaveError::Password),
            _ => Ok(()),
        }
    }
}

/// Why settings were not kept.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A text beyond any sense.
    #[error("a name or device name is too long to be kept; choose a shorter one")]
    TooLong,
    /// What is to be the proxy is none.
    #[error(transparent)]
    Proxy(#[from] ProxyUrlError),
    /// It would lie open in a file.
    #[error(
        "A name and password are not kept here, where other programs can read them. Leave this empty, and start Conclave with CONCLAVE_PROXY=http://NAME:PASSWORD@HOST:PORT in its environment."
    )]
    Password,
    /// The disk said no.
    #[error(
        "your settings could not be saved ({0}); check that the disk has room and can be written"
    )]
    Disk(#[from] io::Error),
}

/// Settings in memory and on disk.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    settings: Mutex<Settings>,
}

impl Store {
    /// Reads the settings in `folder`. A missing or damaged file counts as none: nothing in it is
    /// worth refusing to start.
    pub fn open(folder: PathBuf) -> Self {
        let file = folder.join("settings.json");
        let settings = read(&file).unwrap_or_default();
        Self {
            file,
            settings: Mutex::new(settings),
        }
    }

    /// The settings as they are.
    pub fn get(&self) -> Settings {
        self.settings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Keeps new settings, in memory even when the disk refuses.
    pub fn set(&self, settings: Settings) -> Result<(), SaveError> {
        settings.check()?;
        let mut kept = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = settings;
        write(&self.file, &kept)?;
        Ok(())
    }
}

fn read(file: &Path) -> Option<Settings> {
    let settings: Settings = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    settings.fits().then_some(settings)
}

/// Writes beside the file and renames, so that a crash leaves the old or the new one whole.
fn write(file: &Path, settings: &Settings) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let fresh = file.with_extension("json.new");
    fs::write(&fresh, serde_json::to_vec_pretty(settings)?)?;
    fs::rename(fresh, file)
}

/// Which of several people on one computer this window belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileName(String);

impl ProfileName {
    /// The name, safe as a folder's.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no profile name.
#[derive(Debug, thiserror::Error)]
#[error("a profile name has 1 to {MAX_PROFILE} letters a-z, digits, - or _")]
pub struct BadProfileName;

impl FromStr for ProfileName {
    type Err = BadProfileName;

    fn from_str(text: &str) -> Result<Self, BadProfileName> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let fine = (1..=MAX_PROFILE).contains(&text.len()) && text.chars().all(plain);
        fine.then(|| Self(text.to_owned())).ok_or(BadProfileName)
    }
}

/// Where one profile keeps its things.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Settings.
    pub config: PathBuf,
    /// The web view's own data.
    pub data: PathBuf,
}

impl Folders {
    /// The folders of `profile`; nothing is created yet.
    pub fn of<R: Runtime>(paths: &PathResolver<R>, profile: &ProfileName) -> tauri::Result<Self> {
        let below = |folder: PathBuf| folder.join("profiles").join(profile.as_str());
        Ok(Self {
            config: below(paths.app_config_dir()?),
            data: below(paths.app_local_data_dir()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ravi() -> Settings {
        Settings {
            name: "Ravi Shah".into(),
            camera: Some("cam-1".into()),
            ..Settings::default()
        }
    }

    #[test]
    fn settings_survive_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("new/profile");
        Store::open(place.clone()).set(ravi()).expect("saved");
        assert_eq!(Store::open(place).get(), ravi());
    }

    #[test]
    fn what_an_older_version_kept_is_read_with_sound_treated_as_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let old = r#"{"name":"Ravi Shah","camera":null,"microphone":"mic-1","speaker":null}"#;
        fs::write(folder.path().join("settings.json"), old).expect("written");
        let settings = Store::open(folder.path().into()).get();
        assert_eq!(settings.microphone.as_deref(), Some("mic-1"));
        assert_eq!(settings.cleaning(), Cleaning::default());
        assert!(settings.push_to_talk);
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        let folder = tempfile::tempdir().expect("a folder");
        for text in ["", "{", "[1]", "{\"name\":7}"] {
            fs::write(folder.path().join("settings.json"), text).expect("written");
            assert_eq!(
                Store::open(folder.path().into()).get(),
                Settings::default(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_disk_that_refuses_gives_a_sentence_and_keeps_the_choice() {
        let folder = tempfile::tempdir().expect("a folder");
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").expect("written");
        let store = Store::open(blocked);
        let error = store.set(ravi()).expect_err("a file is no folder");
        assert!(
            error
                .to_string()
                .starts_with("your settings could not be saved"),
            "{error}"
        );
        assert_eq!(store.get(), ravi());
    }

    #[test]
    fn a_proxy_is_kept_if_it_is_one_and_never_with_a_password() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().into());
        let keep = |proxy: &str| {
            let proxy = proxy.to_owned();
            store.set(Settings { proxy, ..ravi() })
        };
        keep("http://proxy.example:3128").expect("kept");
        assert!(store.get().proxy_url().is_some());
        assert!(matches!(
            keep("socks5://proxy.example:1080"),
            Err(SaveError::Proxy(ProxyUrlError::Kind))
        ));
        let secret = keep("http://ravi:geheim@proxy.example:3128");
        assert!(matches!(secret, Err(SaveError::Password)));
        let kept = fs::read_to_string(folder.path().join("settings.json")).expect("a file");
        assert!(kept.contains("http://proxy.example:3128") && !kept.contains("geheim"));
        keep("").expect("kept");
        assert!(store.get().proxy_url().is_none());
    }

    #[test]
    fn texts_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path().into());
        let long = Settings {
            name: "x".repeat(MAX_TEXT + 1),
            ..Settings::default()
        };
        assert!(matches!(store.set(long), Err(SaveError::TooLong)));
        assert_eq!(store.get(), Settings::default());
    }
}
