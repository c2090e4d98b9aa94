/** What drivers and the service exchange, and what the driver's page stores. The fields of messages are the API's. */

export type Stop = {
  lat: number;
  lon: number;
  address?: string | null;
  time_zone?: string;
  ready_at?: string | null;
};

export type StopKind = 'pickup' | 'dropoff';
export type ProofKind = 'photo' | 'signature' | 'barcode' | 'pin';
export type Requirements = Partial<Record<StopKind, Partial<Record<ProofKind, boolean>>>>;

export type AssignedOrder = {
  id: string;
  reference: string | null;
  status: 'assigned' | 'picked_up' | 'delivered' | 'failed';
  pickup: Stop;
  dropoff: Stop;
  customer: { name?: string | null; phone?: string | null } | null;
  window: { from: string | null; to: string | null } | null;
  instructions?: string | null;
  contact?: string | null;
  requirements?: Requirements;
  missing_proofs?: Requirements;
  /** From the customer, oldest first. */
  notes?: { text: string; at: string }[];
};

export type Duty = { on: boolean; on_break: boolean };
export type Policy = { interval_s: number; min_move_m: number };

export type Fix = {
  recorded_at: string;
  lat: number;
  lon: number;
  accuracy?: number;
  speed?: number;
  heading?: number;
  altitude?: number;
};

export type Welcome = {
  type: 'welcome';
  driver: { id: string; name: string; vehicle: string };
  orders: AssignedOrder[];
  now: string;
  policy: Policy;
  duty?: Duty;
};

export type ToDriver =
  | Welcome
  | { type: 'orders'; orders: AssignedOrder[] }
  | { type: 'message'; order_id: string; text: string; at: string }
  | { type: 'policy'; policy: Policy }
  | ({ type: 'duty' } & Duty)
  | { type: 'slow'; retry_s: number; reason: string }
  | { type: 'ack'; id: number | null }
  | { type: 'error'; id: number | null; code: string; detail: string }
  | { type: 'ping'; n: number }
  | { type: 'pong'; n: number; now: string };

/** Why the service refused an action. */
export type Refusal = { code: string; detail: string; retryAfter?: number };

/** What the driver did, until the service has it. Stored, so it survives a reload. */
export type Action = {
  /** Place in the queue, given by the store. */
  seq?: number;
  /** Random; a repetition with the same key has no further effect. */
  key: string;
  kind: 'status' | 'note' | 'duty' | 'proof';
  /** By this device's clock. */
  at: string;
  order?: string;
  /** What the driver knows the order by, after it has left the list. */
  title?: string;
  status?: 'picked_up' | 'delivered' | 'failed';
  outcome?: string;
  reason?: string;
  text?: string;
  duty?: Duty;
  proof?: ProofKind;
  stop?: StopKind;
  file?: Blob;
  value?: string;
  refusal?: Refusal;
  /** A status that was not sent because this proof was refused. */
  withdrew?: Action['status'];
  /** Not before this time, in milliseconds. */
  retryAt?: number;
};

/** What the service stores about the driver. */
export type StoredAboutMe = {
  driver: {
    name: string;
    display_name: string | null;
    vehicle: string;
    reference: string | null;
    created_at: string;
    last_fix: { lat: number; lon: number; recorded_at: string } | null;
    device: {
      app: string | null;
      battery: number | null;
      network: string | null;
      permission: string | null;
      reported_at: string;
    } | null;
  };
  first_fix_at: string | null;
  last_fix_at: string | null;
  fixes_kept_days: number;
  notes_kept_days: number;
  assignments: number;
  duty_intervals: { duty: string; begun_at: string; ended_at: string | null }[];
};

/** A customer opened the tracking link of an order while the driver had it. */
export type Opening = { at: string; order_id: string; reference: string | null };

/** A note of the conversation about an order. */
export type Note = { order: string; from: 'customer' | 'driver'; text: string; at: string };
