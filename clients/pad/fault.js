import { Problem } from "/pad/api.js";

/**
 * Says in `state`, where the answer would have been, what went wrong with asking for it; and to
 * `trouble`, unless the service itself has said so, which then is there.
 */
export function tell(error, state, trouble) {
  state.textContent = error.message;
  if (!(error instanceof Problem)) trouble(error);
}
