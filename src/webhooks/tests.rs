//! Webhooks at a real socket, in paused time.

use std::sync::Mutex;

use domain::lineup::source::SourceUrl;
use domain::reason::NoticeKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::fetch::Timeouts;

/// A server that answers each request with the next of these statuses, and the last one for ever; and the requests that it was sent.
async fn server(statuses: &'static [u16]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let asked = Arc::<Mutex<Vec<_>>>::default();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::clone(&asked));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            // Head and body: a notice's body ends with its last brace or word.
            while !is_whole(&request) {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap();
                request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
            let count = {
                let mut seen = seen.lock().unwrap();
                seen.push(request);
                seen.len()
            };
            let status = statuses[(count - 1).min(statuses.len() - 1)];
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address.to_string(), asked)
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| body.len() >= length.parse().unwrap())
}

fn hook(url: String, events: &[NoticeKind], template: Option<&str>) -> Webhook {
    Webhook { url: SourceUrl::new(url), events: events.to_vec(), template: template.map(str::to_owned) }
}

fn notice(kind: NoticeKind) -> Notice {
    Notice::new(kind, "now".to_owned(), "it is slow".to_owned()).with("channel", Some("ARD".to_owned()))
}

fn start(webhooks: Vec<Webhook>) -> Webhooks {
    Webhooks::start(webhooks, &Fetcher::new(Timeouts::default()))
}

const PATIENCE: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn whoever_wants_to_know_is_told_once() {
    let (address, asked) = server(&[200]).await;
    let webhooks = start(vec![
        hook(format!("http://me:secret@{address}/secret"), &[NoticeKind::ZapSlow], None),
        hook(format!("http://{address}/text"), &[NoticeKind::ZapSlow], Some("{{channel}}: {{text}}")),
        hook(format!("http://{address}/other"), &[NoticeKind::GatewayUp], None),
    ]);
    webhooks.tell(&notice(NoticeKind::ZapSlow));
    webhooks.all_told(PATIENCE).await;
    let mut asked = asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].starts_with("POST /secret HTTP/1.1") && asked[0].contains("authorization: Basic "));
    assert!(asked[0].ends_with(r#"{"at":"now","channel":"ARD","event":"zap-slow","text":"it is slow"}"#));
    assert!(asked[1].contains("content-type: text/plain") && asked[1].ends_with("\r\n\r\nARD: it is slow"));
    let deliveries = webhooks.deliveries();
    assert!(
        deliveries.iter().all(|it| it.outcome == Outcome::Delivered && it.attempts == 1),
        "{deliveries:?}"
    );
    assert_eq!(deliveries[0].to, format!("http://{address}/…"));
    assert!(!format!("{deliveries:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_tried_again_unless_it_is_refused() {
    for (statuses, attempts, outcome) in [
        (&[500, 429, 204][..], 3, Outcome::Delivered),
        (&[404][..], 1, Outcome::Failed),
        (&[503][..], 5, Outcome::Failed),
    ] {
        let (address, _) = server(statuses).await;
        let webhooks = start(vec![hook(format!("http://{address}/"), NoticeKind::ALL, None)]);
        webhooks.tell(&notice(NoticeKind::SourceDead));
        webhooks.all_told(PATIENCE).await;
        let delivery = &webhooks.deliveries()[0];
        assert_eq!((delivery.attempts, delivery.outcome), (attempts, outcome), "{statuses:?}");
        assert_eq!(delivery.answer.as_deref(), Some(&*statuses.last().unwrap().to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded() {
    let webhooks = start(vec![hook("http://127.0.0.1:1/".to_owned(), NoticeKind::ALL, None)]);
    for _ in 0..QUEUED + 2 {
        webhooks.tell(&notice(NoticeKind::ZapSlow));
    }
    let dropped = webhooks.deliveries().iter().filter(|it| it.outcome == Outcome::Dropped).count();
    assert!((1..=2).contains(&dropped), "{dropped}");
}
