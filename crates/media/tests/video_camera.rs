//! A camera from plugging in to pulling out, with a device provider that stands in for the hardware.

mod video_support;

use conclave_media::video::{CameraSource, CaptureEvent, Size, VideoCapture, VideoError, cameras};
use gstreamer as gst;
use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;
use video_support::{PATIENCE, decode_all, next_packet, run_of};

/// Pictures until the stand-in's cable is pulled: three seconds.
const PICTURES: i32 = 180;

mod standin {
    use std::sync::LazyLock;

    use super::*;

    #[derive(Default)]
    pub struct Camera;

    #[glib::object_subclass]
    impl ObjectSubclass for Camera {
        const NAME: &'static str = "StandinCamera";
        type Type = super::Camera;
        type ParentType = gst::Device;
    }

    impl ObjectImpl for Camera {}
    impl GstObjectImpl for Camera {}
    impl DeviceImpl for Camera {
        fn create_element(&self, name: Option<&str>) -> Result<gst::Element, gst::LoggableError> {
            let mut builder = gst::ElementFactory::make("videotestsrc")
                .property("is-live", true)
                .property("num-buffers", PICTURES);
            if let Some(name) = name {
                builder = builder.name(name);
            }
            builder
                .build()
                .map_err(|error| gst::loggable_error!(gst::CAT_RUST, "{}", error))
        }
    }

    #[derive(Default)]
    pub struct Provider;

    #[glib::object_subclass]
    impl ObjectSubclass for Provider {
        const NAME: &'static str = "StandinProvider";
        type Type = super::Provider;
        type ParentType = gst::DeviceProvider;
    }

    impl ObjectImpl for Provider {}
    impl GstObjectImpl for Provider {}
    impl DeviceProviderImpl for Provider {
        fn metadata() -> Option<&'static gst::subclass::DeviceProviderMetadata> {
            static METADATA: LazyLock<gst::subclass::DeviceProviderMetadata> =
                LazyLock::new(|| {
                    gst::subclass::DeviceProviderMetadata::new(
                        "Stand-in",
                        "Source/Video",
                        "One camera",
                        "Conclave",
                    )
                });
            Some(&METADATA)
        }

        fn start(&self) -> Result<(), gst::LoggableError> {
            // Offers 640×480 fast and 1280×720 too slow, as many webcams do without JPEG.
            let caps = "video/x-raw, format=YUY2, width=640, height=480, framerate=60/1; \
                        video/x-raw, format=YUY2, width=1280, height=720, framerate=5/1";
            let device: super::Camera = glib::Object::builder()
                .property("display-name", "Stand-in Webcam")
                .property("device-class", "Video/Source")
                .property("caps", caps.parse::<gst::Caps>().unwrap())
                .property(
                    "properties",
                    gst::Structure::builder("p")
                        .field("device.path", "/dev/standin0")
                        .build(),
                )
                .build();
            self.obj().device_add(&device);
            Ok(())
        }

        fn stop(&self) {}
    }
}

glib::wrapper! {
    pub struct Camera(ObjectSubclass<standin::Camera>) @extends gst::Device, gst::Object;
}
glib::wrapper! {
    pub struct Provider(ObjectSubclass<standin::Provider>) @extends gst::DeviceProvider, gst::Object;
}

#[test]
fn a_camera_is_listed_opened_shown_and_missed() {
    gst::init().unwrap();
    gst::DeviceProvider::register(
        None,
        "standinprovider",
        gst::Rank::PRIMARY,
        Provider::static_type(),
    )
    .unwrap();

    let listed = cameras();
    let camera = listed
        .iter()
        .find(|camera| camera.id == "/dev/standin0")
        .expect("the camera is listed");
    assert_eq!(camera.name, "Stand-in Webcam");

    let source = CameraSource::Device(camera.id.clone());
    let (mut capture, mut packets) = VideoCapture::start(source, &[Size::Medium]).unwrap();
    let run = run_of(&mut packets, Size::Medium, 20);
    let picture = decode_all(&run).pop().unwrap();
    // 4:3 in 16:9: black at both sides, and the colour bars between.
    let rgb = picture.to_rgb();
    let brightness = |x: usize| {
        rgb[(100 * 640 + x) * 3..][..3]
            .iter()
            .map(|channel| u32::from(*channel))
            .sum::<u32>()
    };
    assert!(brightness(20) < 100 && brightness(620) < 100);
    assert!(brightness(110) > 400);
    // 60 pictures a second are thinned to 30.
    let seconds = (run[19].capture_us - run[0].capture_us) as f64 / 1e6;
    assert!(seconds > 0.5, "20 pictures in {seconds} s");

    next_packet(&mut packets, PATIENCE, |packet| packet.seq >= 25);
    let mut events = capture.take_events().unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    let event = loop {
        match events.try_recv() {
            Ok(event) => break event,
            Err(_) => assert!(std::time::Instant::now() < deadline, "nothing was reported"),
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let CaptureEvent::Failed(error @ VideoError::CameraFailed { .. }) = event else {
        panic!("{event:?}")
    };
    let text = error.to_string();
    assert!(
        text.contains("Stand-in Webcam") && text.contains("connect it again"),
        "{text}"
    );
}
