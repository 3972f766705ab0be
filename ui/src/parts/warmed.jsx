// The channels that are warmed up for whoever may come, and the form that warms one up.
import { useState } from 'preact/hooks';

import { pending, release, warm } from '../live/actions.js';
import { ask, lineup } from '../live/lineup.js';
import { channelName } from '../words/names.js';
import { Countdown } from './age.jsx';

export function Warmed({ warmed }) {
  return (
    <div class="warmed">
      {warmed.length > 0 && <ul class="cards">{warmed.map(one => <One key={one.channel.item} {...one} />)}</ul>}
      <Chooser />
    </div>
  );
}

function One({ channel, ready, goes_in, by, why }) {
  const name = channelName(channel);
  return (
    <li class={`card panel idle ${ready ? 'live' : 'starting'}`}>
      <div class="top">
        {channel.number && <b aria-hidden="true">{channel.number}</b>}
        <h3 title={name}>{name}</h3>
        <span class="state"><i />{ready ? 'warmed up' : 'being opened'}</span>
      </div>
      <p class="why">{by === 'foresight' ? `Opened ahead: ${why}.` : ready ? 'Whoever tunes in has a picture at once.' : 'Jellyfin opens the channel.'}</p>
      <div class="bottom">
        <p class="going">{goes_in !== undefined && <>Goes in <b><Countdown seconds={goes_in} /></b> if nobody comes</>}</p>
        <button class="quiet" onClick={() => release(channel)} disabled={pending.value.has(`channels/${channel.item}/release`)} aria-label={`Let go of ${name}`}>
          Let go
        </button>
      </div>
    </li>
  );
}

function Chooser() {
  const [isOpen, open] = useState(false);
  const show = () => {
    open(true);
    ask();
  };
  const submit = event => {
    event.preventDefault();
    const item = event.target.elements.channel.value;
    const chosen = lineup.value.find(channel => channel.item === item);
    if (chosen) warm(chosen);
    open(false);
  };
  if (!isOpen) return <button class="quiet" onClick={show}>Warm a channel up</button>;
  const cold = lineup.value?.filter(channel => !channel.ready) ?? [];
  return (
    <form class="chooser" onSubmit={submit}>
      <label for="channel">Channel</label>
      <select id="channel" name="channel" disabled={cold.length === 0}>
        {cold.map(channel => <option key={channel.item} value={channel.item}>{[channel.number, channelName(channel)].filter(Boolean).join(' ')}</option>)}
      </select>
      <button class="quiet" disabled={cold.length === 0}>Warm up</button>
      <button class="quiet" type="button" onClick={() => open(false)}>Cancel</button>
      {lineup.value?.length === 0 && <p>Jellyfin has not told its channels yet. It does so when the gateway has a key, or a viewer has come.</p>}
    </form>
  );
}
