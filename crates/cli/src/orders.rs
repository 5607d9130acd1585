//! What a script, or a person at a terminal, tells a running meeting: one order a line.

use std::convert::Infallible;
use std::str::FromStr;

use clap::ValueEnum;
use conclave_client::{
    CameraSource, CleaningPart, Client, ClientError, DeviceId, MicrophoneSource, OPEN_MICROPHONES,
    Role, SafetyView, Secrecy, ShareRequest, Size, SpeakerSink, Who,
};

use crate::args::Level;
use crate::present::Present;
use crate::sharing;

/// Every order, for who wrote one that is none.
const HELP: &str = "Orders: admit D, refuse D, remove D, lock on|off, waiting-room on|off, \
role D host|co-host|participant, successor D on|off, strict on|off, secrecy standard|high, \
sharing everyone|hosts, share screen|screen:NAME|window:ID|portal|test|file:PATH [text|motion] [sound], \
share stop, \
open-microphones N, hand up|down, let-speak D, lower D, ask-to-mute D, \
new-link [single-use] [expires SECONDS], safety-number D, accept D, verify D on|off|scan, \
stop-scan, mute on|off, \
camera on|off, camera C, watch low|medium|high|off, microphone M, speaker S, \
clean echo|noise|gain on|off, \
tone, end, leave. \
D is a device's id or a name that only one has; C, M and S are as the flags have them.";

/// An order that was understood.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Admit(DeviceId),
    Refuse(DeviceId),
    Remove(DeviceId),
    Lock(bool),
    WaitingRoom(bool),
    Role(DeviceId, Role),
    Successor(DeviceId, bool),
    Strict(bool),
    Secrecy(Secrecy),
    OpenMicrophones(u16),
    Hand(bool),
    LetSpeak(DeviceId),
    Lower(DeviceId),
    AskToMute(DeviceId),
    Sharing(Who),
    Share(ShareRequest),
    StopSharing,
    NewLink {
        single_use: bool,
        valid_s: Option<u32>,
    },
    SafetyNumber(DeviceId),
    Accept(DeviceId),
    Verify(DeviceId, bool),
    Scan(DeviceId),
    StopScan,
    Mute(bool),
    Camera(bool),
    UseCamera(CameraSource),
    Watch(Option<Size>),
    Microphone(MicrophoneSource),
    Speaker(SpeakerSink),
    Clean(CleaningPart, bool),
    Tone,
    End,
    Leave,
}

/// What an order led to.
pub(crate) enum Done {
    Quietly,
    Number(DeviceId, SafetyView),
    /// A code is to be looked for, which takes its time.
    Scan(DeviceId),
    /// To be shared, which may take until the person has answered the system's question.
    Share(ShareRequest),
    /// It was not obeyed; a sentence.
    Not(String),
}

/// Reads and obeys one line.
pub(crate) async fn obey(
    client: &Client,
    present: &Present,
    line: &str,
) -> Result<Done, ClientError> {
    let order = match read(line, present) {
        Ok(order) => order,
        Err(why) => return Ok(Done::Not(why)),
    };
    match order {
        Order::Admit(device) => client.admit(device).await?,
        Order::Refuse(device) => client.refuse(device).await?,
        Order::Remove(device) => client.remove(device).await?,
        Order::Lock(on) => client.set_locked(on).await?,
        Order::WaitingRoom(on) => client.set_waiting_room(on).await?,
        Order::Role(device, role) => client.set_role(device, role).await?,
        Order::Successor(device, on) => client.set_successor(device, on).await?,
        Order::Strict(on) => client.set_strict(on).await?,
        Order::Secrecy(secrecy) => client.set_secrecy(secrecy).await?,
        Order::OpenMicrophones(bound) => client.set_open_microphones(bound).await?,
        Order::Hand(up) => client.raise_hand(up).await?,
        Order::LetSpeak(device) => client.let_speak(device).await?,
        Order::Lower(device) => client.lower_hand(device).await?,
        Order::AskToMute(device) => client.ask_to_mute(device).await?,
        Order::Sharing(who) => client.set_sharing(who).await?,
        Order::Share(wish) => return Ok(Done::Share(wish)),
        Order::StopSharing => client.stop_sharing().await?,
        Order::NewLink {
            single_use,
            valid_s,
        } => client.new_link(single_use, valid_s).await?,
        Order::SafetyNumber(device) => {
            let number = client.safety_number(device).await;
            return unless_refused(number, |number| Done::Number(device, number));
        }
        Order::Accept(device) => client.accept(device).await?,
        Order::Verify(device, on) => client.set_verified(device, on).await?,
        Order::Scan(device) => return Ok(Done::Scan(device)),
        Order::StopScan => client.stop_scan().await?,
        Order::Mute(on) => client.set_muted(on).await?,
        Order::Camera(on) => client.set_camera(on).await?,
        Order::Watch(size) => {
            // A screen is watched whole unless everything is to be small.
            let screens = size.map(|size| match size {
                Size::Low => Size::Low,
                _ => Size::High,
            });
            let (pictures, screens) = (present.pictures(size), present.pictures(screens));
            client.watch(pictures, screens).await?;
        }
        Order::UseCamera(camera) => {
            return unless_refused(client.use_camera(camera).await, |()| Done::Quietly);
        }
        Order::Microphone(microphone) => {
            return unless_refused(client.use_microphone(microphone).await, |()| Done::Quietly);
        }
        Order::Speaker(speaker) => {
            return unless_refused(client.use_speaker(speaker).await, |()| Done::Quietly);
        }
        Order::Clean(part, on) => client.clean(part, on).await?,
        Order::Tone => client.play_tone().await?,
        Order::End => client.end().await?,
        Order::Leave => client.leave().await?,
    }
    Ok(Done::Quietly)
}

/// What could not be had leaves everything as it is, and is told.
fn unless_refused<T>(
    result: Result<T, ClientError>,
    done: impl FnOnce(T) -> Done,
) -> Result<Done, ClientError> {
    match result {
        Ok(had) => Ok(done(had)),
        Err(ClientError::Over) => Err(ClientError::Over),
        Err(error) => Ok(Done::Not(error.to_string())),
    }
}

fn read(line: &str, present: &Present) -> Result<Order, String> {
    let (verb, rest) = match line.trim().split_once(char::is_whitespace) {
        Some((verb, rest)) => (verb, rest.trim()),
        None => (line.trim(), ""),
    };
    // A name may have spaces in it: what follows it is taken from the end.
    let with_last = || rest.rsplit_once(char::is_whitespace).ok_or(HELP);
    Ok(match verb {
        "admit" => Order::Admit(present.find(rest)?),
        "refuse" => Order::Refuse(present.find(rest)?),
        "remove" => Order::Remove(present.find(rest)?),
        "safety-number" => Order::SafetyNumber(present.find(rest)?),
        "accept" => Order::Accept(present.find(rest)?),
        "lock" => Order::Lock(switch(rest)?),
        "waiting-room" => Order::WaitingRoom(switch(rest)?),
        "mute" => Order::Mute(switch(rest)?),
        "camera" if !rest.is_empty() => match switch(rest) {
            Ok(on) => Order::Camera(on),
            Err(_) => Order::UseCamera(source(rest)),
        },
        "watch" => Order::Watch(size_named(rest)?),
        "microphone" if !rest.is_empty() => Order::Microphone(source(rest)),
        "speaker" if !rest.is_empty() => Order::Speaker(source(rest)),
        "tone" => Order::Tone,
        "clean" => {
            let (part, on) = with_last()?;
            let part = CleaningPart::named(part.trim()).ok_or(HELP)?;
            Order::Clean(part, switch(on)?)
        }
        "role" => {
            let (who, role) = with_last()?;
            Order::Role(present.find(who.trim())?, role_named(role)?)
        }
        "successor" => {
            let (who, on) = with_last()?;
            Order::Successor(present.find(who.trim())?, switch(on)?)
        }
        "verify" => {
            let (who, how) = with_last()?;
            let who = present.find(who.trim())?;
            match how {
                "scan" => Order::Scan(who),
                _ => Order::Verify(who, switch(how)?),
            }
        }
        "stop-scan" => Order::StopScan,
        "strict" => Order::Strict(switch(rest)?),
        "secrecy" => Order::Secrecy(secrecy_named(rest)?),
        "open-microphones" => Order::OpenMicrophones(microphones(rest)?),
        "hand" => Order::Hand(hand(rest)?),
        "let-speak" => Order::LetSpeak(present.find(rest)?),
        "lower" => Order::Lower(present.find(rest)?),
        "ask-to-mute" => Order::AskToMute(present.find(rest)?),
        "sharing" => Order::Sharing(sharing::who_named(rest).ok_or(HELP)?),
        "share" if rest == "stop" => Order::StopSharing,
        "share" => Order::Share(sharing::what_to_share(rest)?),
        "new-link" => new_link(rest)?,
        "end" => Order::End,
        "leave" => Order::Leave,
        _ => return Err(HELP.into()),
    })
}

fn switch(word: &str) -> Result<bool, String> {
    match word {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(HELP.into()),
    }
}

fn hand(word: &str) -> Result<bool, String> {
    match word {
        "up" => Ok(true),
        "down" => Ok(false),
        _ => Err("Write hand up, or hand down.".into()),
    }
}

fn microphones(word: &str) -> Result<u16, String> {
    let bound = word.parse().ok();
    bound
        .filter(|bound| OPEN_MICROPHONES.contains(bound))
        .ok_or_else(|| {
            format!(
                "Write open-microphones with a number from {} to {}.",
                OPEN_MICROPHONES.start(),
                OPEN_MICROPHONES.end()
            )
        })
}

fn size_named(word: &str) -> Result<Option<Size>, String> {
    if word == "off" {
        return Ok(None);
    }
    let size = Size::ALL.into_iter().find(|size| size.name() == word);
    size.map(Some).ok_or_else(|| HELP.into())
}

/// As the flag has it: every text names something.
fn source<T: FromStr<Err = Infallible>>(text: &str) -> T {
    match text.parse() {
        Ok(source) => source,
        Err(impossible) => match impossible {},
    }
}

fn role_named(word: &str) -> Result<Role, String> {
    match word {
        "host" => Ok(Role::Host),
        "co-host" => Ok(Role::CoHost),
        "participant" => Ok(Role::Participant),
        _ => Err(HELP.into()),
    }
}

/// As the flag has it.
fn secrecy_named(word: &str) -> Result<Secrecy, String> {
    let level = Level::from_str(word, false);
    level.map(Secrecy::from).map_err(|_| HELP.into())
}

fn new_link(rest: &str) -> Result<Order, String> {
    let mut words = rest.split_whitespace();
    let (mut single_use, mut valid_s) = (false, None);
    while let Some(word) = words.next() {
        match word {
            "single-use" => single_use = true,
            "expires" => {
                let seconds = words.next().and_then(|seconds| seconds.parse().ok());
                valid_s = Some(seconds.ok_or(HELP)?);
            }
            _ => return Err(HELP.into()),
        }
    }
    Ok(Order::NewLink {
        single_use,
        valid_s,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: DeviceId = DeviceId([1; 16]);

    fn present() -> Present {
        Present::at_the_door(&[
            (ANA, "Ana Maria"),
            (DeviceId([2; 16]), "Ben"),
            (DeviceId([3; 16]), "Ben"),
        ])
    }

    #[test]
    fn people_are_meant_by_name_or_id() {
        let present = present();
        assert_eq!(read("admit Ana Maria", &present), Ok(Order::Admit(ANA)));
        assert_eq!(
            read(&format!(" verify {ANA}  on "), &present),
            Ok(Order::Verify(ANA, true))
        );
        assert_eq!(
            read("verify Ana Maria scan", &present),
            Ok(Order::Scan(ANA))
        );
        assert_eq!(
            read("role Ana Maria co-host", &present),
            Ok(Order::Role(ANA, Role::CoHost))
        );
        assert!(read("remove Ben", &present).unwrap_err().contains("id"));
        assert!(read("remove Eve", &present).is_err());
    }

    #[test]
    fn pictures_are_watched_in_a_size_or_not_at_all() {
        let present = present();
        let sizes = [
            ("low", Some(Size::Low)),
            ("high", Some(Size::High)),
            ("off", None),
        ];
        for (word, size) in sizes {
            assert_eq!(
                read(&format!("watch {word}"), &present),
                Ok(Order::Watch(size))
            );
        }
        assert!(read("watch huge", &present).is_err());
    }

    #[test]
    fn links_are_made_as_written() {
        let order = |single_use, valid_s| {
            Ok(Order::NewLink {
                single_use,
                valid_s,
            })
        };
        let present = Present::default();
        assert_eq!(read("new-link", &present), order(false, None));
        assert_eq!(
            read("new-link single-use expires 3600", &present),
            order(true, Some(3600))
        );
        for wrong in [
            "new-link expires",
            "new-link expires soon",
            "new-link twice",
        ] {
            assert!(read(wrong, &present).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules_are_set_as_written() {
        let present = Present::default();
        assert_eq!(read("strict on", &present), Ok(Order::Strict(true)));
        assert_eq!(
            read("secrecy high", &present),
            Ok(Order::Secrecy(Secrecy::High))
        );
        assert!(read("secrecy on", &present).is_err());
    }

    #[test]
    fn hands_and_places_are_ordered_as_written() {
        let present = present();
        let order = |line: &str| read(line, &present);
        assert_eq!(order("hand up"), Ok(Order::Hand(true)));
        assert_eq!(order("hand down"), Ok(Order::Hand(false)));
        assert_eq!(order("let-speak Ana Maria"), Ok(Order::LetSpeak(ANA)));
        assert_eq!(order("lower Ana Maria"), Ok(Order::Lower(ANA)));
        assert_eq!(order("ask-to-mute Ana Maria"), Ok(Order::AskToMute(ANA)));
        assert_eq!(order("open-microphones 2"), Ok(Order::OpenMicrophones(2)));
        for wrong in ["0", "501", "-1", "many", ""] {
            let why = order(&format!("open-microphones {wrong}")).unwrap_err();
            assert!(why.contains("from 1 to 500"), "{wrong}: {why}");
        }
        assert!(order("hand").unwrap_err().contains("hand up"));
        assert!(order("let-speak Eve").is_err());
    }

    #[test]
    fn devices_are_chosen_as_the_flags_have_it() {
        let present = Present::default();
        let order = |line: &str| read(line, &present);
        let usb = MicrophoneSource::Device("pipewire:usb mic".into());
        assert_eq!(
            order("microphone pipewire:usb mic"),
            Ok(Order::Microphone(usb))
        );
        let desk = CameraSource::Device("Desk camera".into());
        assert_eq!(order("camera Desk camera"), Ok(Order::UseCamera(desk)));
        let film = CameraSource::File("/a b/film.mkv".into());
        assert_eq!(
            order("camera file:/a b/film.mkv"),
            Ok(Order::UseCamera(film))
        );
        assert_eq!(order("camera off"), Ok(Order::Camera(false)));
        assert_eq!(order("speaker null"), Ok(Order::Speaker(SpeakerSink::Null)));
        assert_eq!(
            order("clean noise off"),
            Ok(Order::Clean(CleaningPart::Noise, false))
        );
        assert_eq!(order("tone"), Ok(Order::Tone));
        for wrong in [
            "camera",
            "microphone",
            "speaker ",
            "clean noise",
            "clean reverb on",
        ] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_order_is_answered_with_all_of_them() {
        for wrong in [
            "",
            "admit",
            "lock",
            "lock maybe",
            "role",
            "dance",
            "verify Ana Maria by-eye",
        ] {
            assert!(read(wrong, &present()).is_err(), "{wrong}");
        }
        assert_eq!(read("dance", &present()), Err(HELP.into()));
    }
}
