//! The window's commands: a line or two each over [`Session`].
//!
//! The list here, the one in `build.rs` and the capability file are held equal by a test.

use conclave_client::MeetingView;
use serde::{Serialize, Serializer};
use tauri::ipc::Channel;
use tauri::{Builder, Runtime, State};

use crate::choices::Choices;
use crate::session::{Entry, Introduction, Session, SessionError};
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
        set_muted,
        set_camera,
        dismiss_warning,
        leave,
        close,
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
    Ok(session.admit(&device).await?)
}

#[tauri::command]
async fn refuse(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.refuse(&device).await?)
}

#[tauri::command]
async fn remove(session: State<'_, Session>, device: String) -> Answer {
    Ok(session.remove(&device).await?)
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
async fn dismiss_warning(session: State<'_, Session>, id: u64) -> Answer {
    Ok(session.dismiss_warning(id).await?)
}

#[tauri::command]
async fn leave(session: State<'_, Session>) -> Answer {
    Ok(session.leave().await?)
}

#[tauri::command]
async fn close(session: State<'_, Session>) -> Answer {
    session.close().await;
    Ok(())
}
