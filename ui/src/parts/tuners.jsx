// The tuners of the server: how many are in use for whom, on each tuner host.
import { plural } from '../words/units.js';
import { PLACES, Places } from './places.jsx';

const SOURCES = {
  server: 'as Jellyfin says', configured: 'as configured', lineup: 'as the playlist says', discover: 'as the HDHomeRun says',
  account: 'as the provider says', learned: 'as learned from what could be opened',
};

export function Tuners({ tuners }) {
  const { limit, source, openings, hosts } = tuners;
  const rows = hosts.length ? hosts : [{ id: 'All tuners', ...tuners }];
  return (
    <section class="panel tuners" aria-labelledby="tuners">
      <h2 id="tuners">Tuners</h2>
      <p>
        {limit === undefined
          ? 'The number of tuners is not known.'
          : <span title={source}>{plural(limit, 'tuner')}, {SOURCES[source] ?? source}.</span>}
      </p>
      <ul class="hosts">
        {rows.map(host => (
          <li key={host.id}>
            <span class="id" title={host.id}>{host.id}</span>
            <span class="use">{host.in_use} {host.limit === undefined ? 'in use' : `of ${host.limit}`}</span>
            <Places most={40} {...host} />
          </li>
        ))}
      </ul>
      <p class="openings">{openings ? `${plural(openings, 'channel')} opened by a player and not played yet.` : 'No channel is being opened.'}</p>
      <ul class="key">{Object.entries(PLACES).map(([kind, word]) => <li key={kind}><u class={kind} />{word}</li>)}</ul>
    </section>
  );
}
