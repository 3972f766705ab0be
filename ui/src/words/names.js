// Names channels, viewers and groups of them, also where Jellyfin has told no name yet.
export const channelName = channel => channel.name ?? (channel.number ? `Channel ${channel.number}` : 'A channel without a name');

export const viewerName = viewer => viewer.user ?? deviceName(viewer) ?? 'Somebody';

/** Many devices call themselves by an id, of which the beginning is enough. */
export function deviceName({ device }) {
  return device && /^[\w+/=-]{20,}$/.test(device) ? `device ${device.slice(0, 6)}…` : device;
}

/** The viewers of a stream that are there. */
export const present = stream => stream.viewers.filter(viewer => viewer.presence !== 'left');

/** "Anna", "Anna and Ben", "Anna, Ben and 3 more". */
export function people(viewers) {
  const names = [...new Set(viewers.map(viewerName))], shown = names.slice(0, names.length > 3 ? 2 : 3);
  const last = names.length > 3 ? `${names.length - 2} more` : shown.length > 1 ? shown.pop() : null;
  return last ? `${shown.join(', ')} and ${last}` : shown.join();
}
