/** Ring: a short sound and a vibration for a new order. */

const TONES = [880, 1_175]; // hertz
const TONE = 0.18; // seconds

/** @type {AudioContext|null} */
let audio = null;

function begin() {
  audio ??= 'AudioContext' in globalThis ? new AudioContext() : null;
  audio?.resume();
}

/** Browsers allow sound only after a tap or key, so wait for the first one. */
export function allowSoundAfterTap() {
  addEventListener('pointerdown', begin, { once: true });
  addEventListener('keydown', begin, { once: true });
}

export function ring() {
  navigator.vibrate?.([200, 100, 200]);
  if (audio?.state !== 'running') return;
  TONES.forEach((frequency, i) => play(/** @type {AudioContext} */ (audio), frequency, i * TONE));
}

/** @param {AudioContext} context @param {number} frequency @param {number} delay seconds */
function play(context, frequency, delay) {
  const [tone, volume] = [context.createOscillator(), context.createGain()];
  const begins = context.currentTime + delay;
  tone.frequency.value = frequency;
  volume.gain.setValueAtTime(0.3, begins);
  volume.gain.exponentialRampToValueAtTime(0.001, begins + TONE);
  tone.connect(volume).connect(context.destination);
  tone.start(begins);
  tone.stop(begins + TONE);
}
