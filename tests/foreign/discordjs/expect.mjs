// What a test expects: facts, and events that come in time.

export const STEP_TIME_MS = 20_000;

export function check(fact, what) {
  if (!fact) throw new Error(`not so: ${what}`);
  console.log(`  ok  ${what}`);
}

/** The first event that fits, or an error that names it. */
export function next(emitter, event, fits = () => true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), STEP_TIME_MS);
    const listen = (...values) => {
      if (!fits(...values)) return;
      clearTimeout(timer);
      emitter.off(event, listen);
      resolve(values[0]);
    };
    emitter.on(event, listen);
  });
}
