//! Real-time scheduling from a service, for users who may not take it: RealtimeKit, which desktops
//! have for their sound servers, or the portal that speaks for it to programs in a sandbox.
//!
//! <https://github.com/heftig/rtkit>, and "Realtime" of the XDG Desktop Portal.

use std::thread;

use rustix::process::{Resource, Rlimit, getpid, getrlimit, setrlimit};
use rustix::thread::RawPid;
use zbus::blocking::proxy::Builder as ProxyBuilder;
use zbus::blocking::{Connection, Proxy};
use zbus::proxy::CacheProperties;

use super::linux::PRIORITY;

struct Service {
    connect: fn() -> zbus::Result<Connection>,
    name: &'static str,
    path: &'static str,
    interface: &'static str,
}

const SERVICES: [Service; 2] = [
    Service {
        connect: Connection::system,
        name: "org.freedesktop.RealtimeKit1",
        path: "/org/freedesktop/RealtimeKit1",
        interface: "org.freedesktop.RealtimeKit1",
    },
    Service {
        connect: Connection::session,
        name: "org.freedesktop.portal.Desktop",
        path: "/org/freedesktop/portal/desktop",
        interface: "org.freedesktop.portal.Realtime",
    },
];

/// Asks for these threads of this process, on a thread of its own.
pub(super) fn ask(threads: Vec<RawPid>) {
    let asking = thread::Builder::new()
        .name("sound-urgency".to_owned())
        .spawn(move || ask_each_service(&threads));
    if let Err(error) = asking {
        tracing::info!("real-time scheduling is not asked for: {error}");
    }
}

fn ask_each_service(threads: &[RawPid]) {
    let mut refusals = Vec::new();
    for service in &SERVICES {
        match service.grant(threads) {
            Ok(()) => return tracing::debug!("{} grants real-time scheduling", service.name),
            Err(error) => refusals.push(format!("{}: {error}", service.name)),
        }
    }
    tracing::info!(
        "sound runs like any other program and may stutter while the computer is busy: {}",
        refusals.join("; ")
    );
}

impl Service {
    fn grant(&self, threads: &[RawPid]) -> zbus::Result<()> {
        let bus = (self.connect)()?;
        // RealtimeKit tells its properties one by one only.
        let proxy: Proxy<'_> = ProxyBuilder::new(&bus)
            .destination(self.name)?
            .path(self.path)?
            .interface(self.interface)?
            .cache_properties(CacheProperties::No)
            .build()?;
        let longest_us: i64 = proxy.get_property("RTTimeUSecMax")?;
        let most: i32 = proxy.get_property("MaxRealtimePriority")?;
        promise_pauses(u64::try_from(longest_us).unwrap_or_default())?;
        let priority = u32::from(PRIORITY).min(u32::try_from(most).unwrap_or_default());
        let process = pid(getpid().as_raw_nonzero().get());
        for thread in threads {
            let asked = (process, pid(*thread), priority);
            let () = proxy.call("MakeThreadRealtimeWithPID", &asked)?;
        }
        Ok(())
    }
}

/// Ids are positive.
fn pid(raw: RawPid) -> u64 {
    u64::try_from(raw).unwrap_or_default()
}

/// Without a promise that its threads pause nobody gets anything: whoever breaks it is ended.
/// [`Pauses`](super::Pauses) keep it.
fn promise_pauses(longest_us: u64) -> zbus::Result<()> {
    let now = getrlimit(Resource::Rttime);
    if now.maximum.is_some_and(|maximum| maximum <= longest_us) {
        return Ok(());
    }
    let promised = Rlimit {
        current: Some(longest_us),
        maximum: Some(longest_us),
    };
    setrlimit(Resource::Rttime, promised)
        .map_err(|error| zbus::Error::InputOutput(std::sync::Arc::new(error.into())))
}
