//! Makes GStreamer elements, and names the Debian package when one is missing.

use gstreamer as gst;
use gstreamer::prelude::*;

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
