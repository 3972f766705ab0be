//! The few things that the API changes.
//!
//! It does not know who may ask for them.

use http::{Response, StatusCode};
use tracing::info;

use crate::admin::answer::json;
use crate::admin::problem::Problem;
use crate::admin::published::{Published, viewer_id};
use crate::body::{self, Body};
use crate::supervisor::Supervisor;
use domain::key::{ItemId, StreamId};

/// Stops a stream.
pub(super) fn stop(supervisor: &Supervisor, id: &str) -> Result<Response<Body>, Problem> {
    let id = id.parse().map_err(|_| Problem::NoSuchThing)?;
    if !supervisor.stop_stream(StreamId(id)) {
        return Err(Problem::NoSuchThing);
    }
    info!(stream = id, "the operator stops a stream");
    Ok(done())
}

/// Keeps a stream until its place is needed, or no longer than others.
pub(super) fn pin(supervisor: &Supervisor, id: &str, is_pinned: bool) -> Result<Response<Body>, Problem> {
    let id = id.parse().map_err(|_| Problem::NoSuchThing)?;
    if !supervisor.pin(StreamId(id), is_pinned) {
        return Err(Problem::NoSuchThing);
    }
    info!(stream = id, is_pinned, "the operator pins a stream, or no longer");
    Ok(done())
}

/// Sends a viewer away.
pub(super) fn kick(supervisor: &Supervisor, id: &str) -> Result<Response<Body>, Problem> {
    let snapshot = supervisor.snapshot();
    let mut viewers = snapshot.streams.iter().flat_map(|stream| &stream.consumers);
    let viewer = viewers.find(|viewer| viewer.verdict.state.is_present() && viewer_id(viewer) == id);
    if !supervisor.send_away(viewer.ok_or(Problem::NoSuchThing)?.id) {
        return Err(Problem::NoSuchThing);
    }
    info!("the operator sends a viewer away");
    Ok(done())
}

/// Warms a channel up, and says at once how warm it is.
pub(super) async fn warm_up(
    supervisor: &Supervisor,
    published: &Published,
    id: &str,
) -> Result<Response<Body>, Problem> {
    let item = ItemId::parse(id).ok_or(Problem::NoSuchThing)?;
    supervisor.warm_up(item.clone()).await.map_err(|refusal| {
        info!(%item, reason = refusal.as_str(), "the operator cannot warm a channel up");
        Problem::NotWarmed(refusal)
    })?;
    info!(%item, "the operator warms a channel up");
    let mut response = json(&published.warm_channel(&item));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Expects nobody at a channel any more.
pub(super) fn release(supervisor: &Supervisor, id: &str) -> Result<Response<Body>, Problem> {
    let item = ItemId::parse(id).ok_or(Problem::NoSuchThing)?;
    if !supervisor.release(&item) {
        return Err(Problem::NoSuchThing);
    }
    info!(%item, "the operator releases a channel");
    Ok(done())
}

/// An answer that says nothing more.
pub(super) fn done() -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
