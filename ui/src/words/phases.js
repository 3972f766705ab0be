// Divides a zap into what it consisted of: what the server and the gateway did, and what its player did in between.

/** Each phase as `{ name, from, to, kind }`; kinds are those of the demo's bars, and `player`. */
export function phases(zap) {
  const { opened, list_asked, listed, segment_asked, segment_sent, listed_again } = zap;
  const marks = [
    { at: opened, name: 'Jellyfin opens the channel', kind: 'opening' },
    { at: list_asked, name: 'the player asks for the list', kind: 'player' },
    { at: listed, name: zap.outcome === 'bypass' ? 'Jellyfin sends its own list' : 'the list is made', kind: 'list' },
    { at: segment_asked, name: 'the player asks for a segment', kind: 'player' },
    { at: segment_sent, name: 'the segment is sent', kind: 'segment' },
    { at: listed_again, name: 'the player asks for the list again', kind: 'after' },
  ];
  let from = 0;
  return marks.filter(({ at }) => at !== undefined).map(({ at, name, kind }) => {
    const phase = { name, kind, from, to: Math.max(at, from) };
    from = phase.to;
    return phase;
  });
}
