//! Cameras that a test plugs in and pulls out, behind GStreamer's own interface for them.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

/// The cameras of this computer. Held by one test at a time.
pub(super) struct Desk {
    _held: MutexGuard<'static, ()>,
}

static IN_USE: Mutex<()> = Mutex::new(());
static CAMERAS: Mutex<Cameras> = Mutex::new(Cameras::NONE);

struct Cameras {
    /// In the order in which the system names them.
    plugged: Vec<String>,
    broken: BTreeSet<String>,
    /// Only one can be open at a time.
    narrow: bool,
    /// How long one takes to open.
    delay: Duration,
    opened: Vec<(String, glib::WeakRef<gst::Element>)>,
    /// Every attempt to open one.
    attempts: Vec<String>,
}

impl Cameras {
    const NONE: Self = Self {
        plugged: Vec::new(),
        broken: BTreeSet::new(),
        narrow: false,
        delay: Duration::ZERO,
        opened: Vec::new(),
        attempts: Vec::new(),
    };

    /// Those that run.
    fn running(&self) -> impl Iterator<Item = (&str, gst::Element)> {
        let alive = |(name, element): &(String, glib::WeakRef<gst::Element>)| {
            Some((name.clone(), element.upgrade()?))
        };
        let alive: Vec<_> = self.opened.iter().filter_map(alive).collect();
        let running = move |(name, element): (String, gst::Element)| {
            let name = self.plugged.iter().find(|known| **known == name)?;
            (element.current_state() != gst::State::Null).then_some((name.as_str(), element))
        };
        alive.into_iter().filter_map(running)
    }
}

fn lock() -> MutexGuard<'static, Cameras> {
    CAMERAS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// These cameras are plugged in, the default one first.
    pub(super) fn with(names: &[&str]) -> Self {
        let held = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            gst::init().unwrap();
            let kind = Provider::static_type();
            gst::DeviceProvider::register(None, "deskprovider", gst::Rank::PRIMARY, kind).unwrap();
        });
        *lock() = Cameras {
            plugged: names.iter().map(ToString::to_string).collect(),
            ..Cameras::NONE
        };
        Self { _held: held }
    }

    pub(super) fn narrow(self) -> Self {
        lock().narrow = true;
        self
    }

    pub(super) fn slow(self, delay: Duration) -> Self {
        lock().delay = delay;
        self
    }

    pub(super) fn with_broken(self, name: &str) -> Self {
        let mut cameras = lock();
        cameras.plugged.push(name.into());
        cameras.broken.insert(name.into());
        drop(cameras);
        self
    }

    pub(super) fn plug(&self, name: &str) {
        lock().plugged.push(name.into());
    }

    /// Pulls the cable of one that runs.
    pub(super) fn unplug(&self, name: &str) {
        let mut cameras = lock();
        let running = cameras.running().find(|(known, _)| *known == name);
        let element = running.expect("it runs").1;
        cameras.plugged.retain(|known| known != name);
        drop(cameras);
        assert!(element.send_event(gst::event::Eos::new()));
    }

    /// How often this one was tried.
    pub(super) fn attempts(&self, name: &str) -> usize {
        let cameras = lock();
        cameras
            .attempts
            .iter()
            .filter(|known| *known == name)
            .count()
    }
}

fn open(name: &str) -> Result<gst::Element, gst::LoggableError> {
    let mut cameras = lock();
    cameras.attempts.push(name.into());
    std::thread::sleep(cameras.delay);
    let is_busy = cameras
        .running()
        .any(|(known, _)| cameras.narrow || known == name);
    if is_busy || cameras.broken.contains(name) {
        return Err(gst::loggable_error!(gst::CAT_RUST, "it is busy"));
    }
    let made = gst::ElementFactory::make("videotestsrc").property("is-live", true);
    let element = made
        .build()
        .map_err(|error| gst::loggable_error!(gst::CAT_RUST, "{}", error))?;
    cameras.opened.push((name.into(), element.downgrade()));
    Ok(element)
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Camera;

    #[glib::object_subclass]
    impl ObjectSubclass for Camera {
        const NAME: &'static str = "DeskCamera";
        type Type = super::Camera;
        type ParentType = gst::Device;
    }

    impl ObjectImpl for Camera {}
    impl GstObjectImpl for Camera {}
    impl DeviceImpl for Camera {
        fn create_element(&self, _: Option<&str>) -> Result<gst::Element, gst::LoggableError> {
            open(&self.obj().display_name())
        }
    }

    #[derive(Default)]
    pub struct Provider;

    #[glib::object_subclass]
    impl ObjectSubclass for Provider {
        const NAME: &'static str = "DeskProvider";
        type Type = super::Provider;
        type ParentType = gst::DeviceProvider;
    }

    impl ObjectImpl for Provider {}
    impl GstObjectImpl for Provider {}
    impl DeviceProviderImpl for Provider {
        fn metadata() -> Option<&'static gst::subclass::DeviceProviderMetadata> {
            use gst::subclass::DeviceProviderMetadata as Metadata;
            static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
                Metadata::new("Desk", "Source/Video", "Cameras of a test", "Conclave")
            });
            Some(&METADATA)
        }

        fn start(&self) -> Result<(), gst::LoggableError> {
            let caps = "video/x-raw, format=I420, width=640, height=360, framerate=30/1";
            let plugged = lock().plugged.clone();
            for name in plugged {
                let path = format!("/dev/{name}");
                let properties = gst::Structure::builder("p").field("device.path", path);
                let device: super::Camera = glib::Object::builder()
                    .property("display-name", name)
                    .property("device-class", "Video/Source")
                    .property("caps", caps.parse::<gst::Caps>().unwrap())
                    .property("properties", properties.build())
                    .build();
                self.obj().device_add(&device);
            }
            Ok(())
        }

        fn stop(&self) {}
    }
}

glib::wrapper! {
    pub struct Camera(ObjectSubclass<imp::Camera>) @extends gst::Device, gst::Object;
}
glib::wrapper! {
    pub struct Provider(ObjectSubclass<imp::Provider>) @extends gst::DeviceProvider, gst::Object;
}
