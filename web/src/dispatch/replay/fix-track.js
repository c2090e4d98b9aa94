/** FixTrack: where a driver was at a time, from the believed fixes; and those that were refused. Pure. */

/** @typedef {{recorded_at: string, lat: number, lon: number, reason?: string|null, [more: string]: any}} Fix */
/** @typedef {{at: number, lon: number, lat: number}} Spot at: milliseconds */

const GAP = 120_000; // milliseconds without a fix: what lies between is unknown

export class FixTrack {
  /** @param {Fix[]} fixes of the track, also those with a reason, which were refused or doubted */
  constructor(fixes) {
    const spots = fixes.map((fix) => ({ at: Date.parse(fix.recorded_at), lon: fix.lon, lat: fix.lat, reason: fix.reason ?? '' }));
    spots.sort((a, b) => a.at - b.at);
    this.believed = spots.filter(({ reason }) => !reason);
    this.rejected = spots.filter(({ reason }) => reason);
  }

  get begin() {
    return this.believed[0]?.at ?? 0;
  }

  get end() {
    return this.believed.at(-1)?.at ?? 0;
  }

  /** The lines of the track, cut at gaps. @returns {[number, number][][]} longitude, latitude */
  get lines() {
    /** @type {[number, number][][]} */ const lines = [];
    let before = -Infinity;
    for (const { at, lon, lat } of this.believed) {
      if (at - before > GAP) lines.push([]);
      lines.at(-1)?.push([lon, lat]);
      before = at;
    }
    return lines;
  }

  /** Between two fixes on the straight line, in a gap at the last one before it. @param {number} time milliseconds @returns {Spot|null} */
  at(time) {
    const next = this._firstAfter(time);
    const [a, b] = [this.believed[next - 1], this.believed[next]];
    if (!a) return b ?? null;
    if (!b || b.at - a.at > GAP) return a;
    const part = (time - a.at) / (b.at - a.at);
    return { at: time, lon: a.lon + (b.lon - a.lon) * part, lat: a.lat + (b.lat - a.lat) * part };
  }

  /** @param {number} time @returns {number} index of the first fix after it */
  _firstAfter(time) {
    let [low, high] = [0, this.believed.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.believed[middle].at <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * How often each reason occurs, the most frequent first.
 * @param {readonly {reason: string}[]} rejected @returns {[string, number][]}
 */
export function countReasons(rejected) {
  /** @type {Map<string, number>} */ const counts = new Map();
  for (const { reason } of rejected) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1]);
}
