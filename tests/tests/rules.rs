//! Who may do what: roles, the door, links that end, and a meeting whose host goes.

use e2e::event::Event;
use e2e::person::{Ending, Invitation, Person};
use e2e::server::Server;

/// Long after a host's last sign of life a successor takes his place: 30 seconds, and the time
/// that a busy machine adds.
const SUCCESSION: std::time::Duration = std::time::Duration::from_secs(75);

fn host(name: &str, server: &Server) -> Invitation {
    Invitation::host(name, &server.argument())
        .without_media()
        .with(["--commands"])
}

fn guest(name: &str, link: &str) -> Invitation {
    Invitation::join(name, link)
        .without_media()
        .with(["--commands"])
}

/// Knocks, is let in by `keeper`, and meets `room`.
fn is_let_in(keeper: &mut Person, name: &str, link: &str, room: &[&str]) -> Person {
    let mut guest = guest(name, link).come();
    keeper.hears_knock(name);
    keeper.orders(&format!("admit {name}"));
    guest.meets(room);
    keeper.meets(room);
    guest
}

/// Somebody whom the door does not let in, and what the program said last.
fn is_turned_away(name: &str, link: &str) -> Ending {
    guest(name, link).fail()
}

/// What is left of an order for a new link: the link.
fn renewed(host: &mut Person, order: &str) -> String {
    host.orders(order);
    host.link()
}

#[test]
fn roles_decide_who_opens_the_door() {
    let server = Server::start();
    let mut ana = host("Ana", &server).come();
    let link = ana.link();
    let mut ben = is_let_in(&mut ana, "Ben", &link, &["Ana", "Ben"]);

    // A participant keeps nothing: no door, no members, no rules; and says so each time.
    let mut cleo = guest("Cleo", &link).come();
    ana.hears_knock("Cleo");
    ben.orders("admit Cleo");
    ben.is_told_no(&["cleo", "door", "hosts"]);
    for order in [
        "remove Ana",
        "lock on",
        "lock on",
        "waiting-room off",
        "new-link",
        "end",
    ] {
        ben.orders(order);
        ben.is_told_no(&["role", "not allow"]);
    }

    // A co-host does; who waited before he became one still waits for the host.
    ana.orders("role Ben co-host");
    ben.sees("Ben", "as co-host", |ben| ben.role == "coHost");
    ben.orders("remove Ana");
    ben.is_told_no(&["role", "not allow"]);
    ana.orders("admit Cleo");
    for person in [&mut ana, &mut ben, &mut cleo] {
        person.meets(&["Ana", "Ben", "Cleo"]);
    }
    let mut dan = guest("Dan", &link).come();
    ben.hears_knock("Dan");
    ben.orders("admit Dan");
    let all = ["Ana", "Ben", "Cleo", "Dan"];
    for person in [&mut ana, &mut ben, &mut cleo, &mut dan] {
        person.meets(&all);
    }
    ana.look_up();
    ben.orders("remove Dan");
    dan.end().is_a_sentence_with(&["removed you"]);
    ana.meets(&["Ana", "Ben", "Cleo"]);

    // Locked: the door says so. Unlocked and without a waiting room: nobody is asked.
    ben.orders("lock on");
    ana.has_rules("a locked meeting", |rules| rules.locked);
    is_turned_away("Eve", &link).is_a_sentence_with(&["locked", "ana"]);
    ben.orders("lock off");
    ana.has_rules("an open meeting", |rules| !rules.locked);
    ana.orders("waiting-room off");
    ben.has_rules("no waiting room", |rules| !rules.waiting_room);
    let mut fay = guest("Fay", &link).come();
    for person in [&mut ana, &mut ben, &mut cleo, &mut fay] {
        person.meets(&["Ana", "Ben", "Cleo", "Fay"]);
    }
}

#[test]
fn a_link_ends_when_it_is_renewed_used_up_or_over_its_time() {
    const TITLE: &str = "Ballot of the beekeepers";
    let server = Server::start();
    let ana = host("Ana Quackenbush", &server).with(["--title", TITLE]);
    let mut ana = ana.come();
    let first = ana.link();
    let two = ["Ana Quackenbush", "Ben Zwingli"];
    let _ben = is_let_in(&mut ana, "Ben Zwingli", &first, &two);

    // Who has the link may knock, and sees what the door shows: no roster, no member, no code.
    let mut thief = guest("Mallory", &first).come();
    thief.waits();
    ana.hears_knock("Mallory");
    let second = renewed(&mut ana, "new-link");
    assert_ne!(second, first);
    thief.end().is_a_sentence_with(&["not let in", "link"]);
    let seen = thief.said();
    for secret in ["Ben Zwingli", "roster", "\"code\""] {
        assert!(!seen.contains(secret), "{secret} is shown outside: {seen}");
    }

    let dead = |link: &str| {
        let mut late = guest("Mallory", link).come();
        late.end()
            .is_a_sentence_with(&["link", "revoked", "used up", "over its time"]);
        let seen = late.said();
        for secret in [TITLE, "Quackenbush", "Zwingli"] {
            assert!(!seen.contains(secret), "a dead link shows {secret}: {seen}");
        }
    };
    dead(&first);

    let single = renewed(&mut ana, "new-link single-use");
    dead(&second);
    let three = ["Ana Quackenbush", "Ben Zwingli", "Cleo"];
    let mut cleo = is_let_in(&mut ana, "Cleo", &single, &three);
    dead(&single);

    let timed = renewed(&mut ana, "new-link expires 2");
    ana.wait_for("the link after the timed one", |event| match event {
        Event::Link { link } => (*link != timed).then_some(()),
        _ => None,
    });
    dead(&timed);
    cleo.leave();
}

#[test]
fn a_host_may_name_somebody_and_go_at_once() {
    let server = Server::start();
    for order in ["successor Ben on", "role Ben co-host", "role Ben host"] {
        let mut ana = host("Ana", &server).with(["--admit", "all"]).come();
        let mut ben = guest("Ben", &ana.link()).come();
        ben.meets(&["Ana", "Ben"]);
        ana.meets(&["Ana", "Ben"]);
        ana.types(order);
        ana.types("leave");
        assert_eq!(ana.end().code, Some(0), "{order}");
        ben.meets(&["Ben"]);
        ben.sees("Ben", "as host", |ben| ben.role == "host");
        ben.leave();
    }
}

#[test]
fn strictness_and_secrecy_change_while_the_meeting_goes_on() {
    let server = Server::start();
    let mut ana = host("Ana", &server).with(["--admit", "all"]).come();
    let mut ben = guest("Ben", &ana.link()).come();
    ben.meets(&["Ana", "Ben"]);
    for order in ["strict on", "secrecy high"] {
        ben.orders(order);
        ben.is_told_no(&["role", "not allow"]);
    }
    ben.look_up();
    ana.orders("strict on");
    ben.has_rules("strictness", |rules| rules.strict && !rules.high_secrecy);
    ana.orders("secrecy high");
    ben.has_rules("high secrecy", |rules| rules.strict && rules.high_secrecy);
    ben.look_up();
    ana.orders("secrecy standard");
    ana.types("strict off");
    ben.has_rules("the usual rules", |rules| {
        !rules.strict && !rules.high_secrecy
    });
}

#[test]
fn a_meeting_outlives_its_hosts_until_one_ends_it() {
    let server = Server::start();
    let mut ana = host("Ana", &server).with(["--admit", "all"]).come();
    let link = ana.link();
    let mut ben = guest("Ben", &link).come();
    ben.meets(&["Ana", "Ben"]);
    let mut cleo = guest("Cleo", &link).come();
    for person in [&mut ana, &mut ben, &mut cleo] {
        person.meets(&["Ana", "Ben", "Cleo"]);
    }

    // Ana goes and hands over; her link still leads to the meeting.
    ana.orders("successor Ben on");
    ana.has_rules("a named successor", |_| true);
    ben.look_up();
    cleo.look_up();
    ana.leave();
    for person in [&mut ben, &mut cleo] {
        person.meets(&["Ben", "Cleo"]);
        person.sees("Ben", "as host", |ben| ben.role == "host");
    }
    let mut dan = guest("Dan", &link).come();
    for person in [&mut ben, &mut cleo, &mut dan] {
        person.meets(&["Ben", "Cleo", "Dan"]);
    }

    // Ben vanishes; Cleo, whom he had named, follows him by herself. What he says last comes after
    // his warrant for her, without which the link would end with him.
    ben.orders("successor Cleo on");
    ben.has_rules("a named successor", |_| true);
    ben.orders("lock on");
    cleo.has_rules("a locked door", |rules| rules.locked);
    cleo.look_up();
    ben.orders("lock off");
    cleo.has_rules("an open door", |rules| !rules.locked);
    cleo.look_up();
    dan.look_up();
    ben.vanish();
    for person in [&mut cleo, &mut dan] {
        person.wait_within(SUCCESSION, "Cleo as host", |event| match event {
            Event::Roster { members, .. } => members
                .iter()
                .any(|member| member.name == "Cleo" && member.role == "host")
                .then_some(()),
            _ => None,
        });
    }
    cleo.look_up();
    cleo.orders("remove Ben");
    cleo.meets(&["Cleo", "Dan"]);
    let mut eve = guest("Eve", &link).come();
    for person in [&mut cleo, &mut dan, &mut eve] {
        person.meets(&["Cleo", "Dan", "Eve"]);
    }

    cleo.types("end");
    for person in [&mut cleo, &mut dan, &mut eve] {
        let reason = person.wait_for("the end", |event| match event {
            Event::Left { reason } => Some(reason.clone()),
            _ => None,
        });
        assert_eq!(person.end().code, Some(0), "{reason}");
    }
}
