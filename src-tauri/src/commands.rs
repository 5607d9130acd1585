//! The window's commands: a line or two each over [`Session`].
//!
//! The list here, the one in `build.rs` and the capability file are held equal by a test.

use std::collections::HashMap;
use std::sync::Arc;

use conclave_client::{ClientError, DeviceId, MeetingView, Role, SafetyView, ScanOutcome, Secrecy};
use conclave_client::{Size, Who};
use serde::{Deserialize, Serialize, Serializer};
use tauri::ipc::Channel;
use tauri::{Builder, Runtime, State};

use crate::choices::{Choices, ScreenChoice};
use crate::profile::{ContactView, IdentityView, Profile, ProfileError};
use crate::session::{Entry, Introduction, Session, SessionError, known};
use crate::settings::Settings;

/// What a failed command tells the window: the sentence to show, and nothing to match on.
#[derive(Debug)]
pub struct Sentence(String);

impl Serialize for Sentence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl From<SessionError> for Sentence {
    fn from(error: SessionError) -> Self {
        Self(error.to_string())
    }
}

impl From<ClientError> for Sentence {
    fn from(error: ClientError) -> Self {
        Self(error.to_string())
    }
}

impl From<ProfileError> for Sentence {
    fn from(error: ProfileError) -> Self {
        Self(error.to_string())
    }
}

/// A role as the window writes it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum RoleName {
    Host,
    CoHost,
    Participant,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Host => Self::Host,
            RoleName::CoHost => Self::CoHost,
            RoleName::Participant => Self::Participant,
        }
    }
}

/// A picture's size, as the window names it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SizeName {
    Low,
    Medium,
    High,
}

impl From<SizeName> for Size {
    fn from(name: SizeName) -> Self {
        match name {
            SizeName::Low => Self::Low,
            SizeName::Medium => Self::Medium,
            SizeName::High => Self::High,
        }
    }
}

type Answer<T = ()> = Result<T, Sentence>;

/// Adds every command to the app.
pub fn register<R: Runtime>(builder: Builder<R>) -> Builder<R> {
    builder.invoke_handler(tauri::generate_handler![
        settings,
        save_settings,
        devices,
        watch,
        open_lobby,
        enter,
        admit,
        refuse,
        remove,
        set_locked,
        set_waiting_room,
        set_role,
        set_successor,
        set_strict,
        set_high_secrecy,
        set_open_microphones,
        raise_hand,
        let_speak,
        lower_hand,
        ask_to_mute,
        set_hosts_share,
        new_link,
        safety_number,
        accept_key,
        set_verified,
        scan_safety_number,
        stop_scan,
        set_muted,
        set_camera,
        screens,
        share,
        stop_sharing,
        show_tiles,
        play_tone,
        dismiss_warning,
        leave,
        end_meeting,
        close,
        contacts,
        forget_contact,
        identity,
        unlock_identity,
        protect_identity,
        export_identity,
        import_identity,
        erase_identity,
    ])
}

#[tauri::command]
async fn settings(session: State<'_, Session>) -> Answer<Settings> {
    Ok(session.settings())
}

#[tauri::command]
async fn save_settings(
    session: State<'_, Session>,
    settings: Settings,
) -> Answer<Option<Vec<String>>> {
    Ok(session.save_settings(settings).await?)
}

#[tauri::command]
async fn devices() -> Answer<Choices> {
    Ok(Choices::list().await)
}

#[tauri::command]
async fn watch(session: State<'_, Session>, views: Channel<Option<MeetingView>>) -> Answer {
    session.send_views_to(views);
    Ok(())
}

#[tauri::command]
async fn open_lobby(session: State<'_, Session>, entry: Entry) -> Answer<Vec<String>> {
    Ok(session.open_lobby(entry).await?)
}

#[tauri::command]
async fn enter(session: State<'_, Session>, introduction: Introduction) -> Answer {
    Ok(session.enter(introduction).await?)
}

#[tauri::command]
async fn admit(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.admit(known(&device)?).await?)
}

#[tauri::command]
async fn refuse(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.refuse(known(&device)?).await?)
}

#[tauri::command]
async fn remove(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.remove(known(&device)?).await?)
}

#[tauri::command]
async fn set_locked(session: State<'_, Session>, locked: bool) -> Answer {
    Ok(session.client()?.set_locked(locked).await?)
}

#[tauri::command]
async fn set_waiting_room(session: State<'_, Session>, on: bool) -> Answer {
    Ok(session.client()?.set_waiting_room(on).await?)
}

#[tauri::command]
async fn set_role(session: State<'_, Session>, device: String, role: RoleName) -> Answer {
    Ok(session
        .client()?
        .set_role(known(&device)?, role.into())
        .await?)
}

#[tauri::command]
async fn set_successor(session: State<'_, Session>, device: String, on: bool) -> Answer {
    Ok(session.client()?.set_successor(known(&device)?, on).await?)
}

#[tauri::command]
async fn set_strict(session: State<'_, Session>, strict: bool) -> Answer {
    Ok(session.client()?.set_strict(strict).await?)
}

#[tauri::command]
async fn set_high_secrecy(session: State<'_, Session>, on: bool) -> Answer {
    let secrecy = match on {
        true => Secrecy::High,
        false => Secrecy::Standard,
    };
    Ok(session.client()?.set_secrecy(secrecy).await?)
}

#[tauri::command]
async fn set_open_microphones(session: State<'_, Session>, bound: u16) -> Answer {
    Ok(session.client()?.set_open_microphones(bound).await?)
}

#[tauri::command]
async fn raise_hand(session: State<'_, Session>, up: bool) -> Answer {
    Ok(session.client()?.raise_hand(up).await?)
}

#[tauri::command]
async fn let_speak(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.let_speak(known(&device)?).await?)
}

#[tauri::command]
async fn lower_hand(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.lower_hand(known(&device)?).await?)
}

#[tauri::command]
async fn ask_to_mute(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.ask_to_mute(known(&device)?).await?)
}

#[tauri::command]
async fn set_hosts_share(session: State<'_, Session>, on: bool) -> Answer {
    let who = match on {
        true => Who::Hosts,
        false => Who::Everyone,
    };
    Ok(session.client()?.set_sharing(who).await?)
}

#[tauri::command]
async fn new_link(
    session: State<'_, Session>,
    single_use: bool,
    expires_in_s: Option<u32>,
) -> Answer {
    Ok(session.client()?.new_link(single_use, expires_in_s).await?)
}

#[tauri::command]
async fn safety_number(session: State<'_, Session>, device: String) -> Answer<SafetyView> {
    Ok(session.client()?.safety_number(known(&device)?).await?)
}

#[tauri::command]
async fn accept_key(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.client()?.accept(known(&device)?).await?)
}

#[tauri::command]
async fn set_verified(session: State<'_, Session>, device: String, verified: bool) -> Answer {
    Ok(session
        .client()?
        .set_verified(known(&device)?, verified)
        .await?)
}

#[tauri::command]
async fn scan_safety_number(session: State<'_, Session>, device: String) -> Answer<ScanOutcome> {
    let camera = session.chosen_camera();
    let scan = session.client()?.scan(known(&device)?, camera).await?;
    Ok(scan.await?)
}

#[tauri::command]
async fn stop_scan(session: State<'_, Session>) -> Answer {
    Ok(session.client()?.stop_scan().await?)
}

#[tauri::command]
async fn set_muted(session: State<'_, Session>, muted: bool) -> Answer {
    Ok(session.set_muted(muted).await?)
}

#[tauri::command]
async fn set_camera(session: State<'_, Session>, on: bool) -> Answer {
    Ok(session.set_camera(on).await?)
}

#[tauri::command]
async fn screens(session: State<'_, Session>) -> Answer<Vec<ScreenChoice>> {
    Ok(session.screens().await?)
}

#[tauri::command]
async fn share(session: State<'_, Session>, id: String, motion: bool, sound: bool) -> Answer {
    Ok(session.share(&id, motion, sound).await?)
}

#[tauri::command]
async fn stop_sharing(session: State<'_, Session>) -> Answer {
    Ok(session.client()?.stop_sharing().await?)
}

#[tauri::command]
async fn show_tiles(
    session: State<'_, Session>,
    sizes: HashMap<String, SizeName>,
    screens: HashMap<String, SizeName>,
) -> Answer {
    let client = session.client()?;
    Ok(client.watch(by_device(sizes)?, by_device(screens)?).await?)
}

fn by_device(sizes: HashMap<String, SizeName>) -> Answer<HashMap<DeviceId, Size>> {
    let known = |(device, size): (String, SizeName)| Ok((known(&device)?, size.into()));
    sizes.into_iter().map(known).collect()
}

#[tauri::command]
async fn play_tone(session: State<'_, Session>) -> Answer {
    Ok(session.client()?.play_tone().await?)
}

#[tauri::command]
async fn dismiss_warning(session: State<'_, Session>, id: u64) -> Answer {
    Ok(session.client()?.dismiss_warning(id).await?)
}

#[tauri::command]
async fn leave(session: State<'_, Session>) -> Answer {
    Ok(session.client()?.leave().await?)
}

#[tauri::command]
async fn end_meeting(session: State<'_, Session>) -> Answer {
    Ok(session.client()?.end().await?)
}

#[tauri::command]
async fn close(session: State<'_, Session>) -> Answer {
    session.close().await;
    Ok(())
}

#[tauri::command]
async fn contacts(profile: State<'_, Arc<Profile>>) -> Answer<Vec<ContactView>> {
    Ok(profile.contacts().await?)
}

#[tauri::command]
async fn forget_contact(profile: State<'_, Arc<Profile>>, id: String) -> Answer {
    Ok(profile.forget(id).await?)
}

#[tauri::command]
async fn identity(profile: State<'_, Arc<Profile>>) -> Answer<IdentityView> {
    Ok(profile.show().await?)
}

#[tauri::command]
async fn unlock_identity(profile: State<'_, Arc<Profile>>, passphrase: String) -> Answer {
    Ok(profile.unlock(passphrase).await?)
}

#[tauri::command]
async fn protect_identity(profile: State<'_, Arc<Profile>>, passphrase: String) -> Answer {
    Ok(profile.protect(passphrase).await?)
}

#[tauri::command]
async fn export_identity(profile: State<'_, Arc<Profile>>, passphrase: String) -> Answer<String> {
    Ok(profile.export(passphrase).await?)
}

#[tauri::command]
async fn import_identity(
    profile: State<'_, Arc<Profile>>,
    path: String,
    passphrase: String,
) -> Answer {
    Ok(profile.import(path, passphrase).await?)
}

#[tauri::command]
async fn erase_identity(profile: State<'_, Arc<Profile>>) -> Answer {
    Ok(profile.erase().await?)
}
