//! Makes GStreamer elements, and names the Debian package when one is missing.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::error::VideoError;

/// Starts GStreamer; later calls cost nothing.
pub(super) fn init() -> Result<(), VideoError> {
    gst::init().map_err(|error| VideoError::Runtime {
        reason: error.to_string(),
    })
}

/// One element of the kind `name`.
pub(super) fn make(name: &str) -> Result<gst::Element, VideoError> {
    gst::ElementFactory::make(name)
        .build()
        .map_err(|_| missing(name))
}

/// One element as its own type, for appsrc and appsink.
pub(super) fn make_as<T: IsA<gst::Element>>(name: &str) -> Result<T, VideoError> {
    make(name)?.downcast::<T>().map_err(|_| missing(name))
}

/// A queue that holds one picture and replaces it: who is slow gets fewer of them, and no old ones.
pub(super) fn latest() -> Result<gst::Element, VideoError> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", 1u32);
    queue.set_property("max-size-bytes", 0u32);
    queue.set_property("max-size-time", 0u64);
    queue.set_property_from_str("leaky", "downstream");
    Ok(queue)
}

/// A way out of a pipeline that gives what comes as it comes.
pub(super) fn exit() -> Result<gst_app::AppSink, VideoError> {
    let sink: gst_app::AppSink = make_as("appsink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    Ok(sink)
}

/// A way into a pipeline, which stamps what comes with its own time and keeps two pictures at most.
pub(super) fn entry() -> Result<gst_app::AppSrc, VideoError> {
    const QUEUED_PICTURES: u64 = 2;
    let entry: gst_app::AppSrc = make_as("appsrc")?;
    entry.set_property("is-live", true);
    entry.set_property("do-timestamp", true);
    entry.set_property("format", gst::Format::Time);
    entry.set_property("max-buffers", QUEUED_PICTURES);
    entry.set_property_from_str("leaky-type", "downstream");
    Ok(entry)
}

/// A capsfilter that lets `caps` through.
pub(super) fn filter(caps: &gst::Caps) -> Result<gst::Element, VideoError> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// Puts `elements` into `bin` and links them in their order.
pub(super) fn chain(
    bin: &impl IsA<gst::Bin>,
    elements: &[&gst::Element],
) -> Result<(), VideoError> {
    bin.add_many(elements).map_err(|error| refused(&error))?;
    gst::Element::link_many(elements).map_err(|error| refused(&error))
}

/// What GStreamer refused while a pipeline was put together.
pub(super) fn refused(error: &dyn std::error::Error) -> VideoError {
    VideoError::Pipeline {
        reason: error.to_string(),
    }
}

/// The bus of a pipeline, which only a half-destroyed one lacks.
pub(super) fn bus_of(pipeline: &gst::Pipeline) -> Result<gst::Bus, VideoError> {
    pipeline.bus().ok_or_else(|| VideoError::Pipeline {
        reason: "the pipeline has no bus".to_owned(),
    })
}

/// Why a pipeline has failed, if it has.
pub(super) fn failure(bus: &gst::Bus) -> Option<String> {
    match bus.pop_filtered(&[gst::MessageType::Error])?.view() {
        gst::MessageView::Error(error) => Some(reason(&error.error())),
        _ => None,
    }
}

/// GStreamer's own words for an error, ready to stand inside a sentence.
pub(super) fn reason(error: &gst::glib::Error) -> String {
    error.message().trim_end_matches('.').to_owned()
}

fn missing(name: &str) -> VideoError {
    VideoError::MissingElement {
        element: name.to_owned(),
        package: package(name),
    }
}

fn package(element: &str) -> &'static str {
    match element {
        "tee" | "queue" | "valve" | "capsfilter" | "filesrc" | "filesink" => "libgstreamer1.0-0",
        "vp9enc" | "vp9dec" | "matroskamux" | "jpegdec" | "v4l2src" => "gstreamer1.0-plugins-good",
        "pipewiresrc" => "gstreamer1.0-pipewire",
        _ => "gstreamer1.0-plugins-base",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_element_is_named_with_its_package() {
        init().unwrap();
        let error = make("nosuchelement").unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("“nosuchelement”") && text.contains("gstreamer1.0-plugins-base"),
            "{text}"
        );
        assert_eq!(package("vp9enc"), "gstreamer1.0-plugins-good");
    }
}
