// Shows what came of what somebody did.
import { dismiss, notices } from '../live/notices.js';

export function Notices() {
  return (
    <div class="notices">
      <div role="status">{notices.value.filter(notice => !notice.wrong).map(notice => <Notice key={notice.key} {...notice} id={notice.key} />)}</div>
      <div role="alert">{notices.value.filter(notice => notice.wrong).map(notice => <Notice key={notice.key} {...notice} id={notice.key} />)}</div>
    </div>
  );
}

function Notice({ id, title, detail, wrong }) {
  return (
    <div class={`notice ${wrong ? 'wrong' : ''}`}>
      <p><b>{title}</b>{detail && <span>{detail}</span>}</p>
      <button class="quiet" onClick={() => dismiss(id)} aria-label={`OK: ${title}`}>OK</button>
    </div>
  );
}
