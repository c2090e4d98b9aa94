/** An order as a customer may see it, and the messages that carry it. The fields are the API's. */

import type { LonLat } from '../src/path.js';

export type LineString = { type: 'LineString'; coordinates: LonLat[] };
export type Freshness = 'live' | 'stale' | 'lost' | 'none';

export type Position = {
  lat: number;
  lon: number;
  /** Degrees clockwise from north. */
  heading: number | null;
  /** Metres per second. */
  speed: number | null;
  recorded_at: string;
};

export type Order = {
  status: string;
  reference: string | null;
  /** The time of each status reached. */
  timestamps: Record<string, string>;
  dropoff: { lat: number; lon: number; address: string | null; time_zone?: string };
  /** Where the order comes from; null once it is picked up or over. */
  pickup?: { lat: number; lon: number } | null;
  /** The customer's own instructions for the courier. */
  instructions?: string | null;
  /** Stars that the customer gave. */
  rating?: number | null;
  window: { from: string; to: string } | null;
  /** The arrival that was forecast first after the pickup. */
  first_forecast?: string | null;
  /** When the driver arrived at the dropoff. */
  arrived_at?: string | null;
  /** Why the delivery failed. */
  outcome?: string | null;
  /** False: the customer never sees the position. */
  shows_position?: boolean;
};

export type Eta = {
  arrives_at: string | null;
  earliest: string | null;
  latest: string | null;
  distance_m: number | null;
  basis: string;
  stale: boolean;
};

/** What the server sends of an order. */
export type View = {
  cursor: string;
  /** The server's clock at its latest message. */
  now: string;
  order: Order;
  driver: { name: string; vehicle: string } | null;
  position: Position | null;
  eta: Eta | null;
  stops_before: number | null;
  route: LineString | null;
  trail: LineString | null;
  visibility: 'live' | 'hidden' | 'ended';
  freshness: Freshness;
  /** Four digits for the courier; null if none are needed. A snapshot leaves it out then. */
  pin: string | null;
  /** Images that prove the delivery. A snapshot leaves an empty list out. */
  proofs: Proof[];
};

/** An image at `<link>/proofs/<id>`. */
export type Proof = { id: string; kind: 'photo' | 'signature'; at: string };

/** A view, and what other messages say of the order. */
export type State = View & {
  /** The driver's latest note. */
  note: { text: string; at: string } | null;
  /** The reason, once the stream has ended. */
  ended: string | null;
};

export type Snapshot = Omit<View, 'pin' | 'proofs'> & Partial<Pick<View, 'pin' | 'proofs'>> & { type: 'snapshot' };
export type Update = Partial<View> & { type: 'update'; cursor: string; now: string };
export type Heartbeat = { type: 'heartbeat'; cursor?: string; now: string };
export type Note = { type: 'message'; from: 'driver'; text: string; at: string };
export type End = { type: 'end'; reason: string };
export type Message = Snapshot | Update | Heartbeat | Note | End | { type: 'pong' | 'error' };
