//! Whom a computer knows: safety numbers that both sides read alike, marks that last from one
//! meeting to the next, a changed key, and an identity that moves and ends.

use std::fs;
use std::path::Path;

use e2e::event::Event;
use e2e::home::Home;
use e2e::person::{Invitation, Person};
use e2e::server::Server;

/// The number that `person` reads for comparing with `other`.
fn number(person: &mut Person, other: &str) -> String {
    person.orders(&format!("safety-number {other}"));
    person.wait_for("a safety number", |event| match event {
        Event::SafetyNumber { name, digits, .. } => {
            assert_eq!(name, other);
            Some(digits.clone())
        }
        _ => None,
    })
}

/// A host who asks, and a guest of the name Ben who waits at the door; gives the guest's mark.
fn knock(server: &Server, ana: &Home, ben: &Home) -> (Person, Person, String) {
    let host = Invitation::host("Ana", &server.argument());
    let mut ana = ana.seat(host).without_media().come();
    let link = ana.link();
    let guest = Invitation::join("Ben", &link);
    let ben = ben.seat(guest).without_media().come();
    let mark = ana.hears_knock("Ben");
    (ana, ben, mark)
}

fn end(mut ana: Person, mut ben: Person) {
    ana.types("end");
    assert_eq!(ben.end().code, Some(0));
    assert_eq!(ana.end().code, Some(0));
}

#[test]
fn what_two_people_compared_holds_in_the_next_meeting_and_for_nobody_else() {
    let server = Server::start();
    let (anas, bens, others) = (Home::new(), Home::new(), Home::new());

    let (mut ana, mut ben, mark) = knock(&server, &anas, &bens);
    assert_eq!(mark, "new");
    ana.orders("admit Ben");
    ana.meets(&["Ana", "Ben"]);
    ben.meets(&["Ana", "Ben"]);
    let digits = number(&mut ana, "Ben");
    assert_eq!(digits.chars().filter(char::is_ascii_digit).count(), 60);
    assert_eq!(number(&mut ben, "Ana"), digits);
    ana.orders("verify Ben on");
    ana.sees("Ben", "as verified", |ben| ben.trust == "verified");
    end(ana, ben);

    let (ana, ben, mark) = knock(&server, &anas, &bens);
    assert_eq!(mark, "verified");
    end_at_the_door(ana, ben);

    // Another key by the same name: let in by hand it is not recorded, accepted it is.
    let (mut ana, mut other, mark) = knock(&server, &anas, &others);
    assert_eq!(mark, "changed");
    ana.orders("admit Ben");
    ana.wait_for("a warning of the changed key", |event| match event {
        Event::Warning { text, level } => {
            (level == "danger" && text.contains("another key")).then_some(())
        }
        _ => None,
    });
    ana.sees("Ben", "as changed", |ben| ben.trust == "changed");
    other.meets(&["Ana", "Ben"]);
    assert_ne!(number(&mut ana, "Ben"), digits);
    end(ana, other);
    assert_eq!(anas.contacts().matches("\"Ben\"").count(), 1);

    let (mut ana, other, mark) = knock(&server, &anas, &others);
    assert_eq!(mark, "changed");
    ana.orders("accept Ben");
    number(&mut ana, "Ben");
    end_at_the_door(ana, other);
    let contacts = anas.contacts();
    assert_eq!(contacts.matches("\"Ben\"").count(), 2, "{contacts}");
    assert_eq!(
        contacts.matches("\"verified\":true").count(),
        1,
        "{contacts}"
    );
}

/// The host ends the meeting while the guest still knocks.
fn end_at_the_door(mut ana: Person, mut ben: Person) {
    ben.vanish();
    ana.types("end");
    assert_eq!(ana.end().code, Some(0));
}

#[test]
fn an_identity_moves_and_ends() {
    let (old, new) = (Home::new(), Home::new());
    let (made, shown) = old.does(&["identity", "show"], &[]);
    assert!(made, "{shown}");
    let file = old.path("export");
    let (secret, wrong) = (old.path("export-passphrase"), old.path("wrong"));
    fs::write(&secret, "staple of the export\n").expect("a folder of our own");
    fs::write(&wrong, "not that of the export\n").expect("a folder of our own");
    let with = Path::new("--export-passphrase-file");
    let (done, said) = old.does(&["identity", "export"], &[&file, with, &secret]);
    assert!(done, "{said}");

    let (done, said) = new.does(&["identity", "import"], &[&file, with, &wrong]);
    assert!(
        !done && said.to_lowercase().contains("passphrase"),
        "{said}"
    );
    let (done, said) = new.does(&["identity", "import"], &[&file, with, &secret]);
    assert!(done, "{said}");
    assert_eq!(new.does(&["identity", "show"], &[]).1, shown);

    // No room for the new one: the old one stays, and there is no part of another.
    let before = new.contacts();
    let line = "trap '' XFSZ; ulimit -f 2; exec \"$@\"";
    let narrow = new.does_by(
        &["sh", "-c", line, "sh"],
        &["identity", "import", "--replace"],
        &[&file, with, &secret],
    );
    assert!(!narrow.0, "{}", narrow.1);
    assert!(narrow.1.contains("contact"), "{}", narrow.1);
    assert!(!new.path("identity.new").exists());
    assert_eq!(new.does(&["identity", "show"], &[]).1, shown);
    assert_eq!(new.contacts(), before);

    assert!(!erase(&old, &[]), "it was not said that it is meant");
    assert!(erase(&old, &[Path::new("--yes")]));
    assert!(!old.path("identity").exists());
    assert_ne!(old.does(&["identity", "show"], &[]).1, shown);
}

/// The one verb that needs no passphrase for its work.
fn erase(home: &Home, more: &[&Path]) -> bool {
    home.does(&["identity", "erase"], more).0
}
