// Plays a stream beside its card. Whoever looks is no viewer: the gateway keeps nothing running for it.
import { useEffect, useRef, useState } from 'preact/hooks';

import { address, authorize } from '../live/api.js';

export function Player({ id, name }) {
  const video = useRef(null);
  const [trouble, tell] = useState('');
  useEffect(() => {
    let player, isGone = false;
    const begin = async () => {
      const { default: Hls } = await import('hls.js/light');
      if (isGone) return;
      if (!Hls.isSupported()) return tell('This browser cannot play it here.');
      // A worker would need a script that the page's policy does not allow.
      player = new Hls({ enableWorker: false, backBufferLength: 10, xhrSetup: authorize });
      player.on(Hls.Events.ERROR, (_, { fatal }) => fatal && tell('It cannot be played here, or has ended.'));
      player.on(Hls.Events.MANIFEST_PARSED, () => video.current?.play().catch(() => {}));
      player.loadSource(address(`streams/${id}/preview/live.m3u8`));
      player.attachMedia(video.current);
    };
    begin().catch(() => tell('The player cannot be loaded.'));
    return () => {
      isGone = true;
      player?.destroy();
    };
  }, [id]);
  return (
    <div class="player">
      <video class="picture" ref={video} muted autoplay playsinline controls aria-label={`${name}, without sound at first`} />
      {trouble && <p class="going" role="status">{trouble}</p>}
    </div>
  );
}
