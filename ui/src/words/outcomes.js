// Names what a zap met, and the reasons that go with it.
export const OUTCOMES = {
  hit: { word: 'warm', said: 'The channel was running: a picture at once.' },
  joined: { word: 'joined', said: 'Another viewer had just started the channel.' },
  near: { word: 'half warm', said: 'The channel was open, and only this quality had to be begun.' },
  cold: { word: 'cold', said: 'The channel had to be opened first.' },
  bypass: { word: 'Jellyfin’s own', said: 'Jellyfin answered with a stream of its own.' },
  conflict: { word: 'no tuner', said: 'No tuner was free.' },
  failed: { word: 'failed', said: 'An error came in place of a picture.' },
  abandoned: { word: 'given up', said: 'The viewer turned away before a picture came.' },
};
/** Those without a picture that are somebody's fault. */
export const WRONG = ['conflict', 'failed'];

const REASONS = {
  'pool-full': 'all places are watched',
  'memory-full': 'the memory for streams is used up',
  'sent-away': 'the viewer was sent away from here',
  crowded: 'the user has too many players on this channel',
  'stays-plain': 'the player had Jellyfin’s own stream already',
  'logging-out': 'the user is being logged out',
  'upstream-failing': 'Jellyfin refuses this stream',
  draining: 'the gateway is shutting down',
  'bypass-wished': 'the player wants Jellyfin’s own stream',
  'not-warm': 'the player takes only a warm channel',
  'not-fresh': 'the player takes only fresh pictures',
  'tuners-taken': 'all tuners are needed for other channels',
  'too-many-streams': 'the user watches as many streams as allowed',
  'cold-timeout': 'no picture came in time',
  'cold-failure': 'the stream did not start',
  unpaired: 'nobody was seen opening this channel',
  'no-token': 'the request had no token',
  denied: 'Jellyfin refuses the user’s token',
  'auth-unknown': 'Jellyfin could not be asked about the token',
  restricted: 'the user may not have video or sound encoded',
  'start-time': 'the player asks for an earlier moment',
  static: 'the player asks for the source itself',
  params: 'the player asks in an old way',
  container: 'the player asks for another container',
  item: 'the request names no channel',
  'live-stream': 'the request names no open channel',
  'media-source': 'the request names no source',
  'source-mismatch': 'the request names two sources',
};

/** An update of the gateway may know more outcomes than this page. */
export const outcomeWords = outcome => OUTCOMES[outcome] ?? { word: outcome, said: '' };

export const reasonWords = reason => REASONS[reason] ?? reason.replaceAll('-', ' ');
