//! Invite links, as people paste them.

use bolero::check;
use conclave_e2ee::LinkSecret;
use conclave_meeting::InviteLink;
use conclave_wire::MeetingId;
use fuzz::Feed;

fn real() -> Vec<Vec<u8>> {
    let link = |host: &str, port, pinned: bool| InviteLink {
        host: host.into(),
        port,
        meeting: MeetingId([1; 16]),
        secret: LinkSecret::from_bytes([2; 32]),
        host_key: [3; 16],
        certificate: pinned.then_some([4; 32]),
    };
    let links = [
        link("meet.example.org", 443, false),
        link("127.0.0.1", 4443, true),
        link("::1", 4443, true),
    ];
    links.map(|link| link.expose().into_bytes()).to_vec()
}

/// A link that is read is written, and read again as the same; it shows in no log.
#[test]
fn invite_links() {
    let real = real();
    check!(name = "invite_links")
        .with_iterations(60_000)
        .with_max_len(1200)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&real);
            let text = String::from_utf8_lossy(&bytes);
            let Ok(link) = text.parse::<InviteLink>() else {
                return;
            };
            assert_eq!(format!("{link:?}"), "InviteLink(redacted)");
            let written = link.expose();
            let again: InviteLink = written.parse().unwrap();
            assert_eq!(again.expose(), written);
            assert_eq!((again.host, again.port), (link.host, link.port));
        });
}

#[test]
fn the_corpus_is_real() {
    fuzz::corpus::holds("invite_links", &real());
}
