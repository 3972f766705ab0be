// Puts the page together.
import { link, stale, state } from '../live/store.js';
import { Advice } from './advice.jsx';
import { Banner } from './banner.jsx';
import { Channels } from './channels.jsx';
import { Counts } from './counts.jsx';
import { Foot } from './foot.jsx';
import { Head } from './head.jsx';
import { Notices } from './notices.jsx';
import { Question } from './question.jsx';
import { Strip } from './strip.jsx';
import { TokenForm } from './token-form.jsx';
import { Tuners } from './tuners.jsx';
import { Zaps } from './zaps.jsx';

export function App() {
  if (link.value === 'locked') return <TokenForm />;
  return (
    <>
      <Banner />
      <div class={`page ${stale.value ? 'stale' : ''}`}>
        <Head />
        {state.value && (
          <main>
            <Strip state={state.value} />
            <Channels streams={state.value.streams} warmed={state.value.warmed_up} />
            <Zaps summary={state.value.zaps} />
            <Tuners tuners={state.value.tuners} />
            <Counts counts={state.value.counts} />
            <Advice />
          </main>
        )}
        {state.value && <Foot state={state.value} />}
      </div>
      <Question />
      <Notices />
    </>
  );
}
