// Says that the page shows the past, above everything and without moving it.
import { heard, silence, stale, state, trouble } from '../live/store.js';
import { age } from '../words/units.js';

export function Banner() {
  return (
    <div class={`banner ${stale.value ? 'shown' : ''}`}>
      <p>
        <span role="alert">
          {stale.value && (state.value
            ? <><b>Out of date.</b> As it was at {new Date(heard.value).toLocaleTimeString()}. </>
            : <b>No answer from the gateway. </b>)}
          {stale.value && (trouble.value ? `${trouble.value}.` : 'Trying again.')}
        </span>
        <span class="since" aria-hidden="true">{stale.value && age(silence.value)}</span>
      </p>
    </div>
  );
}
