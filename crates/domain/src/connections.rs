//! Which connections of clients are accepted, and how long one may stay that has not asked for anything.
//!
//! Far below the limit everybody may connect. Near it, a further connection needs a share of its address, a stranger (a
//! connection that has sent no whole request yet) has little time, and each further connection ends the one that has been idle
//! longest. At the limit the stranger that has waited longest makes room for the next connection, else the one that has been
//! idle longest. Where nobody can make room, the last places are for those who are here already: an address without any connection
//! is refused. A connection over which something is answered, or was a moment ago, is never ended here, so viewers keep
//! their service. Only one over which nothing moves may go, since its client has stopped reading, as a paused player does, or since
//! the server does not read what it sends: the one that has stalled longest, when four fifths of the limit are taken and nobody is
//! idle, or when memory is short.
//!
//! The peer's port, and what is sent over the connection, are not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::multiset::Multiset;
use crate::reason::ConnectionEnd;

/// A quarter of the limit is kept for addresses that are within their share.
const NEAR: usize = 4;
/// A sixteenth of the limit is kept for addresses that have a connection, while nobody can make room.
const LAST: usize = 16;
/// A fifth of the limit is kept from those that have stalled.
const FULL: usize = 5;
/// The part of those that have stalled that goes at a time when memory is short: what they held comes back a little later.
const RELIEF: usize = 16;
/// An address's share, as a part of the limit: 512 of 4,096 connections.
const SHARE: usize = 8;
/// The time that a stranger has. Chromium closes a connection that it opened in advance and did not use after 10 s
/// (`net/socket/client_socket_pool.cc`): the side that sends requests has to be the one that closes first.
const PATIENCE: Duration = Duration::from_secs(15);
/// The same near the limit.
const SHORT: Duration = Duration::from_secs(3);

/// A connection that has been idle for less is spared: a player asks for its playlist more often than that.
const SPARED: Duration = Duration::from_secs(10);

/// The time that a trusted proxy's stranger has, which is also how long an idle connection is kept. It is above the 60 s after which nginx
/// closes an idle upstream connection.
pub const IDLE: Duration = Duration::from_secs(75);
/// The limit unless another is configured.
pub const DEFAULT_LIMIT: usize = 4096;
/// Open files beyond two for each connection (its own, and one to the server): inputs, FFmpegs, kept upstream connections, the log.
const OTHER_FILES: u64 = 128;

/// How many open files `connections` need.
#[must_use]
pub const fn files_for(connections: usize) -> u64 {
    (connections as u64).saturating_mul(2).saturating_add(OTHER_FILES)
}

/// How many of the `wanted` connections fit if the process may have `files` open files. At least 1.
#[must_use]
pub fn fitting(wanted: usize, files: u64) -> usize {
    let fit = usize::try_from(files.saturating_sub(OTHER_FILES) / 2).unwrap_or(usize::MAX);
    wanted.min(fit).max(1)
}

/// A connection, while it is open. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(u64);

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// A client, or a proxy that is not trusted.
    Client(IpAddr),
    /// A trusted proxy, behind which are many clients. It has no share, and may hold connections in reserve.
    TrustedProxy,
}

/// What to do with a connection that has just been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Serve it.
    Accepted(ConnectionId),
    /// Close it.
    Refused(ConnectionEnd),
    /// The limit is reached.
    Full {
        /// The connection to end, if there is one.
        goes: Option<ConnectionId>,
        /// Ask again when a connection has ended, or after this time.
        wait: Duration,
    },
}

/// Over which nothing moves, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// There is nothing to answer.
    Idle(Duration),
    /// The client does not read what is answered, or the server what the client sends.
    Stalled(Duration),
}

/// A connection that is idle, and how it compares with others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Idle {
    /// A proxy holds its connections in reserve for many clients.
    is_client: bool,
    time: Duration,
    id: ConnectionId,
}

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    limit: usize,
    open: BTreeMap<ConnectionId, Whose>,
    /// Those that have asked for nothing yet and have not been told to end.
    strangers: BTreeSet<ConnectionId>,
    /// The connections of each client.
    held: Multiset<IpAddr>,
    next: u64,
}

impl Connections {
    /// No connections, of which at most `limit` will be open at once; at least 1.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (open, strangers, held) = (BTreeMap::new(), BTreeSet::new(), Multiset::default());
        Self { limit: limit.max(1), open, strangers, held, next: 0 }
    }

    /// A connection has been made. `rest` tells how a connection rests; `None` if it does not, or has been told to end.
    pub fn arrive(&mut self, whose: Whose, rest: impl Fn(ConnectionId) -> Option<Rest>) -> Arrival {
        let whose = of_one_client(whose);
        if let Whose::Client(address) = whose
            && self.is_near()
            && self.held.count(&address) >= (self.limit / SHARE).max(1)
        {
            return Arrival::Refused(ConnectionEnd::AddressShare);
        }
        if let Whose::Client(address) = whose
            && self.held.count(&address) == 0
            && self.open.len() >= self.limit - self.limit / LAST
            && self.is_immovable(&rest)
        {
            return Arrival::Refused(ConnectionEnd::Overload);
        }
        if self.open.len() >= self.limit {
            if let Some(stranger) = self.strangers.pop_first() {
                return Arrival::Full { goes: Some(stranger), wait: SPARED };
            }
            let (ripe, longest) = self.idle(&rest);
            let goes = match longest {
                Some(_) => ripe.map(|idle| idle.id),
                None => self.stalled(&rest).pop(),
            };
            let idle = if goes.is_some() { None } else { longest };
            let wait = SPARED.saturating_sub(idle.unwrap_or_default());
            return Arrival::Full { goes, wait };
        }
        let id = ConnectionId(self.next);
        self.next += 1;
        self.open.insert(id, whose);
        self.strangers.insert(id);
        if let Whose::Client(address) = whose {
            self.held.add(address);
        }
        Arrival::Accepted(id)
    }

    /// The connection to end, near the limit, so that it is not reached.
    pub fn crowded_out(&self, rest: impl Fn(ConnectionId) -> Option<Rest>) -> Option<ConnectionId> {
        if !self.is_near() {
            return None;
        }
        let (ripe, longest) = self.idle(&rest);
        let is_full = self.open.len() >= self.limit - self.limit / FULL;
        match longest {
            Some(_) => ripe.filter(|idle| idle.is_client).map(|idle| idle.id),
            // Whoever merely pauses goes only where nobody is idle, nor will have been for long enough soon.
            None => is_full.then(|| self.stalled(&rest).pop()).flatten(),
        }
    }

    /// Whether no connection makes room, now or soon.
    fn is_immovable(&self, rest: &impl Fn(ConnectionId) -> Option<Rest>) -> bool {
        self.strangers.is_empty() && self.idle(rest).1.is_none() && self.stalled(rest).is_empty()
    }

    /// The connections to end since memory is short.
    pub fn out_of_memory(&self, rest: impl Fn(ConnectionId) -> Option<Rest>) -> Vec<ConnectionId> {
        let mut stalled = self.stalled(&rest);
        let stay = stalled.len() - stalled.len().div_ceil(RELIEF);
        stalled.split_off(stay)
    }

    /// The connection that goes first among those that have been idle long enough; and the longest time that one has been idle, if any
    /// is.
    fn idle(&self, rest: &impl Fn(ConnectionId) -> Option<Rest>) -> (Option<Idle>, Option<Duration>) {
        let asked = self.open.iter().filter(|(id, _)| !self.strangers.contains(id));
        let mut longest = None;
        let ripe = asked.filter_map(|(&id, whose)| {
            let time = match rest(id)? {
                Rest::Idle(time) => time,
                Rest::Stalled(_) => return None,
            };
            longest = longest.max(Some(time));
            let is_client = *whose != Whose::TrustedProxy;
            (time >= SPARED).then_some(Idle { is_client, time, id })
        });
        (ripe.max(), longest)
    }

    /// The connections that have been stalled long enough, the one that goes first at the end.
    fn stalled(&self, rest: &impl Fn(ConnectionId) -> Option<Rest>) -> Vec<ConnectionId> {
        let stalled = self.open.keys().filter_map(|&id| match rest(id)? {
            Rest::Stalled(time) => (time >= SPARED).then_some((time, id)),
            Rest::Idle(_) => None,
        });
        let mut stalled: Vec<_> = stalled.collect();
        stalled.sort_unstable();
        stalled.into_iter().map(|(_, id)| id).collect()
    }

    /// A whole request has arrived on a connection.
    pub fn asked(&mut self, id: ConnectionId) {
        self.strangers.remove(&id);
    }

    /// A connection has ended.
    pub fn ended(&mut self, id: ConnectionId) {
        self.strangers.remove(&id);
        if let Some(Whose::Client(address)) = self.open.remove(&id) {
            self.held.take(&address);
        }
    }

    /// The time left for a stranger that has been open for `age`: zero if it has to go now, `None` if it may stay.
    #[must_use]
    pub fn time_left(&self, id: ConnectionId, age: Duration) -> Option<Duration> {
        if !self.strangers.contains(&id) {
            return None;
        }
        match self.open.get(&id)? {
            Whose::Client(_) if self.is_near() => Some(SHORT.saturating_sub(age)),
            // Asked again after each `SHORT`, since the limit may be near by then.
            Whose::Client(_) => Some(PATIENCE.saturating_sub(age).min(SHORT)),
            Whose::TrustedProxy => Some(IDLE.saturating_sub(age)),
        }
    }

    /// Whether less than a quarter of the limit is free.
    fn is_near(&self) -> bool {
        self.open.len() >= self.limit - self.limit / NEAR
    }
}

/// The addresses that one client can take are counted as one: an IPv6 host has a network of 64 bits (RFC 4291 2.5.4).
fn of_one_client(whose: Whose) -> Whose {
    match whose {
        Whose::TrustedProxy => Whose::TrustedProxy,
        Whose::Client(address) => Whose::Client(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> Whose {
        Whose::Client(IpAddr::from([10, 0, 0, last]))
    }

    fn busy(_: ConnectionId) -> Option<Rest> {
        None
    }

    fn full(goes: Option<ConnectionId>) -> Arrival {
        Arrival::Full { goes, wait: SPARED }
    }

    fn accepted(arrival: Arrival) -> ConnectionId {
        match arrival {
            Arrival::Accepted(id) => id,
            Arrival::Refused(_) | Arrival::Full { .. } => panic!("{arrival:?}"),
        }
    }

    #[test]
    fn near_the_limit_an_address_has_its_share() {
        let mut connections = Connections::new(16);
        let first: Vec<_> = (0..12).map(|_| accepted(connections.arrive(client(1), busy))).collect();
        let refused = Arrival::Refused(ConnectionEnd::AddressShare);
        assert_eq!(connections.arrive(client(1), busy), refused);
        accepted(connections.arrive(client(2), busy));
        accepted(connections.arrive(client(2), busy));
        assert_eq!(connections.arrive(client(2), busy), refused);
        for id in &first[..3] {
            connections.ended(*id);
        }
        accepted(connections.arrive(client(2), busy));
        assert_eq!(connections.arrive(client(2), busy), refused, "12 are open again");
    }

    #[test]
    fn fewer_connections_fit_below_a_low_limit_of_files() {
        assert_eq!(fitting(4096, files_for(4096)), 4096);
        assert_eq!(fitting(4096, files_for(4096) - 1), 4095);
        assert_eq!(fitting(4096, 1024), 448);
        assert_eq!(fitting(4096, 10), 1);
    }

    #[test]
    fn a_trusted_proxy_has_no_share_and_may_hold_connections_in_reserve() {
        let mut connections = Connections::new(8);
        let ids: Vec<_> = (0..8).map(|_| accepted(connections.arrive(Whose::TrustedProxy, busy))).collect();
        assert_eq!(connections.time_left(ids[0], PATIENCE), Some(IDLE - PATIENCE));
        assert_eq!(connections.arrive(client(1), busy), full(Some(ids[0])));
    }

    #[test]
    fn at_the_limit_the_stranger_that_waited_longest_makes_room_once() {
        let mut connections = Connections::new(3);
        let ids: Vec<_> = (0..3).map(|last| accepted(connections.arrive(client(last), busy))).collect();
        connections.asked(ids[0]);
        connections.asked(ids[2]);
        assert_eq!(connections.arrive(client(9), busy), full(Some(ids[1])));
        let refused = Arrival::Refused(ConnectionEnd::Overload);
        assert_eq!(connections.arrive(client(9), busy), refused, "nobody who has asked is ended");
        assert_eq!(
            connections.arrive(Whose::TrustedProxy, busy),
            full(None),
            "it has many clients, and waits"
        );
        connections.ended(ids[1]);
        accepted(connections.arrive(client(9), busy));
    }

    #[test]
    fn the_last_places_are_for_those_who_are_here_already() {
        let mut connections = Connections::new(32);
        let ids: Vec<_> = (0..30).map(|last| accepted(connections.arrive(client(last), busy))).collect();
        accepted(connections.arrive(client(30), busy));
        ids.iter().for_each(|&id| connections.asked(id));
        let refused = Arrival::Refused(ConnectionEnd::Overload);
        let stranger = accepted(connections.arrive(client(31), busy));
        connections.ended(stranger);
        connections.asked(ConnectionId(30));
        assert_eq!(connections.arrive(client(31), busy), refused);
        let idle = |id| (id == ids[0]).then_some(Rest::Idle(Duration::from_secs(1)));
        let newcomer = accepted(connections.arrive(client(31), idle));
        connections.ended(newcomer);
        let proxy = accepted(connections.arrive(Whose::TrustedProxy, busy));
        connections.ended(proxy);
        accepted(connections.arrive(client(3), busy));
    }

    #[test]
    fn at_the_limit_the_longest_idle_makes_room_unless_it_was_served_a_moment_ago() {
        let mut connections = Connections::new(4);
        let mut ids = vec![accepted(connections.arrive(Whose::TrustedProxy, busy))];
        ids.extend((1..4).map(|last| accepted(connections.arrive(client(last), busy))));
        ids.iter().for_each(|&id| connections.asked(id));
        let idle = |seconds: [Option<u64>; 4]| {
            let ids = ids.clone();
            move |id| {
                let at = ids.iter().position(|&known| known == id)?;
                seconds[at].map(|seconds| Rest::Idle(Duration::from_secs(seconds)))
            }
        };
        let arrives = |connections: &mut Connections, seconds| connections.arrive(client(9), idle(seconds));
        let spared = arrives(&mut connections, [None, Some(9), Some(4), None]);
        assert_eq!(spared, Arrival::Full { goes: None, wait: Duration::from_secs(1) });
        assert_eq!(arrives(&mut connections, [Some(60), Some(10), Some(40), None]), full(Some(ids[2])));
        assert_eq!(arrives(&mut connections, [Some(60), Some(9), None, None]), full(Some(ids[0])));
        assert_eq!(connections.crowded_out(idle([Some(60), Some(9), None, None])), None, "a proxy's reserve");
        assert_eq!(connections.crowded_out(idle([None, Some(11), Some(12), None])), Some(ids[2]));
        connections.ended(ids[3]);
        connections.ended(ids[2]);
        assert_eq!(connections.crowded_out(idle([None, Some(60), None, None])), None, "there is room");
    }

    #[test]
    fn who_has_stopped_reading_goes_only_when_places_or_memory_are_short_and_nobody_is_idle() {
        let mut connections = Connections::new(20);
        let mut ids: Vec<_> = (0..15).map(|last| accepted(connections.arrive(client(last), busy))).collect();
        let paused = |ids: &[ConnectionId]| {
            let ids = ids.to_vec();
            move |id| {
                let at = ids.iter().position(|&known| known == id)?;
                Some(Rest::Stalled(Duration::from_secs([60, 9, 61, 10].get(at).copied()?)))
            }
        };
        assert_eq!(connections.crowded_out(paused(&ids)), None, "three quarters are taken");
        ids.push(accepted(connections.arrive(client(15), busy)));
        assert_eq!(connections.crowded_out(paused(&ids)), Some(ids[2]), "four fifths are");
        let idle = |id| {
            if id == ids[9] { Some(Rest::Idle(SPARED)) } else { paused(&ids)(id) }
        };
        ids.iter().for_each(|&id| connections.asked(id));
        assert_eq!(connections.crowded_out(idle), Some(ids[9]));
        assert_eq!(connections.out_of_memory(idle), [ids[2]], "a sixteenth at a time");
        assert!(connections.out_of_memory(busy).is_empty());
        let longest = ids[4];
        let many = |id| Some(Rest::Stalled(Duration::from_secs(if id == longest { 99 } else { 11 })));
        ids.extend((16..17).map(|last| accepted(connections.arrive(client(last), busy))));
        assert_eq!(connections.out_of_memory(many), [ids[16], longest]);
        ids.extend((17..20).map(|last| accepted(connections.arrive(client(last), busy))));
        ids.iter().for_each(|&id| connections.asked(id));
        let soon_idle = |id| {
            if id == ids[9] { Some(Rest::Idle(SPARED - Duration::from_secs(1))) } else { paused(&ids)(id) }
        };
        assert_eq!(connections.crowded_out(soon_idle), None, "one will have been idle long enough");
        let waits = Arrival::Full { goes: None, wait: Duration::from_secs(1) };
        assert_eq!(connections.arrive(client(99), soon_idle), waits);
        assert_eq!(connections.arrive(client(99), paused(&ids)), full(Some(ids[2])));
    }

    #[test]
    fn a_stranger_has_little_time_near_the_limit() {
        let mut connections = Connections::new(4);
        let [first, second] = [1, 2].map(|last| accepted(connections.arrive(client(last), busy)));
        assert_eq!(connections.time_left(first, Duration::ZERO), Some(SHORT));
        assert_eq!(connections.time_left(first, Duration::from_secs(14)), Some(Duration::from_secs(1)));
        assert_eq!(connections.time_left(first, PATIENCE), Some(Duration::ZERO));
        accepted(connections.arrive(client(3), busy));
        assert_eq!(connections.time_left(first, Duration::from_secs(1)), Some(Duration::from_secs(2)));
        assert_eq!(connections.time_left(first, Duration::from_secs(14)), Some(Duration::ZERO));
        connections.asked(first);
        assert_eq!(connections.time_left(first, PATIENCE), None);
        connections.ended(second);
        assert_eq!(connections.time_left(second, Duration::ZERO), None);
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let mut connections = Connections::new(4);
        let six = |text: &str| Whose::Client(text.parse().unwrap());
        for host in ["2001:db8::1", "2001:db8::2", "2001:db8::3"] {
            accepted(connections.arrive(six(host), busy));
        }
        assert!(matches!(connections.arrive(six("2001:db8::4"), busy), Arrival::Refused(_)));
        accepted(connections.arrive(six("2001:db8:0:1::4"), busy));
    }
}
