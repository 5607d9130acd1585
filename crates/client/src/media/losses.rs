//! What is lost of everybody's sound: told to each sender, and heard from each receiver.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use conclave_media::audio::{Loss, LossCounts, LossMeter};
use conclave_media::clock::now_us;
use conclave_wire::DeviceId;

use super::plane::MediaPlane;
use super::tracks::Sound;

/// A report is forgotten after this time. Those that hold are renewed every 4 s.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// What is lost on the way from each member, and to each by their word.
///
/// Somebody who lies about his loss can only make this device repeat more, in packets of the larger
/// size, which costs the others some quality of sound and delay, as a bad link of his would.
#[derive(Default)]
pub(super) struct Losses {
    meters: HashMap<DeviceId, LossMeter>,
    reports: HashMap<DeviceId, (Instant, Loss)>,
    heeded: Loss,
}

impl Losses {
    /// What a sender is to be told now, if anything.
    ///
    /// `overflows`: the link bears less than comes, and loses for that.
    fn measure(
        &mut self,
        now_us: u64,
        device: DeviceId,
        counts: LossCounts,
        overflows: bool,
    ) -> Option<Loss> {
        let meter = self.meters.entry(device).or_default();
        if overflows {
            meter.leave_out();
        }
        meter.read(now_us, counts)
    }

    fn hear(&mut self, now: Instant, device: DeviceId, loss: Loss) {
        self.reports.insert(device, (now, loss));
    }

    /// Of who has left.
    pub(super) fn forget(&mut self, device: DeviceId) {
        self.meters.remove(&device);
        self.reports.remove(&device);
    }

    /// The worst that any member loses, if it is something else than before.
    fn heed(&mut self, now: Instant) -> Option<Loss> {
        self.reports
            .retain(|_, (at, _)| now.saturating_duration_since(*at) < FORGOTTEN);
        let reports = self.reports.values().map(|(_, loss)| *loss);
        let worst = reports.fold(Loss::default(), |worst, loss| Loss {
            percent: worst.percent.max(loss.percent),
            bursts: worst.bursts || loss.bursts,
        });
        (std::mem::replace(&mut self.heeded, worst) != worst).then_some(worst)
    }
}

impl MediaPlane {
    /// What members are to be told now of the loss of their sound on the way here.
    pub(crate) fn losses(&mut self) -> Vec<(DeviceId, Loss)> {
        let peers = self.peers.borrow();
        let (engine, losses) = (&self.engine, &mut self.losses);
        let told = peers.others.iter().filter_map(|peer| {
            let counts = engine.source_stats(peer.source(Sound::Voice))?.loss;
            let overflows = peer.figures.link.is_paused();
            let loss = losses.measure(now_us(), peer.device, counts, overflows)?;
            Some((peer.device, loss))
        });
        told.collect()
    }

    /// A member says what it loses of this device's sound.
    pub(crate) fn loss_reported(&mut self, device: DeviceId, loss: Loss) {
        if self.peers.borrow().find(device).is_some() {
            self.losses.hear(Instant::now(), device, loss);
            self.heed_losses();
        }
    }

    /// Lets the sound that is sent be as sturdy as the worst link of those who hear it needs.
    pub(crate) fn heed_losses(&mut self) {
        if let Some(loss) = self.losses.heed(Instant::now()) {
            self.engine.expect_loss(loss);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: DeviceId = DeviceId([1; 16]);
    const BEN: DeviceId = DeviceId([2; 16]);

    fn loss(percent: u8) -> Loss {
        Loss {
            percent,
            bursts: false,
        }
    }

    #[test]
    fn the_worst_link_counts_until_its_owner_leaves() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        losses.hear(now, ANA, loss(5));
        losses.hear(now, BEN, loss(20));
        assert_eq!(losses.heed(now), Some(loss(20)));
        assert_eq!(losses.heed(now), None, "nothing has changed");
        losses.forget(BEN);
        assert_eq!(losses.heed(now), Some(loss(5)));
        losses.hear(now, ANA, loss(0));
        assert_eq!(losses.heed(now), Some(loss(0)));
    }

    #[test]
    fn a_report_that_nobody_renews_is_forgotten() {
        let (mut losses, now) = (Losses::default(), Instant::now());
        losses.hear(now, ANA, loss(20));
        assert_eq!(losses.heed(now + FORGOTTEN / 2), Some(loss(20)));
        losses.hear(now + FORGOTTEN / 2, ANA, loss(20));
        assert_eq!(losses.heed(now + FORGOTTEN), None);
        assert_eq!(losses.heed(now + 2 * FORGOTTEN), Some(loss(0)));
    }

    #[test]
    fn each_sender_is_told_of_its_own_loss() {
        let mut losses = Losses::default();
        let counts = |due, lost| LossCounts {
            due,
            lost,
            in_bursts: 0,
        };
        for device in [ANA, BEN] {
            assert_eq!(
                losses.measure(10_000_000, device, counts(0, 0), false),
                None
            );
        }
        let told = losses.measure(12_000_000, ANA, counts(100, 100), false);
        assert_eq!(told, Some(loss(100)));
        assert_eq!(losses.measure(12_000_000, BEN, counts(100, 0), false), None);
    }
}
