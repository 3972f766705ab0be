//! Fetches over real sockets: where they lead, and what each server is shown.

use std::io;
use std::sync::{Arc, Mutex};

use http::Request;
use http::header::{AUTHORIZATION, LOCATION, REFERER};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::*;

/// A server that redirects `/to/{url}` there, answers anything else with its path, and notes who asked how.
struct Server {
    host: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let log = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Incoming>| {
            let path = request.uri().to_string();
            log.lock().unwrap().push((path.clone(), request.headers().clone()));
            async move {
                let answer = match path.strip_prefix("/to/") {
                    _ if path == "/silence" => return std::future::pending().await,
                    Some(url) => Response::builder().status(302).header(LOCATION, url),
                    None => Response::builder(),
                };
                Ok::<_, io::Error>(answer.body(Full::new(Bytes::from(path))).unwrap())
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        Self { host, asked }
    }

    /// Each request, and the credentials it showed.
    fn shown(&self) -> Vec<(String, Option<String>)> {
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(path, headers)| (path.clone(), headers.get(AUTHORIZATION).map(text))).collect()
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(Timeouts { connect: Duration::from_secs(5), response: Duration::from_millis(500) })
}

async fn get(url: &str) -> Result<(String, String), Error> {
    let answer = fetcher().get(&url.parse().unwrap(), &HeaderMap::new()).await?;
    let body = body::read(answer.response.into_body(), 1 << 20).await.unwrap();
    Ok((answer.url.to_string(), String::from_utf8(body.to_vec()).unwrap()))
}

#[tokio::test]
async fn redirects_are_followed_to_their_end() {
    let (here, there) = (Server::start().await, Server::start().await);
    let url = format!("http://{}/to/http://{}/to//live/1.ts", here.host, there.host);
    let (from, body) = get(&url).await.unwrap();
    assert_eq!((from, body.as_str()), (format!("http://{}/live/1.ts", there.host), "/live/1.ts"));
}

#[tokio::test]
async fn a_password_is_shown_to_its_own_server_only() {
    let (here, there) = (Server::start().await, Server::start().await);
    get(&format!("http://me:p%40ss@{}/to//to/http://{}/list", here.host, there.host)).await.unwrap();
    let basic = Some("Basic bWU6cEBzcw==".to_owned());
    let shown = here.shown();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|(_, credentials)| *credentials == basic), "{shown:?}");
    assert_eq!(there.shown(), [("/list".to_owned(), None)]);

    // A redirect may bring credentials of its own.
    get(&format!("http://{}/to/http://you:x@{}/list", here.host, there.host)).await.unwrap();
    assert_eq!(there.shown()[1].1.as_deref(), Some("Basic eW91Ong="));
}

#[tokio::test]
async fn headers_that_are_no_credentials_go_along() {
    let (here, there) = (Server::start().await, Server::start().await);
    let headers = [
        (USER_AGENT, HeaderValue::from_static("VLC/3")),
        (REFERER, HeaderValue::from_static("http://a/")),
        (AUTHORIZATION, HeaderValue::from_static("Bearer x")),
    ];
    let url = format!("http://{}/to/http://{}/list#part", here.host, there.host).parse().unwrap();
    fetcher().get(&url, &headers.into_iter().collect()).await.unwrap();
    let asked = there.asked.lock().unwrap();
    let (path, headers) = &asked[0];
    assert_eq!(path, "/list");
    assert_eq!(headers[USER_AGENT], "VLC/3");
    assert_eq!(headers[REFERER], "http://a/");
    assert!(!headers.contains_key(AUTHORIZATION));
    assert_eq!(here.shown()[0].1.as_deref(), Some("Bearer x"));
}

#[tokio::test]
async fn the_gateway_says_who_it_is() {
    let here = Server::start().await;
    get(&format!("http://{}/", here.host)).await.unwrap();
    assert_eq!(here.asked.lock().unwrap()[0].1[USER_AGENT], OWN_NAME);
}

#[tokio::test]
async fn no_answer_has_a_name() {
    let here = Server::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, reason) in [
        (format!("http://{}/to/rtsp://{0}/1", here.host), "redirect-astray"),
        (format!("http://{}/to/file:///etc/passwd", here.host), "redirect-astray"),
        (format!("http://{}/silence", here.host), "response-timeout"),
        (format!("http://{nobody}/"), "connection-refused"),
        ("rtsp://127.0.0.1/1".to_owned(), "address"),
    ] {
        assert_eq!(get(&url).await.unwrap_err().as_str(), reason, "{url}");
    }
}

#[tokio::test]
async fn a_circle_is_left() {
    let here = Server::start().await;
    let url = format!("http://{}/{}", here.host, "to//".repeat(REDIRECTS + 1));
    assert_eq!(get(&url).await.unwrap_err().as_str(), "redirect-circle");
    assert_eq!(here.shown().len(), REDIRECTS + 1);
}
