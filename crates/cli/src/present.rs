//! Who is here, so that orders can mean people by their names.

use std::collections::{BTreeMap, HashMap};

use conclave_client::{ClientEvent, DeviceId, Size};

/// Who can be meant by a name: who is in the room or at the door now.
#[derive(Default)]
pub(crate) struct Present {
    room: BTreeMap<DeviceId, String>,
    door: BTreeMap<DeviceId, String>,
}

impl Present {
    /// Takes in who comes and goes.
    pub(crate) fn note(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Knock { device, name, .. } => {
                self.door.insert(*device, name.clone());
            }
            ClientEvent::KnockGone { device } => {
                self.door.remove(device);
            }
            ClientEvent::Roster { members, .. } => {
                let others = members.iter().filter(|member| !member.is_me);
                self.room = others
                    .map(|member| (member.device, member.name.clone()))
                    .collect();
                self.door
                    .retain(|device, _| !self.room.contains_key(device));
            }
            _ => {}
        }
    }

    /// Everybody's picture in one size.
    pub(crate) fn pictures(&self, size: Option<Size>) -> HashMap<DeviceId, Size> {
        let everybody = self.room.keys().map(|device| (*device, size));
        everybody
            .filter_map(|(device, size)| Some((device, size?)))
            .collect()
    }

    /// The name of somebody who is here; empty until it is known.
    pub(crate) fn name(&self, device: DeviceId) -> &str {
        let mut all = self.room.iter().chain(&self.door);
        let found = all.find(|(known, _)| **known == device);
        found.map_or("", |(_, name)| name.as_str())
    }

    /// Who is meant by an id or a name; a sentence if that is nobody, or more than one.
    pub(crate) fn find(&self, text: &str) -> Result<DeviceId, String> {
        if let Ok(device) = text.parse() {
            return Ok(device);
        }
        let all = self.room.iter().chain(&self.door);
        let mut named = all.filter(|(_, name)| name.as_str() == text);
        match (named.next(), named.next()) {
            (Some((device, _)), None) => Ok(*device),
            (Some(_), Some(_)) => Err(format!("More than one is called {text}; write the id.")),
            (None, _) => Err(format!(
                "Nobody here is called {text}. Who waits at the door is shown to hosts and co-hosts only."
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_client::{MemberReport, ViewRole, ViewTrust};

    use super::*;

    impl Present {
        /// People who knock.
        pub(crate) fn at_the_door(people: &[(DeviceId, &str)]) -> Self {
            let knocking = people.iter();
            Self {
                door: knocking
                    .map(|(who, name)| (*who, (*name).to_owned()))
                    .collect(),
                room: BTreeMap::new(),
            }
        }
    }

    #[test]
    fn who_has_left_is_not_meant() {
        let member = |device| MemberReport {
            device,
            name: "Ben".into(),
            role: ViewRole::Participant,
            is_me: false,
            trust: ViewTrust::New,
            silent: false,
        };
        let roster = |members| ClientEvent::Roster { epoch: 1, members };
        let (first, second) = (DeviceId([4; 16]), DeviceId([5; 16]));
        let mut present = Present::default();
        present.note(&roster(vec![member(first)]));
        present.note(&roster(vec![member(second)]));
        assert_eq!(present.find("Ben"), Ok(second));
        assert_eq!(present.name(second), "Ben");
    }

    #[test]
    fn pictures_of_all_in_the_room_are_watched_in_one_size() {
        let (ana, ben) = (DeviceId([1; 16]), DeviceId([2; 16]));
        let knocking = Present::at_the_door(&[(ana, "Ana"), (ben, "Ben")]);
        assert!(knocking.pictures(Some(Size::Low)).is_empty());
        let present = Present {
            room: knocking.door,
            door: BTreeMap::new(),
        };
        let all = HashMap::from([(ana, Size::High), (ben, Size::High)]);
        assert_eq!(present.pictures(Some(Size::High)), all);
        assert!(present.pictures(None).is_empty());
    }
}
