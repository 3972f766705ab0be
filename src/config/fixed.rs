//! Tells the keys that cannot change while the gateway runs from all others, which take effect at once. `app::changes` adds `produce`, where
//! the gateway was started without FFmpeg.
//!
//! It does not know how they do.

use crate::config::checked::{Config, Upstream};
use crate::config::sections::Window;

impl Config {
    /// Keeps of the `running` configuration whatever cannot change without a restart, and names the keys for which one is needed.
    pub fn keep_fixed(&mut self, running: &Self) -> Vec<&'static str> {
        let mut fixed = Fixed(Vec::new());
        fixed.keep("listen", &mut self.listen, &running.listen);
        fixed.keep("tls", &mut self.tls, &running.tls);
        fixed.keep("name", &mut self.name, &running.name);
        if self.proxy_protocol != running.proxy_protocol {
            // Until its header is read, a proxy that passes bytes on would have its clients' word counted as its own.
            fixed.keep("trusted_proxies", &mut self.trusted_proxies, &running.trusted_proxies);
            fixed.keep("proxy_protocol", &mut self.proxy_protocol, &running.proxy_protocol);
        }
        fixed.keep("state_dir", &mut self.state_dir, &running.state_dir);
        fixed.keep("admin", &mut self.admin, &running.admin);
        fixed.keep("zap", &mut self.zap, &running.zap);
        fixed.keep("history", &mut self.history, &running.history);
        fixed.keep("lineup", &mut self.lineup, &running.lineup);
        fixed.keep("lineup_server", &mut self.lineup_server, &running.lineup_server);
        fixed.keep("clients.connections", &mut self.clients.connections, &running.clients.connections);
        fixed.keep("pool.never_ahead", &mut self.pool.never_ahead, &running.pool.never_ahead);
        fixed.keep("feed", &mut self.feed, &running.feed);
        fixed.keep("viewers.patience", &mut self.viewers.patience, &running.viewers.patience);
        fixed.keep("rewind", &mut self.rewind, &running.rewind);
        fixed.keep("ffmpeg", &mut self.ffmpeg, &running.ffmpeg);
        fixed.keep("shutdown", &mut self.shutdown, &running.shutdown);
        fixed.keep("log.format", &mut self.log.format, &running.log.format);
        fixed.keep("access_log", &mut self.access_log, &running.access_log);
        fixed.keep("webhooks", &mut self.webhooks, &running.webhooks);
        fixed.keep_upstream(&mut self.upstream, &running.upstream);
        fixed.keep_window(&mut self.window, &running.window);
        // The file may keep rules that do not hold with what is kept.
        if self.pool.memory < self.window.segment {
            fixed.keep("pool.memory", &mut self.pool.memory, &running.pool.memory);
        }
        if self.viewers.patience < self.viewers.silence {
            fixed.keep("viewers.silence", &mut self.viewers.silence, &running.viewers.silence);
        }
        fixed.0
    }
}

/// The keys whose new values are not used.
struct Fixed(Vec<&'static str>);

impl Fixed {
    fn keep<T: Clone + PartialEq>(&mut self, key: &'static str, new: &mut T, running: &T) {
        if new != running {
            new.clone_from(running);
            self.0.push(key);
        }
    }

    fn keep_upstream(&mut self, new: &mut Upstream, running: &Upstream) {
        self.keep("upstream.url", &mut new.url, &running.url);
        self.keep("upstream.api_key", &mut new.api_key, &running.api_key);
        self.keep("upstream.ca, certificate or key", &mut new.trust, &running.trust);
        self.keep("upstream.connect_timeout", &mut new.connect_timeout, &running.connect_timeout);
        self.keep("upstream.response_timeout", &mut new.response_timeout, &running.response_timeout);
        self.keep("upstream.live_tv_right", &mut new.live_tv_right, &running.live_tv_right);
    }

    fn keep_window(&mut self, new: &mut Window, running: &Window) {
        self.keep("window.join", &mut new.join, &running.join);
        self.keep("window.length", &mut new.length, &running.length);
        self.keep("window.segment", &mut new.segment, &running.segment);
    }
}
