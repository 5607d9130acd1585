//! Who may use the relay: answers every session from the grants of the delivery service.

use std::sync::Arc;

use moq_auth::lease::{Producer, Reason};
use moq_auth::{Grant, Pattern, Patterns, Transport};
use moq_relay::auth::{Admission, Admissions, Error};
use tokio::time::Instant;

use conclave_server::delivery::{Grants, NotGranted, RelayRight};

/// Decides every session until the relay is gone.
pub async fn decide(mut admissions: Admissions, grants: Arc<Grants>) {
    while let Some(admission) = admissions.next().await {
        match check(&admission, &grants) {
            Ok((right, grant)) => admit(admission, right, grant),
            Err(why) => {
                tracing::debug!(%why, "the relay turned somebody away");
                admission.refuse(Error::Refused);
            }
        }
    }
}

fn check(admission: &Admission, grants: &Grants) -> Result<(RelayRight, Grant), NotGranted> {
    let request = &admission.request;
    if !matches!(request.transport, Transport::Quic | Transport::WebSocket) {
        return Err(NotGranted::Malformed);
    }
    // moq-lite has no token in its SETUP, so it comes in the query, which only TLS carries.
    let token = request
        .query
        .as_deref()
        .and_then(|query| query.strip_prefix("token="));
    let right = grants.redeem(
        &request.path,
        token.ok_or(NotGranted::Malformed)?,
        Instant::now(),
    )?;
    let publish = patterns(&right.publish_pattern())?;
    let subscribe = patterns(&right.subscribe_pattern())?;
    Ok((right, Grant::new(publish, subscribe)))
}

fn patterns(text: &str) -> Result<Patterns, NotGranted> {
    let pattern: Pattern = text.parse().map_err(|_| NotGranted::Malformed)?;
    Ok([pattern].into_iter().collect())
}

/// Admits the session, and ends it at once when the right is withdrawn.
fn admit(admission: Admission, right: RelayRight, grant: Grant) {
    let (lease, held) = Producer::new(grant);
    admission.grant(held);
    tokio::spawn(async move {
        let withdrawn = tokio::select! {
            _ = right.withdrawn => true,
            _ = lease.closed() => false,
        };
        if withdrawn {
            lease.revoke(Reason::Refused);
        }
    });
}
