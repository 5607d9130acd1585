//! Which identity this program takes part with, and what can be done about it without a meeting.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use conclave_client::{
    Contact, ContactId, Erasure, Existing, Identity, Passphrase, Protection, read_export,
    write_export,
};
use serde_json::json;

/// Bytes that are read of a file with a passphrase.
const MAX_PASSPHRASE_FILE: u64 = 4096;

#[derive(Args, Clone)]
pub(crate) struct Who {
    /// The folder of the identity to take part with; without it a fresh one is made, which nobody
    /// recognises the next time.
    #[arg(long, value_name = "DIR")]
    pub(crate) identity: Option<PathBuf>,
    /// Protect the identity by the passphrase in the first line of this file, and not by the
    /// system's key store.
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Kept {
    /// The folder of the identity.
    #[arg(long, value_name = "DIR")]
    pub(crate) identity: PathBuf,
    /// The file whose first line is the passphrase, if it is protected by one.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum IdentityTask {
    /// Show the fingerprint of the device key; makes the identity if there is none.
    Show(Kept),
    /// Write key and contacts into one file, sealed under a passphrase of its own.
    Export {
        #[command(flatten)]
        kept: Kept,
        /// The file to write; it must not exist.
        to: PathBuf,
        /// The file whose first line is the passphrase of the export.
        #[arg(long, value_name = "FILE")]
        export_passphrase_file: PathBuf,
    },
    /// Make the identity from an exported file.
    Import {
        #[command(flatten)]
        kept: Kept,
        /// The exported file.
        from: PathBuf,
        /// The file whose first line is the passphrase of the export.
        #[arg(long, value_name = "FILE")]
        export_passphrase_file: PathBuf,
        /// Erase an identity that is there already.
        #[arg(long)]
        replace: bool,
    },
    /// Remove key and contacts from this computer. There is no way back.
    Erase {
        #[command(flatten)]
        kept: Kept,
        /// Say that this is meant.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum ContactsTask {
    /// Whom this identity has met.
    List(Kept),
    /// Forget somebody: when met again, he is new.
    Forget {
        #[command(flatten)]
        kept: Kept,
        /// As shown by `list`.
        id: String,
    },
}

impl Who {
    pub(crate) fn open(&self) -> Result<Arc<Identity>> {
        let passphrase_file = self.passphrase_file.as_deref();
        let identity = match &self.identity {
            Some(folder) => Identity::open(folder, protection(passphrase_file)?)?,
            // Nothing is written: the folder is not looked at.
            None => Identity::open(Path::new(""), Protection::Ephemeral)?,
        };
        Ok(Arc::new(identity))
    }
}

impl Kept {
    fn protection(&self) -> Result<Protection> {
        protection(self.passphrase_file.as_deref())
    }

    fn open(&self) -> Result<Identity> {
        Ok(Identity::open(&self.identity, self.protection()?)?)
    }
}

fn protection(passphrase_file: Option<&Path>) -> Result<Protection> {
    Ok(match passphrase_file {
        Some(file) => Protection::Passphrase(read_passphrase(file)?),
        None => Protection::Keyring,
    })
}

fn read_passphrase(file: &Path) -> Result<Passphrase> {
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(MAX_PASSPHRASE_FILE).read_to_string(&mut text))
        .with_context(|| format!("The passphrase file {} cannot be read.", file.display()))?;
    Ok(Passphrase::new(text.lines().next().unwrap_or_default())?)
}

pub(crate) fn identity(task: IdentityTask) -> Result<()> {
    match task {
        IdentityTask::Show(kept) => show(&kept),
        IdentityTask::Export {
            kept,
            to,
            export_passphrase_file,
        } => {
            let sealed = kept
                .open()?
                .export(&read_passphrase(&export_passphrase_file)?)?;
            write_export(&to, &sealed)
                .with_context(|| format!("The file {} cannot be written.", to.display()))?;
            say(
                &kept,
                json!({"exported": to}),
                format!("Written to {}.", to.display()),
            );
            Ok(())
        }
        IdentityTask::Import {
            kept,
            from,
            export_passphrase_file,
            replace,
        } => {
            let existing = match replace {
                true => Existing::Replace,
                false => Existing::Keep,
            };
            let sealed = read_export(&from)
                .with_context(|| format!("The file {} cannot be read.", from.display()))?;
            let passphrase = read_passphrase(&export_passphrase_file)?;
            let protection = kept.protection()?;
            Identity::import(&kept.identity, protection, &sealed, &passphrase, existing)?;
            show(&kept)
        }
        IdentityTask::Erase { kept, yes } => {
            if !yes {
                bail!("Erasing an identity cannot be undone. Say --yes if that is meant.");
            }
            tell_erasure(&kept, &Identity::dangerous_erase(&kept.identity)?)
        }
    }
}

pub(crate) fn contacts(task: ContactsTask) -> Result<()> {
    match task {
        ContactsTask::List(kept) => {
            for contact in kept.open()?.contacts().list() {
                tell_contact(&kept, &contact);
            }
            Ok(())
        }
        ContactsTask::Forget { kept, id } => {
            let id: ContactId = id.parse()?;
            match kept.open()?.contacts().forget(id)? {
                true => {
                    say(
                        &kept,
                        json!({"forgotten": id.to_string()}),
                        "Forgotten.".into(),
                    );
                    Ok(())
                }
                false => bail!("There is no contact {id}; see `conclave contacts list`."),
            }
        }
    }
}

fn show(kept: &Kept) -> Result<()> {
    let fingerprint = ContactId::of(&kept.open()?.key().public()).to_string();
    let protected = match kept.passphrase_file {
        Some(_) => "passphrase",
        None => "keyring",
    };
    say(
        kept,
        json!({"fingerprint": fingerprint, "storage": protected}),
        format!("Fingerprint {fingerprint}, kept by {protected}."),
    );
    Ok(())
}

fn tell_contact(kept: &Kept, contact: &Contact) {
    let id = contact.id.to_string();
    let mark = match contact.verified {
        Some(_) => "verified",
        None => "known",
    };
    say(
        kept,
        json!({"id": id, "name": contact.name, "verified": contact.verified.is_some()}),
        format!("{id}  {mark:8}  {}", contact.name),
    );
}

fn tell_erasure(kept: &Kept, erasure: &Erasure) -> Result<()> {
    if !erasure.left.is_empty() {
        let left: Vec<_> = erasure.left.iter().map(ToString::to_string).collect();
        bail!("Erased, except: {}", left.join(" "));
    }
    say(kept, json!({"erased": true}), "Erased.".into());
    Ok(())
}

fn say(kept: &Kept, value: serde_json::Value, text: String) {
    match kept.json {
        true => println!("{value}"),
        false => println!("{text}"),
    }
}
