//! A connection to a PulseAudio server, or to PipeWire's, which speaks the same protocol.
//!
//! cpal's own client plays and records devices, and knows of no single streams.

use std::ffi::CString;
use std::io::{self, BufReader, Cursor, Read};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pulseaudio::protocol::{
    self, AuthParams, AuthReply, Command, CommandReply, Prop, Props, ProtocolError,
    SetClientNameReply, SubscriptionEvent, TagStructReader,
};

/// How long the server may take to greet, and to take in what it is told.
const PATIENCE: Duration = Duration::from_secs(3);
/// How we are called where the system lists who records.
const NAME: &std::ffi::CStr = c"Conclave";
/// The channel of commands; others are streams.
const COMMANDS: u32 = u32::MAX;

/// What the server says.
pub(super) enum Message {
    /// Something has become of what we subscribed to.
    Change(SubscriptionEvent),
    /// The stream of this channel has ended.
    Ended(u32),
    /// The server takes the stream of this channel from elsewhere now.
    Moved(u32),
    /// The answer to the command of this number.
    Reply(u32, Reply),
    /// The command of this number failed.
    Refusal(u32),
    /// A piece of a stream, by its channel.
    Sound(u32, Vec<u8>),
}

/// An answer that has not been read yet.
pub(super) struct Reply {
    rest: Cursor<Vec<u8>>,
    version: u16,
}

impl Reply {
    pub(super) fn read<T: CommandReply>(mut self) -> Result<T, ProtocolError> {
        TagStructReader::new(&mut self.rest, self.version).read()
    }
}

/// Both directions of it, for one thread.
pub(super) struct Connection {
    reader: BufReader<UnixStream>,
    version: u16,
    last_number: u32,
}

/// Ends a connection, from another thread.
pub(super) struct Ender(UnixStream);

impl Drop for Ender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Connection {
    /// Connects to the server that the environment names, within a limit.
    pub(super) fn open() -> Result<(Self, Ender), ProtocolError> {
        let path = pulseaudio::socket_path_from_env().ok_or(io::ErrorKind::NotFound);
        let path = path.map_err(io::Error::from)?;
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let ender = Ender(stream.try_clone()?);
        let mut connection = Self {
            reader: BufReader::new(stream),
            version: protocol::MAX_VERSION,
            last_number: 0,
        };
        connection.greet()?;
        // From now on the server speaks when something happens.
        connection.reader.get_ref().set_read_timeout(None)?;
        Ok((connection, ender))
    }

    fn greet(&mut self) -> Result<(), ProtocolError> {
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok());
        self.send(&Command::Auth(AuthParams {
            version: protocol::MAX_VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: cookie.unwrap_or_default(),
        }))?;
        let (_, auth) = protocol::read_reply_message::<AuthReply>(&mut self.reader, self.version)?;
        self.version = self.version.min(auth.version);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, NAME);
        let process = CString::new(std::process::id().to_string()).unwrap_or_default();
        props.set(Prop::ApplicationProcessId, process);
        self.send(&Command::SetClientName(props))?;
        protocol::read_reply_message::<SetClientNameReply>(&mut self.reader, self.version)?;
        Ok(())
    }

    /// Sends a command and gives its number, by which it is answered.
    pub(super) fn send(&mut self, command: &Command) -> Result<u32, ProtocolError> {
        self.last_number = self.last_number.wrapping_add(1);
        let stream = self.reader.get_mut();
        protocol::write_command_message(stream, self.last_number, command, self.version)?;
        Ok(self.last_number)
    }

    /// Waits for what the server says next. What is of no use here is passed over.
    pub(super) fn next(&mut self) -> Result<Message, ProtocolError> {
        loop {
            let head = protocol::read_descriptor(&mut self.reader)?;
            let len = usize::try_from(head.length).unwrap_or(usize::MAX);
            if len > protocol::MAX_MEMBLOCKQ_LENGTH {
                return Err(ProtocolError::Invalid(format!("a message of {len} bytes")));
            }
            let mut bytes = vec![0; len];
            self.reader.read_exact(&mut bytes)?;
            if head.channel != COMMANDS {
                return Ok(Message::Sound(head.channel, bytes));
            }
            let mut rest = Cursor::new(bytes);
            let version = self.version;
            match Command::read_tag_prefixed(&mut rest, version) {
                Ok((number, Command::Reply)) => {
                    return Ok(Message::Reply(number, Reply { rest, version }));
                }
                Ok((number, Command::Error(_))) => return Ok(Message::Refusal(number)),
                Ok((_, Command::SubscribeEvent(event))) => return Ok(Message::Change(event)),
                Ok((_, Command::RecordStreamKilled(channel))) => {
                    return Ok(Message::Ended(channel));
                }
                Ok((_, Command::RecordStreamMoved(moved))) => {
                    return Ok(Message::Moved(moved.stream_index));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the sound server said something unknown"),
            }
        }
    }
}
