// The foot of the page: which gateway this is.
import { Age } from './age.jsx';

export function Foot({ state }) {
  return (
    <footer class="foot">
      Warmgate {state.version}, running for <Age seconds={state.uptime} />, in front of {state.upstream}
    </footer>
  );
}
