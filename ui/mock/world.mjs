// A made-up household and what the gateway would tell of it, as src/admin/views.rs spells it.
const CHANNELS = [
  ['1', 'Das Erste HD'], ['2', 'ZDF HD'], ['3', 'arte HD'], ['4', '3sat HD'], ['5', 'WDR Fernsehen Köln HD'], ['6', 'BR Fernsehen Süd HD'],
  ['7', 'ORF 1'], ['8.1', 'KQED Public Television for Northern California and the Greater San Francisco Bay Area'], ['9', 'France 24 English'],
  ['12', 'BBC One London'], ['14', 'NHK World'], ['101', 'Rai News 24'],
].map(([number, name], at) => ({ item: String(at).padStart(32, 'c0ffee'), number, name }));
const PEOPLE = [
  ['Anna', 'Living room TV', 'app'], ['Ben', 'TW96aWxsYS81LjAgKFgxMTsgTGludXggeDg2XzY0KXwxNzY0NTM0', 'web'], ['Clara', 'iPhone', 'app'], ['Dieter', 'Kodi (bedroom)', 'pull'],
  ['Großmutter Hildegard-Ottilie von der Wasserkante', 'SAMSUNG Smart TV UE55TU7199UXZG, kitchen', 'unknown'], [undefined, 'VLC', 'pull'],
];
const PROFILES = [
  'transcodingmaxaudiochannels=2&videobitrate=max&videocodec=h264&audiocodec=copy&h264-deinterlace=true&h264-level=30&maxframerate=25',
  'maxwidth=1280&maxheight=720&transcodingmaxaudiochannels=2&videobitrate=4000000&videocodec=h264&audiocodec=aac,mp3&audiobitrate=128000',
  'maxaudiochannels=6&videobitrate=20000000&videocodec=hevc,h264&audiocodec=ac3,eac3',
  '',
];
const PRESENCES = [
  ['playing', 0.001, ['fetches']], ['playing', 0.04, ['fetches', 'open-request']], ['paused', 0.02, ['says-paused']], ['thin', 0.3, ['once-a-minute']],
  ['suspect', 0.93, ['silence', 'socket-closed', 'connection-closed']], ['stalled', 0.05, ['says-starved', 'same-segment']], ['joining', 0.01, ['asked']],
];
const WAITS = { hit: [0.06, 3], joined: [0.7, 3], near: [0.5, 2], cold: [1.6, 2.4], bypass: [2.4, 2] };
const MIB = 2 ** 20;

export class World {
  #begun = Date.now() - 7_460_000;
  #streams = [];
  #zaps = [];
  #last = 0;
  #starts = 38;
  #warmed = new Map();
  slots = 12;
  limit = 4;
  failed = {};

  constructor({ streams = 4, zaps = 160, seed = 7 } = {}) {
    this.#chance = chance(seed);
    for (let at = 0; at < streams; at++) this.begin(at, at % 3 === 2 ? 0 : at === 3 ? 7 : at === 0 ? 2 : 1);
    for (let back = zaps; back > 0; back--) this.zap(Date.now() - (back + this.#chance() * 0.8) * 53_000);
  }

  #chance;

  begin(channel, viewers = 1) {
    const id = ++this.#last, adopted = channel % 5 === 4;
    const stream = {
      id, channel: CHANNELS[channel % CHANNELS.length], profile: PROFILES[channel % PROFILES.length], method: adopted ? 'adopted' : 'own',
      state: 'live', generation: 1 + (channel % 3 === 1), begun: Date.now() - (channel * 1_900_000 + 65_000), encodes: !adopted && channel % 2 === 1,
      memory: (9.4 + 5 * channel) * MIB, pinned: false, viewers: [], left: viewers ? null : Date.now() - 80_000,
    };
    this.#streams.push(stream);
    this.#starts++;
    for (let at = 0; at < viewers; at++) this.enter(id, channel + at);
    return id;
  }

  end(id) {
    this.#streams = this.#streams.filter(stream => stream.id !== id);
  }

  /** A person tunes to the stream. */
  enter(id, person) {
    const [user, device, player] = PEOPLE[person % PEOPLE.length], [presence, absence, because] = PRESENCES[this.#find(id).viewers.length % PRESENCES.length];
    const viewer = { id: `v${id}-${person}`, user, device, player, presence, absence, because, begun: Date.now() - 61_000 * person };
    this.#find(id).viewers.push(viewer);
    this.#find(id).left = null;
  }

  /** The channels by name, each with its warmth. */
  channels() {
    return CHANNELS.map(channel => {
      const stream = this.#streams.some(({ channel: { item } }) => item === channel.item), opened = this.#warmed.get(channel.item);
      return { ...channel, warmth: stream ? 'stream' : opened ? 'opening' : 'cold', ready: stream };
    });
  }

  /** Whether there is such a channel. */
  warm(item) {
    if (!CHANNELS.some(channel => channel.item === item)) return false;
    this.#warmed.set(item, Date.now());
    return true;
  }

  /** Whether it was warmed up. */
  release(item) {
    return this.#warmed.delete(item);
  }

  /** Whether there was such a viewer. */
  kick(viewer) {
    const stream = this.#streams.find(stream => stream.viewers.some(({ id }) => id === viewer));
    if (!stream) return false;
    stream.viewers = stream.viewers.filter(({ id }) => id !== viewer);
    if (stream.viewers.length === 0) stream.left = Date.now();
    return true;
  }

  set(id, change) {
    Object.assign(this.#find(id), change);
  }

  #find(id) {
    return this.#streams.find(stream => stream.id === id);
  }

  has(id) {
    return this.#find(id) !== undefined;
  }

  zap(at = Date.now(), outcome = this.#outcome()) {
    const part = () => this.#chance(), [user, device] = PEOPLE[Math.floor(part() * 6)], [least, spread] = WAITS[outcome] ?? [];
    const zap = { id: this.#zaps.length, at: new Date(at).toISOString(), channel: CHANNELS[Math.floor(part() * 7)], user, device, outcome };
    if (outcome === 'conflict') zap.reason = 'tuners-taken';
    else if (outcome === 'failed') zap.reason = part() < 0.5 ? 'cold-timeout' : 'upstream-failing';
    else if (outcome === 'abandoned') zap.opened = 0.4 + part();
    else Object.assign(zap, moments(outcome, least * (1 + spread * part() ** 2), part), outcome === 'bypass' && { reason: 'container' });
    this.#zaps.push(zap);
    return zap;
  }

  #outcome() {
    const marks = { hit: 0.55, joined: 0.6, near: 0.72, cold: 0.9, bypass: 0.94, conflict: 0.955, failed: 0.97, abandoned: 1 }, part = this.#chance();
    return Object.keys(marks).find(outcome => part < marks[outcome]);
  }

  /** What happens by itself in a second: somebody zaps, comes, goes. */
  tick() {
    const part = this.#chance();
    for (const stream of this.#streams) if (stream.left && Date.now() - stream.left > 300_000) this.end(stream.id);
    for (const stream of this.#streams) if (stream.state === 'starting') stream.state = 'live';
    if (part > 0.12) return null;
    const running = this.#streams.length, idle = this.#streams.find(stream => !stream.viewers.length);
    if (part < 0.02 && running < 8) this.set(this.begin(Math.floor(part * 5e4) % 12), { state: 'starting', begun: Date.now(), memory: 0 });
    else if (part < 0.04 && running > 2) this.#streams.find(stream => stream.viewers.length)?.viewers.forEach(({ id }) => this.kick(id));
    else if (idle) this.enter(idle.id, Math.floor(part * 1e4));
    return this.zap();
  }

  findings() {
    return [{
      finding: 'few-slots', severity: 'advice', what: 'There are more tuners than pool.slots: not every channel that is open can be kept warm',
      cure: 'Raise pool.slots to the number of tuners',
    }];
  }

  zaps() {
    return this.#zaps.slice(-500);
  }

  state() {
    const now = Date.now(), since = moment => (now - moment) / 1000;
    const streams = this.#streams.map(({ begun, left, viewers, ...stream }) => ({
      ...stream, age: since(begun), why: why(stream, viewers, left),
      ...(left && { idle: since(left) }), ...(left && !stream.pinned && { goes_in: Math.max(0, 300 - since(left)) }),
      viewers: viewers.map(({ begun, ...viewer }) => ({ ...viewer, age: since(begun) })),
    }));
    const idle = this.#streams.filter(stream => stream.left).length, in_use = Math.min(this.limit, streams.length);
    const tuners = {
      limit: this.limit, source: 'server', reserve: 1, in_use, idle: Math.min(idle, in_use), closing: 0, openings: streams.length % 2,
      hosts: this.limit < 2 ? [] : [
        { id: 'HDHomeRun living room', limit: this.limit - 1, reserve: 1, in_use: Math.min(in_use, this.limit - 1), idle: Math.min(idle, in_use, 1) },
        { id: '7f3a90c1d2e84b5f9a6b0c1d2e3f4a5b', limit: 1, reserve: 0, in_use: in_use >= this.limit ? 1 : 0, idle: 0 },
      ],
    };
    return {
      at: new Date(now).toISOString(), version: '0.1.0', uptime: since(this.#begun), upstream: 'http://192.168.1.2:8096', slots: this.slots, streams, tuners,
      warmed_up: [...this.#warmed].map(([item, begun]) => ({ channel: CHANNELS.find(channel => channel.item === item), ready: since(begun) > 1, goes_in: 600 - since(begun) })),
      counts: this.#counts(), zaps: summary(this.#zaps),
    };
  }

  /** As after a restart: nothing runs, ids begin anew. */
  restart() {
    Object.assign(this, { failed: {} });
    this.#begun = Date.now();
    [this.#streams, this.#zaps, this.#last, this.#starts] = [[], [], 0, 0];
    this.#warmed.clear();
  }

  #counts() {
    const some = this.#zaps.length > 0 && this.#starts > 0;
    return {
      starts: this.#starts, revived: some ? 3 : 0, failures: this.failed,
      tuned: some ? { warm: 104, warming: 6, cold: 41 } : {}, refused: some ? { 'bypass-wished': 2, crowded: 1, container: 5 } : {},
      refused_openings: some ? { 'tuners-taken': 3 } : {}, stopped: some ? { idle: 22, evicted: 4, 'tuner-needed': 6, recording: 1 } : {},
      rested: some ? { idle: 17, pressure: 2 } : {}, returned: some ? { superseded: 8, left: 3, silent: 1 } : {},
      left: some ? { zapped: 88, goodbye: 31, silence: 12 } : {},
    };
  }
}

function why({ state }, viewers, left) {
  const watched = left ? 'nobody watches it' : viewers.length === 1 ? 'one viewer watches it' : `${viewers.length} viewers watch it`;
  if (state === 'backing-off') return `it failed (refused) and is tried again in 8 s; ${watched}`;
  if (state === 'starting') return `it is being started; ${watched}`;
  if (state === 'retiring') return 'it is being closed (tuner-needed)';
  return watched;
}

function moments(outcome, waited, part) {
  const shares = outcome === 'hit' ? [0.35, 0.4, 0.6, 0.65] : outcome === 'near' ? [0.15, 0.2, 0.9, 0.93] : [0.4, 0.43, 0.94, 0.96];
  const [opened, list_asked, listed, segment_asked] = shares.map(share => share * waited);
  if (outcome === 'bypass') return { waited, opened: 0.3 * waited, list_asked: 0.33 * waited, listed: waited };
  return { waited, opened, list_asked, listed, segment_asked, segment_sent: waited, listed_again: waited + 0.5 + part() };
}

function summary(zaps) {
  const outcomes = {}, waits = zaps => zaps.map(({ waited }) => waited).filter(waited => waited !== undefined).sort((one, two) => one - two);
  for (const outcome of new Set(zaps.map(zap => zap.outcome))) {
    const these = zaps.filter(zap => zap.outcome === outcome), sorted = waits(these);
    const quantile = share => sorted.length && { [share === 0.5 ? 'median' : 'p95']: sorted[Math.floor(share * (sorted.length - 1))] };
    outcomes[outcome] = { count: these.length, ...quantile(0.5), ...quantile(0.95) };
  }
  const all = waits(zaps), slo = 1;
  return {
    slo, outcomes,
    ...(all.length && { within_slo: all.filter(wait => wait <= slo).length / all.length }),
    ...(all.length && { warm_share: zaps.filter(({ outcome }) => ['hit', 'joined'].includes(outcome)).length / all.length }),
  };
}

/** Numbers from 0 to 1 that are the same each time (mulberry32). */
function chance(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
