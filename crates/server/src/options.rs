//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

/// Conclave's server: forwards meetings that it cannot open. It keeps everything in memory and
/// nothing on disk.
#[derive(Debug, Parser)]
#[command(name = "conclave-server", version)]
pub struct Options {
    /// Address to listen on, UDP and TCP; port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:4433")]
    pub listen: SocketAddr,

    /// PEM file with the certificate chain, leaf first. Without it a certificate is made for this
    /// run, and clients pin its fingerprint.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,

    /// Host name or address under which clients reach this server; the first stands in the
    /// printed URL. May be given more than once.
    #[arg(long = "name", value_name = "HOST")]
    pub names: Vec<String>,

    /// Stop when standard input ends: for a program that starts the server for itself, and must
    /// not leave it behind when it dies.
    #[arg(long)]
    pub exit_with_stdin: bool,

    /// How much to say on standard error. No level names peers, meetings or devices.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: Level,
}

/// How much the server says.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Level {
    /// Nothing.
    Off,
    /// What fails.
    Error,
    /// What may fail soon.
    Warn,
    /// Start and stop.
    Info,
    /// Meetings that come and go, by count.
    Debug,
    /// Everything.
    Trace,
}

impl Options {
    /// The host in the URL that clients are given.
    pub fn host(&self) -> String {
        match self.names.first() {
            Some(name) => name.clone(),
            None if self.listen.ip().is_unspecified() => "localhost".to_owned(),
            None => self.listen.ip().to_string(),
        }
    }

    /// The server's URL, once its port is known.
    pub fn url(&self, port: u16) -> String {
        let host = self.host();
        if host.contains(':') {
            format!("https://[{host}]:{port}")
        } else {
            format!("https://{host}:{port}")
        }
    }
}

impl Level {
    /// The filter for this level. Libraries stay silent: theirs is the habit of naming peers.
    pub fn filter(self) -> String {
        format!("off,conclave_server={}", format!("{self:?}").to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from([&["conclave-server"], arguments].concat())
    }

    #[test]
    fn the_url_names_a_host_that_clients_can_reach() {
        let url = |arguments: &[&str]| options(arguments).unwrap().url(4433);
        assert_eq!(url(&[]), "https://localhost:4433");
        assert_eq!(url(&["--listen", "192.0.2.7:0"]), "https://192.0.2.7:4433");
        assert_eq!(url(&["--listen", "[::1]:0"]), "https://[::1]:4433");
        assert_eq!(
            url(&["--name", "meet.example.org", "--name", "192.0.2.7"]),
            "https://meet.example.org:4433"
        );
    }

    #[test]
    fn a_certificate_needs_its_key() {
        assert!(options(&["--cert", "cert.pem"]).is_err());
        assert!(options(&["--key", "key.pem"]).is_err());
        assert!(options(&["--cert", "cert.pem", "--key", "key.pem"]).is_ok());
    }

    #[test]
    fn no_level_lets_a_library_speak() {
        assert_eq!(Level::Trace.filter(), "off,conclave_server=trace");
        assert_eq!(Level::Off.filter(), "off,conclave_server=off");
    }
}
