//! What to share and who may, as it is written in an order.

use conclave_client::{ScreenSource, ShareMode, Who};

/// `everyone` or `hosts`.
pub(crate) fn who_named(word: &str) -> Option<Who> {
    match word {
        "everyone" => Some(Who::Everyone),
        "hosts" => Some(Who::Hosts),
        _ => None,
    }
}

/// A source, and perhaps a mode. A path may have spaces in it: the mode is taken from the end.
pub(crate) fn source_and_mode(text: &str) -> Result<(ScreenSource, ShareMode), String> {
    let last = text.rsplit_once(char::is_whitespace);
    let named = last.and_then(|(source, mode)| Some((source.trim(), ShareMode::named(mode)?)));
    let (source, mode) = named.unwrap_or((text, ShareMode::default()));
    let source = source
        .parse::<ScreenSource>()
        .map_err(|error| format!("{error}."))?;
    Ok((source, mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_are_named_as_the_flag_has_it() {
        let screen = |id: &str| ScreenSource::Screen(id.into());
        let read = source_and_mode;
        assert_eq!(read("screen"), Ok((screen("screen"), ShareMode::Text)));
        assert_eq!(
            read("window:0x200002 motion"),
            Ok((screen("window:0x200002"), ShareMode::Motion))
        );
        let file = ScreenSource::File("/a b/my slides.png".into());
        assert_eq!(
            read("file:/a b/my slides.png text"),
            Ok((file, ShareMode::Text))
        );
        assert!(read("desk").unwrap_err().contains("window:ID"));
        assert_eq!(who_named("hosts"), Some(Who::Hosts));
        assert_eq!(who_named("nobody"), None);
    }
}
