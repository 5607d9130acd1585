//! The sound of this device's shared screen: opened once the screen is shown, ended with it.

use conclave_media::audio::{AudioError, AudioPacket, SharedSound, SoundShare};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

type Opened = (SoundShare, Receiver<AudioPacket>);

/// The sound that goes along, if one does.
#[derive(Default)]
pub(super) struct Soundtrack {
    stage: Stage,
    /// Listeners count on from share to share: a count that began anew would look like old packets.
    next_seq: u32,
    /// The number of the first packet of this share.
    first_seq: u32,
}

#[derive(Default)]
enum Stage {
    #[default]
    Off,
    /// The sound system may take its time.
    Opening(JoinHandle<Result<Opened, AudioError>>),
    On(Opened),
}

/// What became of it.
pub(super) enum Played {
    Begun,
    Packet(AudioPacket),
    /// It did not begin, or has ended by itself.
    Failed(AudioError),
}

impl Soundtrack {
    /// Begins, in the place of another one.
    pub(super) fn begin(&mut self, sound: SharedSound) {
        let open = move || SoundShare::start(&sound);
        self.stage = Stage::Opening(tokio::task::spawn_blocking(open));
        self.first_seq = self.next_seq;
    }

    /// Ends at once. What opens later is dropped with its task.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Off;
    }

    /// What happens next; never, while nothing is shared. Cancelling the future loses nothing.
    pub(super) async fn next(&mut self) -> Played {
        match &mut self.stage {
            Stage::Off => std::future::pending().await,
            Stage::Opening(opening) => match opening.await {
                Ok(Ok(opened)) => {
                    self.stage = Stage::On(opened);
                    Played::Begun
                }
                Ok(Err(error)) => self.failed(error),
                Err(error) => self.failed(AudioError::Internal(format!("{error}."))),
            },
            Stage::On((_, packets)) => match packets.recv().await {
                Some(packet) => Played::Packet(self.counted_on(packet)),
                None => self.failed(AudioError::SharedSoundLost),
            },
        }
    }

    fn failed(&mut self, error: AudioError) -> Played {
        self.stop();
        Played::Failed(error)
    }

    fn counted_on(&mut self, packet: AudioPacket) -> AudioPacket {
        let seq = self.first_seq.wrapping_add(packet.seq);
        self.next_seq = seq.wrapping_add(1);
        AudioPacket { seq, ..packet }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seqs(soundtrack: &mut Soundtrack, count: usize) -> Vec<u32> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            match soundtrack.next().await {
                Played::Packet(packet) => seqs.push(packet.seq),
                Played::Begun => {}
                Played::Failed(error) => panic!("{error}"),
            }
        }
        seqs
    }

    #[tokio::test]
    async fn a_second_share_counts_on_from_the_first() {
        let mut soundtrack = Soundtrack::default();
        soundtrack.begin(SharedSound::Test);
        assert_eq!(seqs(&mut soundtrack, 3).await, [0, 1, 2]);
        soundtrack.stop();
        let nothing =
            tokio::time::timeout(std::time::Duration::from_millis(100), soundtrack.next());
        assert!(nothing.await.is_err());
        soundtrack.begin(SharedSound::Test);
        assert_eq!(seqs(&mut soundtrack, 2).await, [3, 4]);
    }

    #[tokio::test]
    async fn what_does_not_open_is_told_once() {
        let mut soundtrack = Soundtrack::default();
        soundtrack.begin(SharedSound::File("/nowhere/song.flac".into()));
        let Played::Failed(error) = soundtrack.next().await else {
            panic!("it opened");
        };
        assert!(error.to_string().contains("/nowhere/song.flac"));
        let later = tokio::time::timeout(std::time::Duration::from_millis(100), soundtrack.next());
        assert!(later.await.is_err());
    }
}
