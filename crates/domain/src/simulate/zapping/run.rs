//! Lets an audience use a gateway, moment by moment.

use std::collections::BTreeSet;

use crate::simulate::zapping::audience::Zap;
use crate::simulate::zapping::build::rules;
use crate::simulate::zapping::gateway::Gateway;
use crate::simulate::zapping::ledger::Ledger;
use crate::simulate::zapping::row::Row;
use crate::simulate::zapping::setting::Setting;
use crate::simulate::zapping::slot_gateway::SlotGateway;

/// How long after it a gateway notices that a viewer has switched off, in milliseconds. A viewer who changes channels is noticed at once.
const NOTICED_AFTER: u64 = 20_000;

/// Lets viewers do this, in the order of time, on a line-up of so many channels. The second half is measured, after the gateway has
/// learned from the first.
#[must_use]
pub fn run(zaps: &[Zap], channels: u32, setting: &Setting) -> Row {
    let cold = setting.cold_waits(channels);
    let mut gateway =
        SlotGateway::new(setting.slots, cold.clone(), rules(setting.policy, zaps, channels, &cold));
    let (first, end) = (zaps.first().map_or(0, |zap| zap.at), zaps.last().map_or(0, |zap| zap.at));
    let mut ledger = Ledger::new(first.midpoint(end));
    let mut departures = BTreeSet::new();
    for zap in zaps {
        pass_until(zap.at, &mut departures, &mut gateway, &mut ledger);
        ledger.zapped(zap);
        match zap.channel {
            Some(channel) => {
                departures.retain(|&(_, viewer)| viewer != zap.viewer);
                gateway.tuned(zap.viewer, channel, zap.at, &mut ledger);
            }
            None => {
                departures.insert((zap.at + NOTICED_AFTER, zap.viewer));
            }
        }
    }
    ledger.close(setting.policy, end)
}

/// Lets pass what happens before `until`.
fn pass_until(
    until: u64,
    departures: &mut BTreeSet<(u64, u32)>,
    gateway: &mut impl Gateway,
    ledger: &mut Ledger,
) {
    loop {
        let (departure, deadline) = (departures.first().copied(), gateway.next_deadline());
        let next = departure.map(|(at, _)| at).into_iter().chain(deadline).min();
        let Some(now) = next.filter(|&at| at <= until) else { return };
        match departure {
            Some((at, viewer)) if at == now => {
                departures.remove(&(at, viewer));
                gateway.left(viewer, now, ledger);
            }
            Some(_) | None => gateway.wake(now, ledger),
        }
    }
}
