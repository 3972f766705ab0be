// Asks before something is done that a viewer would notice.
import { useEffect, useRef } from 'preact/hooks';

import { question } from '../live/actions.js';

export function Question() {
  const dialog = useRef(null), asked = question.value;
  useEffect(() => {
    if (asked) dialog.current.showModal();
    else dialog.current.close();
  }, [asked]);
  const answer = act => () => {
    question.value = null;
    act?.();
  };
  return (
    <dialog ref={dialog} class="question" aria-labelledby="question" aria-describedby="consequence" onClose={answer()}>
      {asked && (
        <>
          <h2 id="question">{asked.title}</h2>
          <p id="consequence">{asked.text}</p>
          <div class="answers">
            <button class="quiet" onClick={answer()}>Cancel</button>
            <button class="act" onClick={answer(asked.act)}>{asked.verb}</button>
          </div>
        </>
      )}
    </dialog>
  );
}
