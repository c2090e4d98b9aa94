-- When an order arrived, as forecasts are judged: when positions showed the driver at the dropoff, but not before its
-- window began, unless it was delivered then; without positions when it was delivered. A delivery at the very time of
-- the status before it was set so by a clamp: nobody knows when it was.

CREATE FUNCTION order_arrived_at(o orders) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN seen.at IS NULL
                THEN nullif(o.delivered_at, greatest(o.picked_up_at, o.assigned_at))
                ELSE least(greatest(seen.at, o.window_from), greatest(seen.at, coalesce(o.delivered_at, 'infinity')))
           END
    FROM (SELECT min(at) AS at FROM timeline WHERE order_id = o.id AND kind = 'arrived_at_dropoff') AS seen
$$;
