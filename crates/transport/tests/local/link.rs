//! A TCP link that can freeze: connections stay open and nothing moves any more.

use conclave_transport::Endpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub struct FreezingLink {
    pub endpoint: Endpoint,
    frozen: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl FreezingLink {
    /// A link to `port` on this host.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint::new("127.0.0.1", listener.local_addr().unwrap().port());
        let (frozen, watching) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                links.spawn(carry(near, far, watching.clone()));
            }
        });
        Self {
            endpoint,
            frozen,
            _tasks: tasks,
        }
    }

    pub fn freeze(&self) {
        self.frozen.send_replace(true);
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, mut frozen: watch::Receiver<bool>) {
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
        _ = frozen.wait_for(|frozen| *frozen) => {}
    }
    // Keeps both ends open.
    std::future::pending::<()>().await;
}
