//! What to share and who may, as it is written in an order.

use conclave_client::{ScreenSource, ShareMode, ShareRequest, Who};

/// `everyone` or `hosts`.
pub(crate) fn who_named(word: &str) -> Option<Who> {
    match word {
        "everyone" => Some(Who::Everyone),
        "hosts" => Some(Who::Hosts),
        _ => None,
    }
}

/// A source, and perhaps a mode and the word `sound`. A path may have spaces in it: both are taken
/// from the end.
pub(crate) fn what_to_share(text: &str) -> Result<ShareRequest, String> {
    let last = |text: &str| {
        let (rest, word) = text.rsplit_once(char::is_whitespace)?;
        Some((rest.trim().to_owned(), word.to_owned()))
    };
    let (text, sound) = match last(text) {
        Some((rest, word)) if word == "sound" => (rest, true),
        _ => (text.to_owned(), false),
    };
    let named = last(&text).and_then(|(source, mode)| Some((source, ShareMode::named(&mode)?)));
    let (source, mode) = named.unwrap_or((text, ShareMode::default()));
    let source = source
        .parse::<ScreenSource>()
        .map_err(|error| format!("{error}."))?;
    Ok(ShareRequest {
        source,
        mode,
        sound,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_are_named_as_the_flag_has_it() {
        let screen = |id: &str| ScreenSource::Screen(id.into());
        let read = |text: &str| {
            let wish = what_to_share(text)?;
            Ok::<_, String>((wish.source, wish.mode, wish.sound))
        };
        let (text, motion) = (ShareMode::Text, ShareMode::Motion);
        assert_eq!(read("screen"), Ok((screen("screen"), text, false)));
        assert_eq!(read("screen sound"), Ok((screen("screen"), text, true)));
        let window = screen("window:0x200002");
        assert_eq!(
            read("window:0x200002 motion"),
            Ok((window.clone(), motion, false))
        );
        assert_eq!(
            read("window:0x200002  motion sound"),
            Ok((window, motion, true))
        );
        let file = |path: &str| ScreenSource::File(path.into());
        let slides = file("/a b/my slides.png");
        assert_eq!(
            read("file:/a b/my slides.png text"),
            Ok((slides, text, false))
        );
        let film = file("/a/sound film.mkv");
        assert_eq!(read("file:/a/sound film.mkv sound"), Ok((film, text, true)));
        assert!(read("desk").unwrap_err().contains("window:ID"));
        assert!(read("sound").unwrap_err().contains("window:ID"));
        assert_eq!(who_named("hosts"), Some(Who::Hosts));
        assert_eq!(who_named("nobody"), None);
    }
}
