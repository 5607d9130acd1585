//! Telling what happens, to a person or to a script.

use std::io::Write;

use conclave_client::{
    ClientEvent, DeviceId, HandReport, MemberReport, PolicyView, SafetyView, ScanOutcome,
    SenderReport, TrackReport, ViewTrust, WarningLevel,
};
use serde_json::{Value, json};

/// Writes one event. An error means that nobody reads any more.
pub(crate) fn tell(event: &ClientEvent, as_json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        if let Some(value) = to_json(event) {
            writeln!(out, "{value}")?;
        }
    } else if let Some(line) = to_text(event) {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Writes the number to compare with somebody.
pub(crate) fn tell_number(
    device: DeviceId,
    number: &SafetyView,
    as_json: bool,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match as_json {
        true => {
            let value = json!({
                "event": "safety_number",
                "device": device.to_string(),
                "name": number.name,
                "digits": number.digits,
                "qr": number.qr_text,
                "trust": number.trust,
            });
            writeln!(out, "{value}")?;
        }
        false => writeln!(
            out,
            "Safety number with {}:\n{}\n{}",
            number.name, number.digits, number.qr_text
        )?,
    }
    out.flush()
}

/// Writes what came of looking for somebody's code.
pub(crate) fn tell_scan(
    device: DeviceId,
    name: &str,
    outcome: ScanOutcome,
    as_json: bool,
) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let text = outcome.in_words(name);
    match as_json {
        true => {
            let value = json!({
                "event": "scan",
                "device": device.to_string(),
                "name": name,
                "outcome": outcome,
                "text": text,
            });
            writeln!(out, "{value}")?;
        }
        false => writeln!(out, "{text}")?,
    }
    out.flush()
}

/// Writes why an order was not obeyed.
pub(crate) fn tell_refusal(order: &str, why: &str, as_json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match as_json {
        true => {
            let value = json!({"event": "order_refused", "order": order, "reason": why});
            writeln!(out, "{value}")?;
        }
        false => writeln!(out, "{why}")?,
    }
    out.flush()
}

fn to_json(event: &ClientEvent) -> Option<Value> {
    Some(match event {
        ClientEvent::Link(link) => json!({"event": "link", "link": link}),
        ClientEvent::Waiting { title, host } => {
            json!({"event": "waiting", "title": title, "host": host})
        }
        ClientEvent::Knock {
            device,
            name,
            trust,
            known_as,
        } => json!({
            "event": "knock",
            "device": device.to_string(),
            "name": name,
            "trust": trust,
            "known_as": known_as,
        }),
        ClientEvent::KnockGone { device } => {
            json!({"event": "knock_gone", "device": device.to_string()})
        }
        ClientEvent::Admitted { device, name } => {
            json!({"event": "admitted", "device": device.to_string(), "name": name})
        }
        ClientEvent::Roster { epoch, members } => {
            let members: Vec<_> = members.iter().map(member_json).collect();
            json!({"event": "roster", "epoch": epoch, "members": members})
        }
        ClientEvent::Code {
            epoch,
            digits,
            reason,
        } => {
            json!({"event": "code", "epoch": epoch, "digits": digits, "reason": reason})
        }
        ClientEvent::Media { senders, holes } => {
            let senders: Vec<_> = senders.iter().map(sender_json).collect();
            let holes = json!({
                "microphone": holes.microphone,
                "speaker": holes.speaker,
                "unmixed_ms": holes.unmixed_us as f64 / 1000.0,
            });
            json!({"event": "media", "senders": senders, "holes": holes})
        }
        ClientEvent::Share {
            device,
            name,
            is_me,
            on,
        } => json!({
            "event": "share",
            "device": device.to_string(),
            "name": name,
            "me": is_me,
            "on": on,
        }),
        ClientEvent::Rules(rules) => json!({"event": "rules", "rules": rules}),
        ClientEvent::Hands(hands) => {
            let hands: Vec<_> = hands.iter().map(hand_json).collect();
            json!({"event": "hands", "hands": hands})
        }
        ClientEvent::Speaking { turn, text, muted } => {
            json!({"event": "speaking", "turn": turn, "text": text, "muted": muted})
        }
        ClientEvent::Devices {
            camera,
            microphone,
            speaker,
        } => json!({
            "event": "devices",
            "camera": camera,
            "microphone": microphone,
            "speaker": speaker,
        }),
        ClientEvent::Warning { text, level } => {
            json!({"event": "warning", "text": text, "level": level})
        }
        ClientEvent::Recovered { ms } => json!({"event": "recovered", "ms": ms}),
        ClientEvent::Left { reason, failed } => {
            json!({"event": "left", "reason": reason, "failed": failed})
        }
    })
}

fn member_json(member: &MemberReport) -> Value {
    json!({
        "device": member.device.to_string(),
        "name": member.name,
        "role": member.role,
        "me": member.is_me,
        "trust": member.trust,
        "silent": member.silent,
    })
}

fn hand_json(hand: &HandReport) -> Value {
    json!({"device": hand.device.to_string(), "name": hand.name, "me": hand.is_me})
}

fn sender_json(sender: &SenderReport) -> Value {
    json!({
        "device": sender.device.to_string(),
        "name": sender.name,
        "audio": track_json(&sender.audio),
        "video": track_json(&sender.video),
        "picture": sender.picture.map(conclave_client::Size::name),
        "screen": track_json(&sender.screen),
        "screen_picture": sender
            .screen_picture
            .map(|(width, height)| json!({"width": width, "height": height})),
        "screen_audio": track_json(&sender.screen_audio),
    })
}

fn track_json(track: &TrackReport) -> Value {
    let latency = match (track.latency_p50_ms, track.latency_p95_ms) {
        (Some(p50), Some(p95)) => json!({"p50": p50, "p95": p95}),
        _ => Value::Null,
    };
    json!({
        "received": track.received,
        "opened": track.opened,
        "failed": track.failed,
        "missed": track.missed,
        "played": track.played,
        "verified": track.verified,
        "unverified": track.unverified,
        "forged": track.forged,
        "bytes": track.bytes,
        "concealed_ms": track.concealed_ms,
        "bitrate_bps": track.bitrate_bps,
        "latency_ms": latency,
    })
}

fn to_text(event: &ClientEvent) -> Option<String> {
    Some(match event {
        ClientEvent::Link(link) => format!("Hand on this link:\n{link}"),
        ClientEvent::Waiting { title, host } => {
            format!("\"{title}\": waiting until {host} lets you in.")
        }
        ClientEvent::Knock {
            name,
            trust,
            known_as,
            ..
        } => {
            let mark = trust_in_words(*trust, known_as.as_deref());
            format!("{name} ({mark}) asks to be let in. (y or n)")
        }
        ClientEvent::KnockGone { .. } => return None,
        ClientEvent::Rules(rules) => rules_in_words(rules)?,
        ClientEvent::Admitted { name, .. } => format!("{name} is in."),
        ClientEvent::Roster { members, .. } => {
            let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
            format!("Here: {}", names.join(", "))
        }
        ClientEvent::Code { digits, reason, .. } => format!("Security code: {digits}. {reason}"),
        ClientEvent::Share {
            name, is_me, on, ..
        } => match (is_me, on) {
            (true, true) => "You are sharing a screen.".into(),
            (true, false) => "You are not sharing a screen any more.".into(),
            (false, true) => format!("{name} shares a screen."),
            (false, false) => format!("{name} does not share a screen any more."),
        },
        ClientEvent::Media { .. } => return None,
        ClientEvent::Hands(hands) => hands_in_words(hands),
        ClientEvent::Speaking { text, .. } => format!("Note: {text}"),
        ClientEvent::Devices {
            camera,
            microphone,
            speaker,
        } => format!(
            "Camera: {}. Microphone: {}. Loudspeaker: {}.",
            if camera.name.is_empty() {
                "off"
            } else {
                &camera.name
            },
            microphone.name,
            speaker.name
        ),
        ClientEvent::Warning { text, level } => match level {
            WarningLevel::Notice => format!("Note: {text}"),
            WarningLevel::Danger => format!("WARNING: {text}"),
        },
        ClientEvent::Recovered { ms } => format!("Back after {ms} ms."),
        ClientEvent::Left {
            reason,
            failed: false,
        } => reason.clone(),
        // Goes to standard error.
        ClientEvent::Left { failed: true, .. } => return None,
    })
}

fn hands_in_words(hands: &[HandReport]) -> String {
    let name = |hand: &HandReport| match hand.is_me {
        true => "you".to_owned(),
        false => hand.name.clone(),
    };
    let names: Vec<_> = hands.iter().map(name).collect();
    match names.as_slice() {
        [] => "All hands are down.".into(),
        names => format!("Raised hands, the first first: {}.", names.join(", ")),
    }
}

/// Rules that most meetings do not have; nothing where there are none.
fn rules_in_words(rules: &PolicyView) -> Option<String> {
    let switches = [
        (rules.locked, "locked"),
        (!rules.waiting_room, "no waiting room"),
        (rules.high_secrecy, "high secrecy"),
        (rules.strict, "strict"),
        (rules.hosts_share, "only hosts share screens"),
    ];
    let mut words: Vec<_> = switches
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, word)| (*word).to_owned())
        .collect();
    if rules.open_microphones != PolicyView::default().open_microphones {
        words.push(format!(
            "at most {} open microphones",
            rules.open_microphones
        ));
    }
    (!words.is_empty()).then(|| format!("Rules of the meeting: {}.", words.join(", ")))
}

fn trust_in_words(trust: ViewTrust, known_as: Option<&str>) -> String {
    let known_as = known_as.map_or_else(String::new, |name| format!(" as {name}"));
    match trust {
        ViewTrust::Me => "you".into(),
        ViewTrust::New => "never met".into(),
        ViewTrust::Known => format!("met before{known_as}"),
        ViewTrust::Verified => format!("verified{known_as}"),
        ViewTrust::Changed => "NOT the device that you know by this name".into(),
    }
}
