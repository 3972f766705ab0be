//! Passes each request to its handler. Paths match in any letter case, with or without a slash at the end.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::auth::{self, Credentials};
use crate::caller::Caller;
use crate::files;
use crate::guide;
use crate::hls;
use crate::parameters::{Parameters, Query, read_json};
use crate::playback_info;
use crate::raw_stream;
use crate::recording::calls as timers;
use crate::reports;
use crate::response::{self, Refusal, Response};
use crate::session_list;
use crate::settings::{Settings, Version};
use crate::state::State;
use crate::system;
use crate::websocket;

/// Serves a request. The handler runs to its end even if the client has gone, as in the real server.
pub(crate) async fn serve(state: Arc<State>, request: Request<Incoming>) -> Response {
    let arrived = Instant::now();
    let uri = request.uri();
    let number = state.requests.arrived(
        request.method(),
        uri.path(),
        uri.query().unwrap_or_default(),
        request.headers(),
    );
    let requested = request.headers().clone();
    let task = state.server.spawn(respond(state.clone(), request));
    let mut response = task.await.ok().flatten().unwrap_or_else(|| Refusal::Failed.into());
    state.requests.answered(number, response.status().as_u16());
    response::finish(&mut response, &requested, &state.server.settings, arrived.elapsed());
    response
}

async fn respond(state: Arc<State>, request: Request<Incoming>) -> Response {
    let Some(path) = below_base(request.uri().path(), &state.server.settings) else {
        return redirect_to_web(&state.server.settings);
    };
    let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let call = Call::new(request, segments);
    call.dispatch(&state).await.unwrap_or_else(Into::into)
}

/// The path below the base path and below the prefixes of old clients; `None` if it lies outside the base path.
fn below_base<'a>(path: &'a str, settings: &Settings) -> Option<&'a str> {
    let below = strip(path, &settings.base_path)?;
    let legacy = || strip(below, "/emby").or_else(|| strip(below, "/mediabrowser"));
    Some(match settings.version {
        Version::V12 => below,
        Version::V10_11 => legacy().unwrap_or(below),
    })
}

fn strip<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = path.split_at_checked(prefix.len())?;
    (start.eq_ignore_ascii_case(prefix) && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
}

fn redirect_to_web(settings: &Settings) -> Response {
    let mut response = response::status(StatusCode::FOUND);
    response::insert(response.headers_mut(), header::LOCATION, &format!("{}/web/", settings.base_path));
    response
}

/// A request in its parts.
struct Call {
    method: Method,
    segments: Vec<String>,
    query: Query,
    headers: HeaderMap,
    body: Incoming,
    upgrade: OnUpgrade,
}

impl Call {
    fn new(mut request: Request<Incoming>, segments: Vec<String>) -> Self {
        let upgrade = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        Self { method: parts.method, segments, query, headers: parts.headers, body, upgrade }
    }

    fn caller(&self, state: &State) -> Result<Caller, Refusal> {
        auth::authenticate(state, &self.headers, &self.query)
    }

    fn only(&self, allowed: &'static str) -> Result<(), Refusal> {
        if allowed.split(", ").any(|method| method == self.method) {
            Ok(())
        } else {
            Err(Refusal::Method(allowed))
        }
    }

    async fn fields(self) -> Result<Parameters, Refusal> {
        Ok(Parameters { query: self.query, body: read_json(&self.headers, self.body).await? })
    }

    async fn dispatch(self, state: &Arc<State>) -> Result<Response, Refusal> {
        if websocket::is_requested(&self.headers) {
            let caller = self.caller(state).map_err(|_| Refusal::Forbidden)?;
            return websocket::accept(state, &caller, &self.headers, self.upgrade);
        }
        if self.method == Method::OPTIONS && self.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return Ok(response::preflight(&self.headers));
        }
        let lower: Vec<String> = self.segments.iter().map(|part| part.to_ascii_lowercase()).collect();
        let names: Vec<&str> = lower.iter().map(String::as_str).collect();
        match names[..] {
            ["health"] => Ok(system::health()),
            ["videos", ..] => self.video(state, &names).await,
            ["items", _, "playbackinfo"] => self.playback_info(state).await,
            ["livestreams", action] => self.live_stream(state, action).await,
            ["livetv", ..] => self.live_tv(state, &names).await,
            ["sessions", ..] => self.session(state, &names).await,
            ["system" | "users" | "playback", ..] => self.system(state, &names).await,
            _ => Err(Refusal::NoRoute),
        }
    }

    async fn video(self, state: &Arc<State>, names: &[&str]) -> Result<Response, Refusal> {
        match names {
            [_, "activeencodings"] => {
                self.only("DELETE")?;
                self.caller(state)?;
                reports::delete_encodings(state, &self.query).await
            }
            [_, _, "master.m3u8"] => {
                self.only("GET, HEAD")?;
                hls::master(state, &self.caller(state)?, &self.segments[1], &self.query, &self.method)
            }
            [_, _, "live.m3u8"] => {
                self.only("GET")?;
                hls::live(state, &self.caller(state)?, &self.segments[1], &self.query, &self.headers).await
            }
            [_, _, "hls", _, _] => {
                self.only("GET")?;
                state.server.wipe_once();
                files::segment(state, &self.headers, &self.segments[3], &self.segments[4]).await
            }
            _ => Err(Refusal::NoRoute),
        }
    }

    async fn playback_info(self, state: &State) -> Result<Response, Refusal> {
        self.only("GET, POST")?;
        let (caller, item, posted) =
            (self.caller(state)?, self.segments[1].clone(), self.method == Method::POST);
        playback_info::info(state, &caller, &item, &self.fields().await?, posted).await
    }

    async fn live_stream(self, state: &State, action: &str) -> Result<Response, Refusal> {
        match action {
            "open" => {
                self.only("POST")?;
                let caller = self.caller(state)?;
                playback_info::open(state, &caller, &self.fields().await?).await
            }
            "close" => {
                self.only("POST")?;
                playback_info::close(state, &self.caller(state)?, &self.query).await
            }
            _ => Err(Refusal::NoRoute),
        }
    }

    async fn live_tv(self, state: &Arc<State>, names: &[&str]) -> Result<Response, Refusal> {
        match names {
            [_, "channels"] => {
                self.only("GET")?;
                system::channels(state, &self.caller(state)?, &self.query)
            }
            [_, "programs"] => {
                self.only("GET")?;
                guide::list(state, &self.caller(state)?, &self.query)
            }
            [_, "timers"] => {
                self.only("GET, POST")?;
                let caller = self.caller(state)?;
                if self.method == Method::GET {
                    return timers::list(state, &caller);
                }
                timers::create(state, &caller, &self.fields().await?)
            }
            [_, "timers", id] => {
                self.only("DELETE")?;
                timers::delete(state, &self.caller(state)?, id)
            }
            [_, "livestreamfiles", _, "stream.ts"] => {
                self.only("GET")?;
                state.server.wipe_once();
                raw_stream::stream(state, &self.segments[2]).await
            }
            _ => Err(Refusal::NoRoute),
        }
    }

    async fn session(self, state: &Arc<State>, names: &[&str]) -> Result<Response, Refusal> {
        if let [_] = names {
            self.only("GET")?;
            return Ok(session_list::list(state, &self.caller(state)?));
        }
        let known = matches!(
            names,
            [_, "logout"]
                | [_, "playing"]
                | [_, "playing", "progress" | "ping" | "stopped"]
                | [_, "capabilities", ..]
                | [_, _, "message"]
        );
        if !known {
            return Err(Refusal::NoRoute);
        }
        self.only("POST")?;
        let caller = self.caller(state)?;
        state.sessions.see(&caller);
        match names {
            [_, id, "message"] => session_list::message(state, id, &self.fields().await?),
            [_, "logout"] => Ok(reports::logout(state, &caller)),
            [_, "playing", "ping"] => reports::ping(state, &self.query),
            [_, "playing", "stopped"] => reports::stopped(state, &caller, &self.fields().await?).await,
            [_, "playing", ..] => Ok(reports::playing(state, &caller, &self.fields().await?)),
            _ => self.fields().await.map(|_| response::no_content()),
        }
    }

    async fn system(self, state: &State, names: &[&str]) -> Result<Response, Refusal> {
        match names {
            ["system", "info", "public"] => return self.only("GET").map(|()| system::info(state)),
            ["system", "ping"] => return Ok(system::ping()),
            ["users", "authenticatebyname"] => {
                self.only("POST")?;
                let given = Credentials::read(&self.headers, &self.query, state.server.settings.version);
                return system::log_in(state, given, &self.fields().await?);
            }
            _ => {}
        }
        self.only("GET")?;
        let caller = self.caller(state)?;
        match names {
            ["system", "info"] => Ok(system::info(state)),
            ["system", "endpoint"] => Ok(system::endpoint()),
            ["system", "configuration", "livetv"] => Ok(system::tuner_hosts(state)),
            ["system", "configuration", "network"] => system::network(&caller),
            ["system", "configuration", "encoding"] => Ok(system::encoding(state)),
            ["playback", "bitratetest"] => system::bitrate_test(&self.query),
            ["users"] => Ok(system::users(state)),
            ["users", "me"] => system::me(&caller),
            ["users", id] => system::user(state, id),
            _ => Err(Refusal::NoRoute),
        }
    }
}
