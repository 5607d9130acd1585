//! Listens to each program by itself, by PulseAudio's protocol: a record stream may be bound to
//! one stream that is played (`direct_on_input`), before that is mixed with the others.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    ChannelMap, ClientInfo, Command, CreateRecordStreamReply, Prop, Props, ProtocolError,
    RecordStreamParams, SampleFormat, SampleSpec, SinkInputInfo, SinkInputInfoList,
    SubscriptionEvent, SubscriptionEventFacility, SubscriptionEventType, SubscriptionMask,
};

use super::super::error::AudioError;
use super::super::{Block, FRAME_SAMPLES, SAMPLE_RATE_HZ, spawn};
use super::gathering::{Gathering, LAG_US, MOST_STREAMS};
use super::wire::{Connection, Ender, Message, Reply};
use super::{Programs, choice};

/// One sample of both channels.
const STEREO_LEN: usize = 2 * size_of::<f32>();

/// Begins to listen.
pub(super) fn open() -> Result<Box<dyn Programs>, AudioError> {
    let (connection, ender) = Connection::open().map_err(|error| {
        tracing::debug!(%error, "no sound server");
        AudioError::NoSoundServer
    })?;
    let shared = Arc::new(Shared {
        gathering: Mutex::new(Gathering::new()),
        is_lost: AtomicBool::new(false),
    });
    let listener = Listener {
        connection,
        shared: Arc::clone(&shared),
        asked: HashMap::new(),
        streams: HashMap::new(),
    };
    spawn("sound-programs", move || listener.run())?;
    Ok(Box::new(Listening {
        shared,
        _ender: ender,
    }))
}

struct Shared {
    gathering: Mutex<Gathering>,
    is_lost: AtomicBool,
}

impl Shared {
    fn gathering(&self) -> MutexGuard<'_, Gathering> {
        // Samples in queues: nothing can be half done.
        self.gathering
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that is heard.
struct Listening {
    shared: Arc<Shared>,
    /// The listener's thread ends with the connection.
    _ender: Ender,
}

impl Programs for Listening {
    fn fill(&mut self, block: &mut Block) -> bool {
        *block = self.shared.gathering().next();
        !self.shared.is_lost.load(Ordering::Relaxed)
    }

    fn lag_us(&self) -> u64 {
        LAG_US
    }
}

/// What an answer will be about.
enum Asked {
    /// Every stream that is played.
    Played,
    /// One of them.
    Stream,
    /// Who plays this stream.
    Player(u32),
    /// A recording of this stream.
    Recording(u32),
    /// Something without an answer of interest.
    Nothing,
}

/// How far we are with a stream that is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Who plays it is being asked, or a recording of it.
    Asked,
    /// It comes by this channel.
    Heard(u32),
}

/// The thread that talks to the server.
struct Listener {
    connection: Connection,
    shared: Arc<Shared>,
    asked: HashMap<u32, Asked>,
    /// By their index at the server. Those that are none of ours to hear are not in here.
    streams: HashMap<u32, Stage>,
}

impl Listener {
    fn run(mut self) {
        if let Err(error) = self.listen() {
            tracing::debug!(%error, "the sound server is gone");
        }
        self.shared.is_lost.store(true, Ordering::Relaxed);
    }

    fn listen(&mut self) -> Result<(), ProtocolError> {
        // First the news, so that none falls between it and the list.
        self.ask(
            &Command::Subscribe(SubscriptionMask::SINK_INPUT),
            Asked::Nothing,
        )?;
        self.ask(&Command::GetSinkInputInfoList, Asked::Played)?;
        loop {
            match self.connection.next()? {
                Message::Sound(channel, bytes) => self.hear(channel, &bytes),
                Message::Reply(number, reply) => self.take_reply(number, reply)?,
                Message::Refusal(number) => self.refused(number),
                Message::Change(event) => self.note(event)?,
                Message::Ended(channel) => self.forget(channel),
                // It may be a microphone now: never is anything but a program sent.
                Message::Moved(channel) => {
                    self.forget(channel);
                    self.delete(channel)?;
                }
            }
        }
    }

    fn ask(&mut self, command: &Command, asked: Asked) -> Result<(), ProtocolError> {
        let number = self.connection.send(command)?;
        self.asked.insert(number, asked);
        Ok(())
    }

    fn delete(&mut self, channel: u32) -> Result<(), ProtocolError> {
        self.ask(&Command::DeleteRecordStream(channel), Asked::Nothing)
    }

    /// The stream that comes by a channel.
    fn by_channel(&self, channel: u32) -> Option<u32> {
        let mut streams = self.streams.iter();
        let found = streams.find(|(_, stage)| **stage == Stage::Heard(channel));
        found.map(|(stream, _)| *stream)
    }

    fn hear(&mut self, channel: u32, bytes: &[u8]) {
        if let Some(stream) = self.by_channel(channel) {
            let samples = bytes.as_chunks::<STEREO_LEN>().0.iter().map(mono);
            self.shared.gathering().push(stream, samples);
        }
    }

    fn forget(&mut self, channel: u32) {
        if let Some(stream) = self.by_channel(channel) {
            self.streams.remove(&stream);
            self.shared.gathering().remove(stream);
        }
    }

    /// Something has become of a stream that is played.
    fn note(&mut self, event: SubscriptionEvent) -> Result<(), ProtocolError> {
        let (SubscriptionEventFacility::SinkInput, Some(stream)) =
            (event.event_facility, event.index)
        else {
            return Ok(());
        };
        if event.event_type != SubscriptionEventType::Removed {
            // Also after a change: a recording ends when its stream moves to another loudspeaker.
            return match self.streams.contains_key(&stream) {
                true => Ok(()),
                false => self.ask(&Command::GetSinkInputInfo(stream), Asked::Stream),
            };
        }
        let stage = self.streams.remove(&stream);
        self.shared.gathering().remove(stream);
        match stage {
            Some(Stage::Heard(channel)) => self.delete(channel),
            Some(Stage::Asked) | None => Ok(()),
        }
    }

    fn take_reply(&mut self, number: u32, reply: Reply) -> Result<(), ProtocolError> {
        match self.asked.remove(&number) {
            Some(Asked::Played) => {
                let played = reply.read::<SinkInputInfoList>()?;
                played.iter().try_for_each(|stream| self.consider(stream))
            }
            Some(Asked::Stream) => self.consider(&reply.read::<SinkInputInfo>()?),
            Some(Asked::Player(stream)) => self.judge(stream, &reply.read::<ClientInfo>()?),
            Some(Asked::Recording(stream)) => {
                let channel = reply.read::<CreateRecordStreamReply>()?.channel;
                match self.streams.get_mut(&stream) {
                    Some(stage) => *stage = Stage::Heard(channel),
                    // It ended meanwhile.
                    None => self.delete(channel)?,
                }
                Ok(())
            }
            Some(Asked::Nothing) | None => Ok(()),
        }
    }

    /// What is gone already cannot be asked about, nor recorded.
    fn refused(&mut self, number: u32) {
        if let Some(Asked::Player(stream) | Asked::Recording(stream)) = self.asked.remove(&number) {
            self.streams.remove(&stream);
        }
    }

    fn consider(&mut self, stream: &SinkInputInfo) -> Result<(), ProtocolError> {
        let is_new = !self.streams.contains_key(&stream.index);
        if let Some(player) = choice::player(stream, std::process::id())
            && is_new
            && self.streams.len() < MOST_STREAMS
        {
            self.streams.insert(stream.index, Stage::Asked);
            self.ask(&Command::GetClientInfo(player), Asked::Player(stream.index))?;
        }
        Ok(())
    }

    fn judge(&mut self, stream: u32, player: &ClientInfo) -> Result<(), ProtocolError> {
        if !choice::is_other(player, std::process::id()) {
            self.streams.remove(&stream);
            return Ok(());
        }
        if !self.streams.contains_key(&stream) {
            return Ok(());
        }
        let command = Command::CreateRecordStream(recording(stream));
        self.ask(&command, Asked::Recording(stream))
    }
}

/// The mean of both channels. PipeWire would make their sum, which is louder by half.
fn mono(bytes: &[u8; STEREO_LEN]) -> f32 {
    let [a, b, c, d, e, f, g, h] = *bytes;
    let (left, right) = ([a, b, c, d], [e, f, g, h]);
    (f32::from_le_bytes(left) + f32::from_le_bytes(right)) / 2.0
}

/// A recording of one stream: the server converts its rate and whatever channels it has.
fn recording(stream: u32) -> RecordStreamParams {
    let mut props = Props::new();
    let name = CString::new("Shared sound of this computer").unwrap_or_default();
    props.set(Prop::MediaName, name);
    RecordStreamParams {
        sample_spec: SampleSpec {
            format: SampleFormat::Float32Le,
            channels: 2,
            sample_rate: SAMPLE_RATE_HZ,
        },
        channel_map: ChannelMap::stereo(),
        buffer_attr: BufferAttr {
            fragment_size: (FRAME_SAMPLES * STEREO_LEN) as u32,
            ..BufferAttr::default()
        },
        flags: StreamFlags {
            // Bound to this stream and nothing else: a stream without its end might be given a microphone.
            no_move: true,
            adjust_latency: true,
            ..StreamFlags::default()
        },
        direct_on_input_index: Some(stream),
        props,
        ..RecordStreamParams::default()
    }
}
