//! A meeting of any size that is cheap to make: a host and one guest who follow
//! everything. All others are in the tree, and only there.

use conclave_e2ee::{
    Candidate, CommitBundle, Group, Leaf, LinkSecret, Processed, Pseudonym, VerifiedKeyPackage,
};

use crate::timer::Rounds;

/// Where the time of a change goes.
#[derive(Debug, Default)]
pub struct Times {
    /// The host makes the commit.
    pub make: Rounds,
    /// The host merges it.
    pub merge_own: Rounds,
    /// The guest opens, checks and stages it.
    pub process: Rounds,
    /// The guest merges it.
    pub merge: Rounds,
}

impl Times {
    /// All that the host does.
    pub fn lead(&self) -> Rounds {
        self.make.plus(&self.merge_own)
    }

    /// All that everybody else does.
    pub fn follow(&self) -> Rounds {
        self.process.plus(&self.merge)
    }
}

/// What growing cost.
#[derive(Debug, Default)]
pub struct Growth {
    /// A newcomer makes its keys and KeyPackage. One round for each.
    pub candidate: Rounds,
    /// The host checks the KeyPackage. One round for each.
    pub check: Rounds,
    /// The host adds a batch, and the guest follows. One round for each batch.
    pub add: Times,
    /// A newcomer joins. One round for each batch.
    pub join: Rounds,
    /// The first newcomer of a batch renews the tree, and the others follow.
    pub heal: Times,
    /// The host and the guest follow the newcomer's commit.
    pub heal_host: Rounds,
    /// Lengths of what a batch put on the wire.
    pub wire: Vec<Wire>,
}

/// Lengths in bytes, for one batch.
#[derive(Debug, Clone, Copy)]
pub struct Wire {
    pub newcomers: usize,
    pub members_before: usize,
    pub commit: usize,
    pub welcome: usize,
    pub tree: usize,
    pub heal: usize,
}

/// The host, the guest, and the tree around them.
pub struct Meeting {
    pub host: Group,
    pub guest: Group,
    link: LinkSecret,
    next: u128,
    pub growth: Growth,
}

impl Meeting {
    /// Two people.
    pub fn new() -> Self {
        let link = LinkSecret::generate().unwrap();
        let mut host = Group::create(Pseudonym(1_u128.to_be_bytes()), &link, b"policy").unwrap();
        let candidate = Candidate::new(Pseudonym(2_u128.to_be_bytes()), &link).unwrap();
        let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
        let bundle = host.add(&[package]).unwrap();
        host.merge_pending().unwrap();
        let guest = join(candidate, &bundle);
        Self {
            host,
            guest,
            link,
            next: 3,
            growth: Growth::default(),
        }
    }

    /// Lets people in by batches until there are `members`. With `heal`, the
    /// first of each batch renews its path, as in a real meeting.
    pub fn grow(&mut self, members: usize, batch: usize, heal: bool) {
        while self.len() < members {
            let newcomers = batch.min(members - self.len());
            self.admit(newcomers, heal);
        }
    }

    pub fn len(&self) -> usize {
        self.host.members().len()
    }

    fn admit(&mut self, newcomers: usize, heal: bool) {
        let members_before = self.len();
        let mut candidates: Vec<_> = (0..newcomers).map(|_| self.candidate()).collect();
        let packages: Vec<_> = candidates
            .iter()
            .map(|candidate| {
                let package = || VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
                self.growth.check.time(package)
            })
            .collect();
        let mut times = std::mem::take(&mut self.growth.add);
        let bundle = self.lead(&mut times, |host| host.add(&packages).unwrap());
        self.growth.add = times;
        let first = candidates.swap_remove(0);
        let mut first = self.growth.join.time(|| join(first, &bundle));
        let healing = heal.then(|| self.heal(&mut first));
        self.growth.wire.push(Wire {
            newcomers,
            members_before,
            commit: bundle.commit.len(),
            welcome: bundle.welcome.map_or(0, |welcome| welcome.len()),
            tree: bundle.tree.map_or(0, |tree| tree.len()),
            heal: healing.unwrap_or(0),
        });
    }

    /// Returns the length of the commit.
    fn heal(&mut self, newcomer: &mut Group) -> usize {
        let Growth {
            heal, heal_host, ..
        } = &mut self.growth;
        let bundle = heal.make.time(|| newcomer.rekey().unwrap());
        heal.merge_own.time(|| newcomer.merge_pending().unwrap());
        heal_host.time(|| follow(&mut self.host, &bundle.commit));
        let staged = heal.process.time(|| stage(&mut self.guest, &bundle.commit));
        heal.merge.time(|| self.guest.merge(staged).unwrap());
        bundle.commit.len()
    }

    /// Someone new who knocks.
    pub fn candidate(&mut self) -> Candidate {
        let pseudonym = Pseudonym(self.next.to_be_bytes());
        self.next += 1;
        let link = &self.link;
        let make = || Candidate::new(pseudonym, link).unwrap();
        self.growth.candidate.time(make)
    }

    /// The host commits, and the guest follows.
    pub fn lead(
        &mut self,
        times: &mut Times,
        change: impl FnOnce(&mut Group) -> CommitBundle,
    ) -> CommitBundle {
        let bundle = times.make.time(|| change(&mut self.host));
        times.merge_own.time(|| self.host.merge_pending().unwrap());
        let staged = times
            .process
            .time(|| stage(&mut self.guest, &bundle.commit));
        times.merge.time(|| self.guest.merge(staged).unwrap());
        bundle
    }

    /// The leaf of whoever came last.
    pub fn last_leaf(&self) -> Leaf {
        self.host.members().last().unwrap().leaf
    }
}

/// Becomes a member.
pub fn join(candidate: Candidate, bundle: &CommitBundle) -> Group {
    let welcome = bundle.welcome.as_ref().unwrap();
    candidate
        .join(welcome, bundle.tree.as_ref().unwrap())
        .unwrap()
}

/// Opens, checks and stages a commit.
pub fn stage(member: &mut Group, commit: &[u8]) -> conclave_e2ee::Staged {
    match member.process(commit).unwrap() {
        Processed::Commit(staged) => staged,
        _ => panic!("not a commit"),
    }
}

fn follow(member: &mut Group, commit: &[u8]) {
    let staged = stage(member, commit);
    member.merge(staged).unwrap();
}
