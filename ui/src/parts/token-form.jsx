// Asks for the token, when the gateway wants one.
import { enter, refused } from '../live/api.js';

export function TokenForm() {
  const submit = event => {
    event.preventDefault();
    enter(event.target.elements.token.value.trim());
  };
  return (
    <main class="locked">
      <form class="panel" onSubmit={submit}>
        <h1><i />Warmgate</h1>
        <label for="token">This page needs the gateway’s token</label>
        <input id="token" type="password" autocomplete="current-password" required autofocus aria-describedby="refused" />
        <p id="refused" role="alert">{refused.value && 'The gateway does not accept that token.'}</p>
        <button class="act">Go on</button>
        <p>The token is kept until this tab is closed. You will find it in gateway.yaml.</p>
      </form>
    </main>
  );
}
