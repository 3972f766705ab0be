// Reads a text/event-stream from a body that is being received.

/** Each event as `{ name, data }`. `hear` is called for whatever comes, comments too. */
export async function* events(body, hear) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    hear();
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const event = read(block);
      if (event) yield event;
    }
  }
}

function read(block) {
  let name = 'message', data = '';
  for (const line of block.split('\n')) {
    const [, field, value] = /^(\w*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') name = value;
    else if (field === 'data') data += value;
  }
  return data && { name, data: JSON.parse(data) };
}
