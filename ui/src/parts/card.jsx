// A channel that runs: why it does, when it goes, who watches it and what it costs.
import { useState } from 'preact/hooks';

import { pending, pin, stop } from '../live/actions.js';
import { channelName, present } from '../words/names.js';
import { profileWords } from '../words/profile.js';
import { mebibytes } from '../words/units.js';
import { Age } from './age.jsx';
import { Going, Why } from './going.jsx';
import { Picture } from './picture.jsx';
import { Player } from './player.jsx';
import { Viewers } from './viewers.jsx';

const STATES = {
  starting: 'starting', live: 'running', resting: 'resting', 'backing-off': 'failed, tries again', retiring: 'stopping',
};

export function Card({ stream }) {
  const { id, channel, state, generation, age, memory } = stream;
  const [plays, play] = useState(false);
  const viewers = present(stream), name = channelName(channel);
  return (
    <li class={`card panel ${state} ${viewers.length ? 'watched' : 'idle'}`} aria-labelledby={`channel-${id}`}>
      <div class="top">
        {channel.number && <b aria-hidden="true">{channel.number}</b>}
        <h3 id={`channel-${id}`} title={name}>{name}</h3>
        <span class="state"><i />{STATES[state] ?? state}</span>
      </div>
      {plays ? <Player id={id} name={name} /> : <Picture id={id} name={name} />}
      <Why stream={stream} />
      <Going stream={stream} />
      {viewers.length > 0 && <Viewers viewers={viewers} stream={stream} />}
      <p class="profile" title={stream.profile}>{[...profileWords(stream.profile), made(stream)].join(' · ')}</p>
      <div class="bottom">
        <dl>
          <div><dt>up</dt><dd><Age seconds={age} /></dd></div>
          <div><dt>memory</dt><dd>{mebibytes(memory)}</dd></div>
          <div><dt>generation</dt><dd>{generation}</dd></div>
        </dl>
        <div class="buttons">
          <button class="quiet" aria-pressed={plays} onClick={() => play(!plays)} disabled={!plays && state !== 'live'} aria-label={`Look at ${name}`} title="Nobody counts as a viewer for that">
            Look
          </button>
          <button class="quiet" aria-pressed={stream.pinned} onClick={() => pin(stream)} disabled={state === 'retiring'} aria-label={`Pin ${name}`} title="Kept until its place is needed">
            Pin
          </button>
          <button class="quiet" onClick={() => stop(stream)} disabled={state === 'retiring' || pending.value.has(`streams/${id}/stop`)} aria-label={`Stop ${name}`}>
            Stop
          </button>
        </div>
      </div>
    </li>
  );
}

function made({ method, encodes }) {
  if (method === 'adopted') return 'made by Jellyfin';
  return encodes ? 'encoded here' : 'made here without encoding';
}
