//! What must hold whatever the service does, checked as the keys of each epoch come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use conclave_e2ee::{
    FrameMeta, Leaf, MediaEpoch, Opener, OpeningEpoch, Sealer, SecurityCode, Track,
};
use conclave_meeting::Snapshot;
use conclave_wire::DeviceId;

/// Who a person of the play is.
pub type Who = usize;

/// Words in every name and title, so that one search finds any of them in the clear.
pub const MARK: &[u8] = b"Xylograph";

const META: FrameMeta<'static> = FrameMeta {
    track: "audio",
    group: 0,
    frame: 0,
};

/// What somebody keeps of an epoch that he was in; nothing is ever given up, as by one who
/// records everything.
struct Held {
    epoch: u64,
    device: DeviceId,
    roster: Vec<(Leaf, DeviceId)>,
    code: Option<SecurityCode>,
    keys: OpeningEpoch,
}

#[derive(Default)]
pub struct Auditor {
    /// Whose each pseudonym is.
    owners: BTreeMap<DeviceId, Who>,
    /// The founder, and whom somebody with that role has let in at some time.
    admitted: BTreeSet<Who>,
    keyrings: BTreeMap<Who, Vec<Held>>,
    secrets: Vec<[u8; 32]>,
    /// What was really tried, so that a run in which nothing happened shows.
    pub frames_tried: u64,
    pub frames_opened: u64,
}

impl Auditor {
    pub fn keep_secret(&mut self, secret: [u8; 32]) {
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
    }

    pub fn owns(&mut self, who: Who, device: DeviceId) {
        self.owners.entry(device).or_insert(who);
    }

    pub fn owner(&self, device: DeviceId) -> Option<Who> {
        self.owners.get(&device).copied()
    }

    /// All pseudonyms that somebody has had so far.
    pub fn devices(&self, who: Who) -> BTreeSet<DeviceId> {
        let theirs = self.owners.iter().filter(|(_, owner)| **owner == who);
        theirs.map(|(device, _)| *device).collect()
    }

    pub fn admit(&mut self, who: Who) {
        self.admitted.insert(who);
    }

    /// Nothing that the service sees may hold a name, the title, or the link's secret.
    pub fn bytes(&self, seen: &[u8]) -> Result<(), String> {
        if holds(seen, MARK) {
            return Err("a name or the title went to the service in the clear".into());
        }
        match self.secrets.iter().any(|secret| holds(seen, secret)) {
            true => Err("the link's secret went to the service".into()),
            false => Ok(()),
        }
    }

    /// Somebody begins an epoch.
    pub fn begins(
        &mut self,
        who: Who,
        keys: MediaEpoch,
        snapshot: &Snapshot,
    ) -> Result<(), String> {
        let members = snapshot.members.iter();
        let roster: Vec<_> = members.map(|member| (member.leaf, member.device)).collect();
        self.roster(who, snapshot, &roster)?;
        let MediaEpoch {
            mut sealing,
            opening,
        } = keys;
        let (epoch, leaf) = (sealing.epoch(), sealing.leaf());
        if epoch != snapshot.epoch {
            return Err(format!(
                "{who} was given keys of another epoch than its own"
            ));
        }
        if !roster.contains(&(leaf, snapshot.device)) {
            return Err(format!("{who} is not at its own leaf"));
        }
        let key = sealing.take(Track::AUDIO).ok_or("no key to seal with")?;
        let mut sealer = Sealer::new(Track::AUDIO);
        sealer.install(key).map_err(|error| error.to_string())?;
        let mut frame = Vec::new();
        let said = format!("{who} speaks in epoch {epoch}");
        sealer
            .seal(&META, said.as_bytes(), &mut frame)
            .map_err(|error| error.to_string())?;
        let held = Held {
            epoch,
            device: snapshot.device,
            roster,
            code: snapshot.code.clone(),
            keys: opening,
        };
        self.everybody_tries(who, leaf, &held, &frame, said.as_bytes())?;
        self.keyrings.entry(who).or_default().push(held);
        Ok(())
    }

    fn roster(
        &self,
        who: Who,
        snapshot: &Snapshot,
        roster: &[(Leaf, DeviceId)],
    ) -> Result<(), String> {
        let epoch = snapshot.epoch;
        let devices: BTreeSet<_> = roster.iter().map(|(_, device)| *device).collect();
        if devices.len() != roster.len() {
            return Err(format!("{who} sees a device twice in epoch {epoch}"));
        }
        for device in devices {
            match self.owner(device) {
                None => return Err(format!("{who} sees a ghost in epoch {epoch}")),
                Some(owner) if !self.admitted.contains(&owner) => {
                    return Err(format!(
                        "{who} sees {owner} in epoch {epoch}, whom nobody admitted"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// A frame opens for those who are in the epoch, and for nobody else that ever was in the
    /// meeting; those for whom it opens see the same people and read the same code.
    fn everybody_tries(
        &mut self,
        who: Who,
        leaf: Leaf,
        mine: &Held,
        frame: &[u8],
        said: &[u8],
    ) -> Result<(), String> {
        let (mut tried, mut opened) = (0, 0);
        for (other, ring) in &self.keyrings {
            // Low bits of the epoch are in the key id: keys of other epochs are not even tried.
            for theirs in ring.iter().filter(|held| held.epoch == mine.epoch) {
                tried += 1;
                let opens = opens(&theirs.keys, leaf, frame, said);
                let epoch = mine.epoch;
                if !opens {
                    if theirs.code == mine.code {
                        return Err(format!(
                            "{who} and {other} read one code in epoch {epoch} but have other keys"
                        ));
                    }
                    continue;
                }
                opened += 1;
                let is_in = mine
                    .roster
                    .iter()
                    .any(|(_, device)| *device == theirs.device);
                if !is_in {
                    return Err(format!(
                        "{other} opens what {who} says in epoch {epoch} without being in it"
                    ));
                }
                if theirs.roster != mine.roster {
                    return Err(format!(
                        "{who} and {other} share epoch {epoch} and see other people"
                    ));
                }
                if theirs.code != mine.code {
                    return Err(format!(
                        "{who} and {other} share epoch {epoch} and read other codes"
                    ));
                }
            }
        }
        self.frames_tried += tried;
        self.frames_opened += opened;
        Ok(())
    }
}

fn opens(keys: &OpeningEpoch, leaf: Leaf, frame: &[u8], said: &[u8]) -> bool {
    let now = Instant::now();
    let mut opener = Opener::new(Track::AUDIO, leaf);
    let mut plain = Vec::new();
    opener.install(keys, now).is_ok()
        && opener.open(now, &META, frame, &mut plain).is_ok()
        && plain == said
}

/// Whether `needle` is somewhere in `bytes`.
fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else {
        return false;
    };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = &rest[at..];
        if rest.starts_with(needle) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
