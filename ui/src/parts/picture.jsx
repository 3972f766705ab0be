// What a stream shows, asked for again and again while somebody looks at the page.
import { useEffect, useState } from 'preact/hooks';

import { call } from '../live/api.js';

/** Milliseconds between two pictures: the gateway makes no more. */
const PAUSE = 10_000;

export function Picture({ id, name }) {
  const [source, show] = useState(null);
  useEffect(() => {
    let timer, isGone = false, shown = null;
    const ask = async () => {
      const picture = document.hidden ? null : await take(id);
      if (isGone) return;
      if (picture) {
        if (shown) URL.revokeObjectURL(shown);
        shown = URL.createObjectURL(picture);
        show(shown);
      }
      timer = setTimeout(ask, PAUSE);
    };
    ask();
    return () => {
      isGone = true;
      clearTimeout(timer);
      if (shown) URL.revokeObjectURL(shown);
    };
  }, [id]);
  return source && <img class="picture" src={source} alt={`What ${name} shows`} width="480" height="270" />;
}

/** A picture, if there is one. The token has to be shown, which an img cannot do. */
async function take(id) {
  try {
    const answer = await call(`streams/${id}/picture`);
    return answer.status === 200 ? await answer.blob() : null;
  } catch {
    return null;
  }
}
