/** The fleet, as `WS /v1/fleet/stream` sends it; docs/dispatch.md explains the fields. */

import type { Eta, Position } from './order.js';

export type Risk = 'late' | 'silent' | 'off_route' | 'stuck' | 'battery_low';
export type OrderStatus = 'created' | 'assigned' | 'picked_up' | 'delivered' | 'failed' | 'cancelled';
export type Vehicle = 'car' | 'bicycle' | 'scooter' | 'foot';

export type FleetDriver = {
  id: string;
  position: Position | null;
  freshness: 'live' | 'stale' | 'lost' | 'none';
  name: string;
  vehicle: Vehicle;
  reference: string | null;
  duty: { on: boolean; on_break: boolean };
  device: { battery: number | null; battery_low: boolean; charging: boolean | null; network: string | null } | null;
  silence: { since: string; reason: string; reason_basis: string } | null;
  off_route: boolean;
  orders: string[];
};

export type FleetPlace = { lat: number; lon: number; address: string | null };

export type FleetOrder = {
  id: string;
  reference: string | null;
  status: OrderStatus;
  driver_id: string | null;
  created_at: string;
  pickup: FleetPlace;
  dropoff: FleetPlace;
  window: { from: string; to: string } | null;
  eta: Eta | null;
  late_s: number | null;
  risks: Risk[];
  attempt: number;
  version: number;
};

export type FleetSnapshot = {
  type: 'snapshot'; now: string; first: boolean; last: boolean; drivers: FleetDriver[]; orders: FleetOrder[];
};
export type FleetUpdate = {
  type: 'update'; now: string; drivers: ({ id: string } & Partial<FleetDriver>)[]; orders: FleetOrder[];
  gone_drivers: string[]; gone_orders: string[];
};
export type FleetMessage = FleetSnapshot | FleetUpdate | { type: 'heartbeat'; now: string } | { type: 'pong' | 'error' };

/** What a message changed: ids, or everything. */
export type Change = { whole: boolean; drivers: Set<string>; orders: Set<string> };
