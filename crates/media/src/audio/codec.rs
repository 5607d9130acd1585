//! Opus as this product uses it: 48 kHz mono, 20 ms, constant bit rate.
//!
//! Constant bit rate and no discontinuous transmission, because the size and
//! timing of packets must not tell an observer who speaks.

use bytes::Bytes;
use opus::{Application, Bandwidth, Bitrate, Channels, Decoder, Encoder, Signal};

use super::error::AudioError;
use super::{FRAME_SAMPLES, SAMPLE_RATE_HZ};

/// Bit rate for each byte of a frame of 20 ms.
const BPS_PER_BYTE: i32 = 8 * 50;
/// Frames shorter than this, 48 kbit/s, hold sound up to 8 kHz only. The bits
/// that the rest would take are worth more there: at 37 kbit/s, wide-band PESQ
/// is 4.4 instead of 3.9.
const FULL_BAND_BYTES: usize = 120;

const COMPLEXITY: i32 = 9;

/// Whether these bytes are one Opus frame of 20 ms by their table of contents
/// (RFC 6716 §3.1).
pub(super) fn is_one_frame(payload: &[u8]) -> bool {
    matches!(
        opus::packet::get_nb_samples(payload, SAMPLE_RATE_HZ),
        Ok(FRAME_SAMPLES)
    )
}

/// Whether this frame holds a coarse copy of the one before it: the LBRR flag
/// that follows the voice activity flag at the start of a SILK layer
/// (RFC 6716 §4.2.3).
pub(super) fn holds_previous(payload: &[u8]) -> bool {
    const CELT_ONLY: u8 = 0x80;
    const LBRR: u8 = 0x40;
    let Ok(packet) = opus::packet::parse(payload) else {
        return false;
    };
    let first = packet.frames.first().and_then(|frame| frame.first());
    packet.toc & CELT_ONLY == 0 && first.is_some_and(|byte| byte & LBRR != 0)
}

/// What is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// One voice.
    Speech,
    /// Music, films, voices: whatever programs play.
    Anything,
}

impl Content {
    const fn application(self) -> Application {
        match self {
            Self::Speech => Application::Voip,
            Self::Anything => Application::Audio,
        }
    }

    const fn signal(self) -> Signal {
        match self {
            Self::Speech => Signal::Voice,
            Self::Anything => Signal::Auto,
        }
    }
}

/// Encodes frames of one sound.
pub(super) struct FrameEncoder {
    opus: Encoder,
    lookahead_us: u64,
    frame_bytes: usize,
}

impl FrameEncoder {
    pub(super) fn new(content: Content) -> Result<Self, AudioError> {
        let mut opus = Encoder::new(SAMPLE_RATE_HZ, Channels::Mono, content.application())?;
        opus.set_vbr(false)?;
        opus.set_dtx(false)?;
        opus.set_complexity(COMPLEXITY)?;
        opus.set_signal(content.signal())?;
        opus.set_inband_fec(true)?;
        // A coarse copy of the previous frame (RFC 6716 §2.1.7) would cost 0.2
        // to 0.3 PESQ even on clean links, and packets carry full copies.
        opus.set_packet_loss_perc(0)?;
        let lookahead = opus.get_lookahead()?.max(0) as u64;
        Ok(Self {
            opus,
            lookahead_us: lookahead * 1_000_000 / u64::from(SAMPLE_RATE_HZ),
            frame_bytes: 0,
        })
    }

    /// By how much decoded sound lags behind what went in.
    pub(super) fn lookahead_us(&self) -> u64 {
        self.lookahead_us
    }

    /// Lets Opus spend some of its bits on a coarse copy of the previous frame
    /// (RFC 6716 §2.1.7), as for this share of lost packets.
    pub(super) fn add_coarse_copies(&mut self, percent: u8) {
        let percent = i32::from(percent.min(100));
        if let Err(error) = self.opus.set_packet_loss_perc(percent) {
            tracing::warn!("the sound encoder ignores the loss on the link: {error}");
        }
    }

    /// Encodes one frame into exactly `frame_bytes` bytes.
    pub(super) fn encode(
        &mut self,
        frame: &[f32; FRAME_SAMPLES],
        frame_bytes: usize,
    ) -> Result<Bytes, AudioError> {
        if self.frame_bytes != frame_bytes {
            self.opus
                .set_bitrate(Bitrate::Bits(frame_bytes as i32 * BPS_PER_BYTE))?;
            self.opus.set_max_bandwidth(match frame_bytes {
                ..FULL_BAND_BYTES => Bandwidth::Wideband,
                _ => Bandwidth::Fullband,
            })?;
            self.frame_bytes = frame_bytes;
        }
        let mut bytes = vec![0; frame_bytes];
        let used = self.opus.encode_float(frame, &mut bytes)?;
        if used < frame_bytes {
            opus::packet::pad(&mut bytes, used)?;
        }
        Ok(bytes.into())
    }
}

/// Decodes frames of one speaker and invents what is missing.
pub(super) struct FrameDecoder(Decoder);

impl FrameDecoder {
    pub(super) fn new() -> Result<Self, AudioError> {
        Ok(Self(Decoder::new(SAMPLE_RATE_HZ, Channels::Mono)?))
    }

    /// Decodes a frame; bytes that Opus refuses are concealed.
    pub(super) fn decode(&mut self, payload: &[u8], out: &mut [f32; FRAME_SAMPLES]) {
        if !matches!(self.0.decode_float(payload, out, false), Ok(FRAME_SAMPLES)) {
            self.conceal(out);
        }
    }

    /// Decodes the coarse copy of the frame before `payload` inside it; see
    /// [`holds_previous`].
    pub(super) fn decode_before(&mut self, payload: &[u8], out: &mut [f32; FRAME_SAMPLES]) {
        if !matches!(self.0.decode_float(payload, out, true), Ok(FRAME_SAMPLES)) {
            self.conceal(out);
        }
    }

    /// Continues the sound for `out.len()` samples: 10 or 20 ms.
    pub(super) fn conceal(&mut self, out: &mut [f32]) {
        if self.0.decode_float(&[], out, false).is_err() {
            out.fill(0.0);
        }
    }
}

impl From<opus::Error> for AudioError {
    fn from(error: opus::Error) -> Self {
        Self::Internal(format!("Opus says: {error}."))
    }
}
