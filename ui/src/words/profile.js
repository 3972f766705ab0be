// Tells how a stream is encoded, from the canonical spelling of its profile (crates/domain/src/profile).
const CODECS = {
  h264: 'H.264', hevc: 'HEVC', h265: 'HEVC', av1: 'AV1', vp9: 'VP9', mpeg2video: 'MPEG-2',
  aac: 'AAC', mp3: 'MP3', mp2: 'MP2', ac3: 'Dolby Digital', eac3: 'Dolby Digital+', opus: 'Opus', flac: 'FLAC', vorbis: 'Vorbis', dts: 'DTS',
};
const LAYOUTS = { 1: 'mono', 2: 'stereo', 6: '5.1', 8: '7.1' };

/** The parts of a sentence, the picture first. */
export function profileWords(profile) {
  const wish = Object.fromEntries(new URLSearchParams(profile));
  return [quality(wish), picture(wish), sound(wish), subtitles(wish)].filter(Boolean);
}

function quality({ videobitrate: rate, maxwidth, width, maxheight, height }) {
  const [wide, high] = [maxwidth ?? width, maxheight ?? height];
  const size = wide && high ? `${wide} × ${high}` : high ? `${high} lines` : wide && `${wide} wide`;
  const bits = /^(?:exactly-)?(\d+)$/.exec(rate ?? '')?.[1];
  const limits = [size, bits && megabits(Number(bits))].filter(Boolean);
  return limits.length ? `Up to ${limits.join(', ')}` : 'Full quality';
}

function picture({ videocodec, allowvideostreamcopy }) {
  const words = codecs(videocodec);
  return allowvideostreamcopy === 'false' ? `${words || 'picture'}, always encoded` : words;
}

function sound({ audiocodec, maxaudiochannels, transcodingmaxaudiochannels, audiochannels }) {
  const channels = audiochannels ?? maxaudiochannels ?? transcodingmaxaudiochannels;
  const layout = channels && (LAYOUTS[channels] ?? `${channels} channels`);
  if (audiocodec === 'copy') return 'sound as sent';
  const words = codecs(audiocodec);
  return (words || layout) && `${words || 'sound'}${layout ? ` ${layout}` : ''}`;
}

const subtitles = ({ subtitlestreamindex: index }) => (index ? 'subtitles' : '');

const codecs = list => (list ?? '').split(',').filter(Boolean).map(codec => CODECS[codec] ?? codec).join(' or ');

const megabits = bits => (bits < 1e6 ? `${Math.round(bits / 1e3)}\u00a0kbit/s` : `${Number((bits / 1e6).toFixed(1))}\u00a0Mbit/s`);
