//! Telling who wants to speak, and what became of this person's own turn.

use conclave_meeting::{Snapshot, Speaking};

use super::Driver;
use crate::event::{ClientEvent, HandReport, SpeakingTurn};
use crate::view::{self, WarningLevel};

impl Driver {
    /// Mutes where the turn is over, and says what to do.
    pub(super) async fn tell_speaking(&mut self, speaking: Speaking) {
        let muted = speaking.mutes();
        if muted {
            self.set_muted(true);
        }
        let text = speaking.to_string();
        // What the window shows for as long as it is so needs no sentence to dismiss.
        let lasts = matches!(
            speaking,
            Speaking::Audience | Speaking::LetSpeak | Speaking::Room
        );
        if !lasts {
            self.show(WarningLevel::Notice, text.clone());
        }
        let turn = turn(speaking);
        self.send(ClientEvent::Speaking { turn, text, muted }).await;
    }

    /// Tells whose hands are up, if that is news.
    pub(super) async fn tell_hands(&mut self, snapshot: &Snapshot) {
        let mut raised: Vec<_> = snapshot
            .members
            .iter()
            .filter_map(|member| Some((member.hand?, member)))
            .collect();
        raised.sort_by_key(|(place, _)| *place);
        let hands: Vec<_> = raised
            .into_iter()
            .map(|(_, member)| HandReport {
                device: member.device,
                name: view::name(member),
                is_me: member.is_me,
            })
            .collect();
        if hands != self.last_hands {
            self.last_hands = hands.clone();
            self.send(ClientEvent::Hands(hands)).await;
        }
    }
}

fn turn(speaking: Speaking) -> SpeakingTurn {
    match speaking {
        Speaking::Audience => SpeakingTurn::Audience,
        Speaking::Full => SpeakingTurn::Full,
        Speaking::Lost => SpeakingTurn::Lost,
        Speaking::Ended => SpeakingTurn::Ended,
        Speaking::AskedToMute => SpeakingTurn::AskedToMute,
        Speaking::LetSpeak => SpeakingTurn::LetSpeak,
        Speaking::Room => SpeakingTurn::Room,
    }
}
